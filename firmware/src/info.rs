//! The banner at the start and the answer to `info`: model, firmware and board.

use core::fmt::{self, Write};

use tern_runtime::{Config, Input, Task};

use crate::display::{Counted, Escaped, Form, Json, Visible};
use crate::engine::Engine;
use crate::features::TASKS;
use crate::loaded_model::Refusal;
use crate::{line, queue};

/// Version of the console's protocol, which `docs/console.md` specifies.
pub const PROTOCOL: u32 = 2;

/// Version of this firmware.
pub const FIRMWARE: &str = env!("CARGO_PKG_VERSION");

/// The board's name and sizes.
#[derive(Clone, Copy, Debug)]
pub struct BoardInfo {
    /// The name.
    pub name: &'static str,
    /// Frequency of the counter [`Port::ticks`](crate::port::Port::ticks), in Hz.
    pub clock_hz: u32,
    /// RAM reserved for a model's state, in bytes.
    pub scratch_bytes: usize,
}

/// The loaded model, or the reason why none runs.
pub type Loaded<'a, 'm> = Result<&'a Engine<'m>, Refusal>;

/// Writes the banner, three lines: firmware and board, model, and a hint. A line end comes first, since the terminal's
/// cursor may be anywhere in a line.
pub fn banner(board: &BoardInfo, loaded: Loaded<'_, '_>, out: &mut dyn Write) -> fmt::Result {
    write!(out, "\r\ntern {FIRMWARE} on {}\r\n", board.name)?;
    match loaded {
        Ok(engine) => {
            let (model, config) = (engine.model(), engine.model().config());
            let (name, kind) = (Visible(model.name()), Kind(config));
            let (bytes, crc32) = (engine.file_bytes(), engine.crc32());
            write!(out, "model `{name}`: {kind}, {bytes} bytes, crc32 {crc32:08x}\r\n")?;
        }
        Err(refusal) => write!(out, "error: no model: {refusal}\r\n")?,
    }
    // Without a model, the hint is that for a classifier of texts.
    let hint = match loaded.map(|engine| (engine.task(), engine.model().config().input)) {
        Ok((Task::LanguageModel, _)) if TASKS => "a text and Enter for the next tokens",
        Ok((Task::Forecast, _)) if TASKS => "numbers and Enter for a forecast",
        Ok((_, Input::Values)) if TASKS => "numbers and Enter to classify them",
        _ => "a text and Enter to classify it",
    };
    write!(out, "type {hint}; `help` lists the commands\r\n")
}

/// Displays the kind of a model: what it predicts and what it reads, such as `2 classes, 600 tokens`.
struct Kind<'c>(&'c Config);

impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `classes` is the number of outputs for every task. If the model reads values, `embedding_dim` is the number
        // of channels.
        let Config { task, input, classes, vocab_size, embedding_dim, .. } = *self.0;
        match task {
            Task::LanguageModel if TASKS => f.write_str("language model, ")?,
            Task::Forecast if TASKS => write!(f, "forecast of {}, ", Counted(classes as u64, "value"))?,
            _ => write!(f, "{classes} classes, ")?,
        }
        match input {
            Input::Values if TASKS => write!(f, "{}", Counted(embedding_dim as u64, "channel")),
            _ => write!(f, "{}", Counted(vocab_size as u64, "token")),
        }
    }
}

/// Writes the answer to `info`, without the end of its last line: the caller adds it.
pub fn info(board: &BoardInfo, loaded: Loaded<'_, '_>, form: Form, out: &mut dyn Write) -> fmt::Result {
    if form == Form::Machine {
        return info_json(board, loaded, out);
    }
    match loaded {
        Ok(engine) => {
            let (model, config) = (engine.model(), engine.model().config());
            let golden = model.golden().count();
            write!(out, "model       {}\r\n", Visible(model.name()))?;
            write!(out, "file        {} bytes, crc32 {:08x}, ", engine.file_bytes(), engine.crc32())?;
            write!(out, "format {}, {golden} golden examples\r\n", tern_runtime::FORMAT)?;
            write!(out, "kind        {}\r\n", Kind(config))?;
            if config.input == Input::Tokens {
                write!(out, "embedding   {}\r\n", config.embedding_dim)?;
            }
            write!(out, "hidden      {}\r\n", config.hidden_size)?;
        }
        Err(refusal) => write!(out, "model       none: {refusal}\r\n")?,
    }
    write!(out, "firmware    {FIRMWARE}, protocol {PROTOCOL}\r\n")?;
    write!(out, "board       {}, {} ticks a second\r\n", board.name, board.clock_hz)?;
    let used_bytes = loaded.map_or(0, Engine::scratch_bytes);
    write!(out, "RAM         {used_bytes} of {} bytes for the model's state\r\n", board.scratch_bytes)?;
    write!(out, "queue       {} bytes, line {} bytes", queue::CAPACITY, line::LIMIT)
}

/// Writes the answer to `info` as JSON.
fn info_json(board: &BoardInfo, loaded: Loaded<'_, '_>, out: &mut dyn Write) -> fmt::Result {
    let BoardInfo { name, clock_hz, scratch_bytes } = *board;
    write!(out, r#"{{"protocol":{PROTOCOL},"firmware":"{FIRMWARE}","board":{},"clock_hz":{clock_hz},"#, Json(name))?;
    write!(out, r#""queue_bytes":{},"line_bytes":{},"#, queue::CAPACITY, line::LIMIT)?;
    write!(out, r#""scratch_available":{scratch_bytes},"model":"#)?;
    match loaded {
        Ok(engine) => {
            let (model, config) = (engine.model(), engine.model().config());
            write!(out, r#"{{"name":{},"crc32":"{:08x}","#, Json(model.name()), engine.crc32())?;
            write!(out, r#""bytes":{},"format":{},"#, engine.file_bytes(), tern_runtime::FORMAT)?;
            write!(out, r#""vocabulary":{},"embedding":{},"#, config.vocab_size, config.embedding_dim)?;
            write!(out, r#""hidden":{},"classes":{},"#, config.hidden_size, config.classes)?;
            let (golden, used) = (model.golden().count(), engine.scratch_bytes());
            write!(out, r#""golden":{golden},"scratch_used":{used}}},"model_error":null}}"#)
        }
        Err(refusal) => {
            write!(out, r#"null,"model_error":""#)?;
            write!(Escaped(out), "{refusal}")?;
            write!(out, r#""}}"#)
        }
    }
}
