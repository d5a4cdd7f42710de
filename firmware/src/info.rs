//! What the device is: `info`, and the lines at its start.

use core::fmt::{self, Write};

use tern_runtime::Model;

use crate::classifier::{Classifier, Refusal};
use crate::command::Form;
use crate::text::{Escaped, Json, Plain};
use crate::{line, queue};

/// Version of the protocol in `docs/console.md`.
pub const PROTOCOL: u32 = 2;

/// Version of this firmware.
pub const FIRMWARE: &str = env!("CARGO_PKG_VERSION");

/// What a board says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// Its name.
    pub name: &'static str,
    /// Frequency of the ticks.
    pub clock_hz: u32,
    /// Scratch for a model's state, in bytes.
    pub scratch_bytes: usize,
}

/// The model that a device has, or why it has none.
pub type Loaded<'a, 'm> = Result<&'a Classifier<'m>, Refusal>;

/// Three lines at the start.
pub fn banner(board: &Board, loaded: Loaded<'_, '_>, out: &mut dyn Write) -> fmt::Result {
    write!(out, "\r\ntern {FIRMWARE} on {}\r\n", board.name)?;
    match loaded {
        Ok(classifier) => {
            let (model, config) = (classifier.model(), classifier.model().config());
            let (name, classes, ids) = (Plain(model.name()), config.classes, config.vocab_size);
            let (bytes, crc32) = (classifier.file_bytes(), classifier.crc32());
            write!(out, "model `{name}`: {classes} classes, {ids} tokens, {bytes} bytes, crc32 {crc32:08x}\r\n")?;
        }
        Err(refusal) => write!(out, "error: no model: {refusal}\r\n")?,
    }
    write!(out, "type a text and Enter to classify it; `help` lists the commands\r\n")
}

/// The answer to `info`.
pub fn info(board: &Board, loaded: Loaded<'_, '_>, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => human(board, loaded, out),
        Form::Machine => machine(board, loaded, out),
    }
}

fn human(board: &Board, loaded: Loaded<'_, '_>, out: &mut dyn Write) -> fmt::Result {
    match loaded {
        Ok(classifier) => {
            let (model, config) = (classifier.model(), classifier.model().config());
            let golden = model.golden().count();
            write!(out, "model       {}\r\n", Plain(model.name()))?;
            write!(out, "file        {} bytes, crc32 {:08x}, ", classifier.file_bytes(), classifier.crc32())?;
            write!(out, "format {}, {golden} golden texts\r\n", Model::FORMAT)?;
            write!(out, "vocabulary  {}\r\nembedding   {}\r\n", config.vocab_size, config.embedding_dim)?;
            write!(out, "hidden      {}\r\nclasses     {}\r\n", config.hidden_size, config.classes)?;
        }
        Err(refusal) => write!(out, "model       none: {refusal}\r\n")?,
    }
    write!(out, "firmware    {FIRMWARE}, protocol {PROTOCOL}\r\n")?;
    write!(out, "board       {}, {} Hz\r\n", board.name, board.clock_hz)?;
    let used = loaded.map_or(0, Classifier::scratch_used);
    write!(out, "scratch     {used} of {} bytes\r\n", board.scratch_bytes)?;
    write!(out, "queue       {} bytes, line {} bytes", queue::CAPACITY, line::LIMIT)
}

fn machine(board: &Board, loaded: Loaded<'_, '_>, out: &mut dyn Write) -> fmt::Result {
    let Board { name, clock_hz, scratch_bytes } = *board;
    write!(out, r#"{{"protocol":{PROTOCOL},"firmware":"{FIRMWARE}","board":{},"clock_hz":{clock_hz},"#, Json(name))?;
    write!(out, r#""queue_bytes":{},"line_bytes":{},"#, queue::CAPACITY, line::LIMIT)?;
    write!(out, r#""scratch_available":{scratch_bytes},"model":"#)?;
    match loaded {
        Ok(classifier) => {
            let (model, config) = (classifier.model(), classifier.model().config());
            write!(out, r#"{{"name":{},"crc32":"{:08x}","#, Json(model.name()), classifier.crc32())?;
            write!(out, r#""bytes":{},"format":{},"#, classifier.file_bytes(), Model::FORMAT)?;
            write!(out, r#""vocabulary":{},"embedding":{},"#, config.vocab_size, config.embedding_dim)?;
            write!(out, r#""hidden":{},"classes":{},"#, config.hidden_size, config.classes)?;
            let (golden, used) = (model.golden().count(), classifier.scratch_used());
            write!(out, r#""golden":{golden},"scratch_used":{used}}},"model_error":null}}"#)
        }
        Err(refusal) => {
            write!(out, r#"null,"model_error":""#)?;
            write!(Escaped(out), "{refusal}")?;
            write!(out, r#""}}"#)
        }
    }
}
