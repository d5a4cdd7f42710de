//! Writes the answers about the model slots, each as text for a person or as JSON for a program. A board has two slots,
//! A and B: one model runs while the other slot receives an update. A record in flash has the state of both.

use core::fmt::{self, Write};

use crate::display::{Counted, Form, Terminal, error};
use crate::flash::Partition;
use crate::request::RequestError;
use crate::slots::{BootEvent, Slot, SlotIndex, Slots, State, Store};

/// The note for a person that any model is accepted.
const UNSIGNED: &str = "this firmware has no key: models need no signature";

/// Writes the lines before the banner: a note if models need no signature, and the events of the boot.
pub fn boot_events(events: &[BootEvent], wants_signature: bool, out: &mut dyn Write) -> fmt::Result {
    // Each line begins with CR LF, since the cursor may be anywhere; the banner begins with one too.
    if !wants_signature {
        write!(out, "\r\n{UNSIGNED}")?;
    }
    events.iter().try_for_each(|event| match event {
        BootEvent::Trial(slot) => write!(out, "\r\nslot {slot}: trying the new model"),
        BootEvent::FellBack(slot, error) => {
            write!(out, "\r\nslot {slot}: new model given up, the previous one runs: {error}")
        }
        BootEvent::Damaged(slot, error) => write!(out, "\r\nslot {slot}: model not used: {error}"),
    })
}

/// Lists the slots, with their states and models, and the condition that a new model must fulfil.
pub fn models<P: Partition, S: Store>(slots: &Slots<P, S>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let (record, wants_signature) = (slots.record(), slots.wants_signature());
    // The lowest version of a model that is accepted; the protocol calls it the floor.
    let floor = record.min_version;
    if form == Form::Machine {
        write!(out, r#"{{"slots":["#)?;
    }
    for index in SlotIndex::ALL {
        let slot = record.slot(index);
        let Slot { state, version, bytes, crc32, .. } = *slot;
        let serves = slots.serving() == Some(index);
        if form == Form::Machine {
            let comma = if index == SlotIndex::A { "" } else { "," };
            write!(
                out,
                r#"{comma}{{"slot":"{index}","state":"{}","serving":{serves},"version":{version},"bytes":{bytes},"crc32":"{crc32:08x}"}}"#,
                state.name()
            )?;
            continue;
        }
        write!(out, "{index}  {:9}  {:7}", state.name(), if serves { "serving" } else { "" })?;
        match state {
            State::Empty => (),
            // Such a slot has no version, length or checksum in the record.
            _ if slot.is_flashed() => out.write_str("  written by a flasher")?,
            _ => write!(out, "  version {version}  {bytes} bytes  crc32 {crc32:08x}")?,
        }
        out.write_str("\r\n")?;
    }
    match form {
        Form::Human if wants_signature => {
            write!(out, "models must be signed; versions below {floor} are refused")
        }
        Form::Human => out.write_str(UNSIGNED),
        Form::Machine => {
            let bytes = slots.capacity();
            write!(out, r#"],"floor":{floor},"signed":{wants_signature},"slot_bytes":{bytes}}}"#)
        }
    }
}

/// Asks a person to start the transfer.
pub fn invitation(index: SlotIndex, out: &mut dyn Write) -> fmt::Result {
    write!(out, "send a model to slot {index} by YMODEM now; Ctrl-C cancels\r\n")
}

/// Confirms that a model was received.
pub fn loaded(index: SlotIndex, slot: &Slot, form: Form, out: &mut dyn Write) -> fmt::Result {
    let Slot { version, bytes, crc32, .. } = *slot;
    form.write(
        out,
        format_args!(
            "received {}, crc32 {crc32:08x}, version {version}, in slot {index}; now `activate`, then `reset`",
            Counted(bytes.into(), "byte")
        ),
        format_args!(r#"{{"loaded":"{index}","version":{version},"bytes":{bytes},"crc32":"{crc32:08x}"}}"#),
    )
}

/// Confirms that the next boot tries the model in this slot.
pub fn activated(index: SlotIndex, form: Form, out: &mut dyn Write) -> fmt::Result {
    form.write(
        out,
        format_args!("all checks passed; `reset` starts the model in slot {index}"),
        format_args!(r#"{{"activated":"{index}"}}"#),
    )
}

/// Confirms that the next boot tries the previous model, whose slot is then [`State::Activated`], or else that an
/// activation was cancelled. `state` is the new state of the slot `index`.
pub fn rolled_back(index: SlotIndex, state: State, form: Form, out: &mut dyn Write) -> fmt::Result {
    match (form, state) {
        (Form::Human, State::Activated) => write!(out, "`reset` returns to the previous model, in slot {index}"),
        (Form::Human, _) => write!(out, "the activation of slot {index} is cancelled"),
        (Form::Machine, _) => write!(out, r#"{{"rolled_back":"{index}","state":"{}"}}"#, state.name()),
    }
}

/// Confirms that a slot is empty.
pub fn erased(index: SlotIndex, form: Form, out: &mut dyn Write) -> fmt::Result {
    form.write(out, format_args!("slot {index} is empty"), format_args!(r#"{{"erased":"{index}"}}"#))
}

/// Writes the error of a request about the slots.
pub fn request_failed(failure: &RequestError, form: Form, out: &mut dyn Write) -> fmt::Result {
    error(failure.code(), failure, form, Terminal::default(), out)?;
    // `error` leaves the JSON object open.
    out.write_str(if form == Form::Machine { "}" } else { "" })
}
