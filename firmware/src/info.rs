//! What the device is: `info`, and the lines at its start.

use core::fmt::{self, Write};

use tern_runtime::{Config, Input, Task};

use crate::classifier::{Classifier, Refusal};
use crate::command::Form;
use crate::text::{Counted, Escaped, Json, Plain};
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
            let (name, kind) = (Plain(model.name()), Kind(config));
            let (bytes, crc32) = (classifier.file_bytes(), classifier.crc32());
            write!(out, "model `{name}`: {kind}, {bytes} bytes, crc32 {crc32:08x}\r\n")?;
        }
        Err(refusal) => write!(out, "error: no model: {refusal}\r\n")?,
    }
    let what = match loaded.map(|classifier| (classifier.model().config().task, classifier.model().config().input)) {
        Ok((Task::LanguageModel, _)) => "a text and Enter to see what may come next",
        Ok((Task::Forecast, _)) => "numbers and Enter to see what follows",
        Ok((Task::Classify, Input::Values)) => "numbers and Enter to classify them",
        Ok((Task::Classify, Input::Tokens)) | Err(_) => "a text and Enter to classify it",
    };
    write!(out, "type {what}; `help` lists the commands\r\n")
}

/// What a model gives, and what it reads.
struct Kind<'c>(&'c Config);

impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { task, input, classes, vocab_size, embedding_dim, .. } = *self.0;
        match task {
            Task::Classify => write!(f, "{classes} classes, ")?,
            Task::LanguageModel => f.write_str("language model, ")?,
            Task::Forecast => write!(f, "forecast of {}, ", Counted(classes as u64, "value"))?,
        }
        match input {
            Input::Tokens => write!(f, "{}", Counted(vocab_size as u64, "token")),
            Input::Values => write!(f, "{}", Counted(embedding_dim as u64, "channel")),
        }
    }
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
            write!(out, "format {}, {golden} golden texts\r\n", tern_runtime::FORMAT)?;
            write!(out, "kind        {}\r\n", Kind(config))?;
            if config.input == Input::Tokens {
                write!(out, "embedding   {}\r\n", config.embedding_dim)?;
            }
            write!(out, "hidden      {}\r\n", config.hidden_size)?;
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
            write!(out, r#""bytes":{},"format":{},"#, classifier.file_bytes(), tern_runtime::FORMAT)?;
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
