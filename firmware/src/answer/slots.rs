//! Writes the answers about the model slots, each as text for a person or as JSON for a program.

use core::fmt::{self, Write};

use crate::display::{Counted, Escaped, list};
use crate::flash::Partition;
use crate::form::Form;
use crate::request::RequestError;
use crate::slots::{BootEvent, Slot, SlotIndex, Slots, State, Store};

const UNSIGNED: &str = "this firmware has no key: models need no signature";

/// The lines before the banner: a note if models need no signature, and what the boot did with the models.
pub fn boot_events(events: &[BootEvent], wants_signature: bool, out: &mut dyn Write) -> fmt::Result {
    // Each line begins with CR LF, since the cursor may be anywhere; the banner begins with one too.
    if !wants_signature {
        write!(out, "\r\n{UNSIGNED}")?;
    }
    events.iter().try_for_each(|event| match event {
        BootEvent::Trial(slot) => write!(out, "\r\nslot {}: trying the new model", slot.name()),
        BootEvent::FellBack(slot, error) => {
            write!(out, "\r\nslot {}: new model given up, the previous one runs: {error}", slot.name())
        }
        BootEvent::Damaged(slot, error) => write!(out, "\r\nslot {}: model not used: {error}", slot.name()),
    })
}

/// Lists the slots.
pub fn models<P: Partition, S: Store>(slots: &Slots<P, S>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let (record, serving) = (slots.record(), slots.serving());
    let lines =
        SlotIndex::ALL.map(|index| Line { index, slot: record.slot(index), serves: serving == Some(index), form });
    match form {
        Form::Human => {
            lines.iter().try_for_each(|line| write!(out, "{line}\r\n"))?;
            match slots.wants_signature() {
                true => write!(out, "models must be signed; versions below {} are refused", record.min_version),
                false => out.write_str(UNSIGNED),
            }
        }
        Form::Machine => {
            write!(out, r#"{{"slots":["#)?;
            list(out, lines.iter())?;
            let (floor, signed, bytes) = (record.min_version, slots.wants_signature(), slots.capacity());
            write!(out, r#"],"floor":{floor},"signed":{signed},"slot_bytes":{bytes}}}"#)
        }
    }
}

/// Displays one slot.
struct Line<'s> {
    index: SlotIndex,
    slot: &'s Slot,
    serves: bool,
    form: Form,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Slot { state, version, bytes, crc32, .. } = *self.slot;
        let (name, word) = (self.index.name(), state.name());
        if self.form == Form::Machine {
            let serves = self.serves;
            return write!(
                f,
                r#"{{"slot":"{name}","state":"{word}","serving":{serves},"version":{version},"bytes":{bytes},"crc32":"{crc32:08x}"}}"#
            );
        }
        write!(f, "{name}  {word:9}  {:7}", if self.serves { "serving" } else { "" })?;
        match (state, bytes) {
            (State::Empty, _) => Ok(()),
            (_, 0) => write!(f, "  written by a flasher"),
            _ => write!(f, "  version {version}  {bytes} bytes  crc32 {crc32:08x}"),
        }
    }
}

/// Asks a person to start the transfer.
pub fn invitation(index: SlotIndex, out: &mut dyn Write) -> fmt::Result {
    write!(out, "send a model to slot {} by YMODEM now; Ctrl-C cancels\r\n", index.name())
}

/// Confirms that a model was received.
pub fn loaded(index: SlotIndex, slot: &Slot, form: Form, out: &mut dyn Write) -> fmt::Result {
    let (name, Slot { version, bytes, crc32, .. }) = (index.name(), *slot);
    match form {
        Form::Human => write!(
            out,
            "received {}, crc32 {crc32:08x}, version {version}, in slot {name}; now `activate`, then `reset`",
            Counted(bytes.into(), "byte")
        ),
        Form::Machine => {
            write!(out, r#"{{"loaded":"{name}","version":{version},"bytes":{bytes},"crc32":"{crc32:08x}"}}"#)
        }
    }
}

/// Confirms that the next boot tries a model.
pub fn activated(index: SlotIndex, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "all checks passed; `reset` starts the model in slot {}", index.name()),
        Form::Machine => write!(out, r#"{{"activated":"{}"}}"#, index.name()),
    }
}

/// Confirms that the next boot tries the previous model, or that an activation was cancelled.
pub fn rolled_back(index: SlotIndex, state: State, form: Form, out: &mut dyn Write) -> fmt::Result {
    match (form, state) {
        (Form::Human, State::Activated) => {
            write!(out, "`reset` returns to the previous model, in slot {}", index.name())
        }
        (Form::Human, _) => write!(out, "the activation of slot {} is cancelled", index.name()),
        (Form::Machine, _) => write!(out, r#"{{"rolled_back":"{}","state":"{}"}}"#, index.name(), state.name()),
    }
}

/// Confirms that a slot is empty.
pub fn erased(index: SlotIndex, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "slot {} is empty", index.name()),
        Form::Machine => write!(out, r#"{{"erased":"{}"}}"#, index.name()),
    }
}

/// Answers a request that failed.
pub fn request_failed(error: &RequestError, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "error: {error}"),
        Form::Machine => {
            write!(out, r#"{{"error":"{}","message":""#, error.code())?;
            // The message may quote names from an untrusted file.
            write!(Escaped(out), "{error}")?;
            write!(out, r#""}}"#)
        }
    }
}
