//! The console: reads lines and streamed texts from a port and answers them. `docs/console.md` specifies the protocol.
//!
//! [`Console::poll`] handles everything that the port has received. Bytes take one of two paths:
//!
//! * **Lines**: the [`Editor`] collects a line, [`crate::command::parse`] interprets it, and the answer follows at
//!   once.
//! * **Stream**: [`Stream`] separates text from control bytes, and the text goes straight to the runtime.
//!
//! In *machine mode* a program sends requests, and each answer is a line of JSON in a *frame*: a number and checksums.
//!
//! If the port has lost bytes, the line or text that they belonged to is *damaged*: the rest of it is discarded, and an
//! error replaces its answer.

mod dispatch;
mod lines;
mod lost_bytes;
mod streaming;

use core::fmt::{self, Write};

use heapless::Vec;

use crate::display::Form;
use crate::engine::{Engine, Sampling};
use crate::frame::{self, Frame};
use crate::info::{self, BoardInfo};
use crate::line::Editor;
use crate::loaded_model::Refusal;
use crate::log_level::Level;
use crate::port::{Event, Port, print};
use crate::request::PendingRequest;
use crate::stats::Stats;
use crate::stream::Stream;

/// The most streamed bytes that are read from the port and passed to the runtime at once.
const CHUNK: usize = 64;

/// A console on a port.
#[derive(Debug)]
pub struct Console<'m, P> {
    pub port: P,
    pub board: BoardInfo,
    /// The loaded model, or why none runs.
    engine: Result<Engine<'m>, Refusal>,
    mode: Mode,
    editor: Editor,
    /// Streamed text that the runtime has not read yet.
    pending: Vec<u8, CHUNK>,
    /// In machine mode, the frame of the next answer: its number and the checksum of its request. `None` outside
    /// machine mode.
    frame: Option<Frame>,
    /// True if typed characters are sent back.
    echo: bool,
    /// The setting of the command `color`: true if answers have colours. With `None`, the default `auto`, they have
    /// colours if `is_terminal` is true.
    colors: Option<bool>,
    /// True if a terminal has answered the query that
    /// [`ask_terminal_and_prompt`](Console::ask_terminal_and_prompt) sends.
    is_terminal: bool,
    /// The log level, which the command `log` sets.
    log_level: Level,
    /// The parameters for drawing a language model's next token.
    sampling: Sampling,
    stats: Stats,
    /// True if a prompt is on the terminal's current line; false if that line is empty, as after an answer in
    /// [`Form::Machine`].
    prompted: bool,
    /// The form of the last answer.
    last_form: Form,
    /// The loss of bytes in the line or text that is being received; `None` if none was lost.
    damage: Option<DamagedInput>,
    /// A request about the model slots, which the caller of [`run`](Console::run) fulfils.
    request: Option<PendingRequest>,
}

/// The path that received bytes take.
#[derive(Debug)]
enum Mode {
    Lines,
    Stream(Stream),
}

/// A loss of bytes in the line or text that is being received.
#[derive(Clone, Copy, Debug)]
struct DamagedInput {
    /// The number of lost bytes so far.
    lost: u32,
    /// The form of the error that replaces the answer.
    form: Form,
}

impl<'m, P: Port> Console<'m, P> {
    /// Makes a console, which prints nothing before [`start`](Console::start).
    pub fn new(port: P, board: BoardInfo, engine: Result<Engine<'m>, Refusal>) -> Self {
        // The memory that counts the boots also keeps the log level over a reset.
        let log_level = port.boots().map_or(Level::Info, |boots| boots.log_level);
        Console {
            port,
            board,
            engine,
            mode: Mode::Lines,
            editor: Editor::new(),
            pending: Vec::new(),
            frame: None,
            echo: true,
            colors: None,
            is_terminal: false,
            log_level,
            sampling: Sampling::default(),
            stats: Stats::default(),
            prompted: false,
            last_form: Form::Human,
            damage: None,
            request: None,
        }
    }

    /// Returns this console with another model. The port, the settings and the counters stay.
    pub fn with_model<'n>(self, engine: Result<Engine<'n>, Refusal>) -> Console<'n, P> {
        // The type changes with the model's lifetime, so each field is moved by itself.
        let Console { port, board, mode, editor, pending, frame, echo, colors, is_terminal, log_level, .. } = self;
        let Console { sampling, stats, prompted, last_form, damage, request, .. } = self;
        Console {
            port,
            board,
            engine,
            mode,
            editor,
            pending,
            frame,
            echo,
            colors,
            is_terminal,
            log_level,
            sampling,
            stats,
            prompted,
            last_form,
            damage,
            request,
        }
    }

    /// Returns this console without a model, which frees the scratch that the model borrowed.
    pub fn without_model(self) -> Console<'static, P> {
        // The reason is not shown: the caller sets the next model before the console reads lines again.
        self.with_model(Err(Refusal::Empty))
    }

    /// Serves the port until a command makes a request about the model slots, and returns the request. The caller
    /// fulfils it and calls [`answer`](Console::answer).
    pub fn run(&mut self) -> Result<PendingRequest, P::Error> {
        loop {
            self.poll()?;
            if let Some(request) = self.request.take() {
                return Ok(request);
            }
            self.port.wait();
        }
    }

    /// Answers the request that [`run`](Console::run) returned.
    pub fn answer(&mut self, form: Form, write: impl FnOnce(&mut dyn Write) -> fmt::Result) -> Result<(), P::Error> {
        frame::write_answer(&mut self.port, &mut self.frame, write)?;
        self.end_answer(form)
    }

    /// Prints the banner, then asks the terminal what it is and prints the first prompt.
    pub fn start(&mut self) -> Result<(), P::Error> {
        let Console { port, board, engine, .. } = self;
        print(port, |out| info::banner(board, engine.as_ref().map_err(|&refusal| refusal), out))?;
        self.ask_terminal_and_prompt()
    }

    /// Handles everything that the port has received, up to the next request that [`run`](Console::run) returns.
    pub fn poll(&mut self) -> Result<(), P::Error> {
        loop {
            let mut chunk = [0; CHUNK];
            // Bytes of lines are read one by one: the protocol states how many bytes can wait while a line is answered,
            // and bytes that were read before the answer would make room for more.
            let max_bytes = if matches!(self.mode, Mode::Stream(_)) { CHUNK } else { 1 };
            if self.port.read_ready()? {
                let length = self.port.read(&mut chunk[..max_bytes]);
                self.handle(&chunk[..length])?;
                if self.request.is_some() {
                    return Ok(());
                }
            } else if let Some(lost) = self.port.take_lost_bytes() {
                self.report_lost_bytes(lost)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Handles received bytes in the current mode.
    fn handle(&mut self, bytes: &[u8]) -> Result<(), P::Error> {
        for &byte in bytes {
            match self.mode {
                Mode::Lines => self.take_line_byte(byte)?,
                Mode::Stream(_) => self.take_stream_byte(byte)?,
            }
        }
        self.feed_pending()
    }

    /// Logs an event if the log level includes it.
    fn log_event(&mut self, event: Event) {
        if event.level() <= self.log_level {
            self.port.log_event(event);
        }
    }
}

#[cfg(test)]
mod tests;
