//! What is said about models, for a person and for a program.

use core::fmt::{self, Write};

use super::Refused;
use crate::command::Form;
use crate::flash::Partition;
use crate::slots::{Index, News, Slot, Slots, State, Store};
use crate::text::{Counted, Escaped, list};

const UNSIGNED: &str = "no key is built in: models are accepted unsigned";

/// What a boot found out, a line each; and whether anybody's models are taken.
pub fn at_start(news: &[News], wants_signature: bool, out: &mut dyn Write) -> fmt::Result {
    // Each line begins one: what stands on the terminal is not known, and what follows begins one too.
    if !wants_signature {
        write!(out, "\r\n{UNSIGNED}")?;
    }
    news.iter().try_for_each(|news| match news {
        News::Trial(index) => write!(out, "\r\nslot {}: its model is on trial", index.name()),
        News::FellBack(index, reason) => {
            write!(out, "\r\nslot {}: back to the model before: {reason}", index.name())
        }
        News::Damaged(index, reason) => write!(out, "\r\nslot {}: its model does not serve: {reason}", index.name()),
    })
}

/// The slots.
pub fn models<P: Partition, S: Store>(slots: &Slots<P, S>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let (record, serving) = (slots.record(), slots.serving());
    let lines = Index::ALL.map(|index| Line { index, slot: record.slot(index), serves: serving == Some(index), form });
    match form {
        Form::Human => {
            lines.iter().try_for_each(|line| write!(out, "{line}\r\n"))?;
            match slots.wants_signature() {
                true => write!(out, "models must be signed; versions below {} are refused", record.floor),
                false => out.write_str(UNSIGNED),
            }
        }
        Form::Machine => {
            write!(out, r#"{{"slots":["#)?;
            list(out, lines.iter())?;
            let (floor, signed, bytes) = (record.floor, slots.wants_signature(), slots.capacity());
            write!(out, r#"],"floor":{floor},"signed":{signed},"slot_bytes":{bytes}}}"#)
        }
    }
}

struct Line<'s> {
    index: Index,
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
            (_, 0) => write!(f, "  as a flasher wrote it"),
            _ => write!(f, "  version {version}  {bytes} bytes  crc32 {crc32:08x}"),
        }
    }
}

/// Asks for the sender.
pub fn invitation(index: Index, out: &mut dyn Write) -> fmt::Result {
    write!(out, "send a model by YMODEM now; it goes to slot {}. Ctrl-C before it begins gives up\r\n", index.name())
}

/// A model was received.
pub fn loaded(index: Index, slot: &Slot, form: Form, out: &mut dyn Write) -> fmt::Result {
    let (name, Slot { version, bytes, crc32, .. }) = (index.name(), *slot);
    match form {
        Form::Human => write!(
            out,
            "received {}, crc32 {crc32:08x}, version {version}, in slot {name}; `activate` and `reset` put it to work",
            Counted(bytes.into(), "byte")
        ),
        Form::Machine => {
            write!(out, r#"{{"loaded":"{name}","version":{version},"bytes":{bytes},"crc32":"{crc32:08x}"}}"#)
        }
    }
}

/// A model is to be tried.
pub fn activated(index: Index, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "all checks passed; after `reset` slot {} is on trial", index.name()),
        Form::Machine => write!(out, r#"{{"activated":"{}"}}"#, index.name()),
    }
}

/// The model before is to be tried, or an activation was taken back.
pub fn rolled_back(index: Index, state: State, form: Form, out: &mut dyn Write) -> fmt::Result {
    match (form, state) {
        (Form::Human, State::Activated) => {
            write!(out, "back to slot {}: after `reset` it is on trial", index.name())
        }
        (Form::Human, _) => write!(out, "the activation of slot {} is taken back", index.name()),
        (Form::Machine, _) => write!(out, r#"{{"rolled_back":"{}","state":"{}"}}"#, index.name(), state.name()),
    }
}

/// A slot is empty now.
pub fn erased(index: Index, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "slot {} is empty", index.name()),
        Form::Machine => write!(out, r#"{{"erased":"{}"}}"#, index.name()),
    }
}

/// It was not done.
pub fn refused(refused: &Refused, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "error: {refused}"),
        Form::Machine => {
            write!(out, r#"{{"error":"{}","message":""#, refused.code())?;
            // A message may hold names from a stranger's file.
            write!(Escaped(out), "{refused}")?;
            write!(out, r#""}}"#)
        }
    }
}
