//! The console: lines and streamed texts in, answers out. `docs/console.md` is its contract.
//!
//! [`Console::poll`] works off what the port has received. Bytes go one of two ways:
//!
//! * **Lines**: the [`Editor`] makes a line of them, [`crate::command::parse`] says what the line means, and the answer follows at once.
//! * **Stream**: [`Stream`] tells text from controls, and text goes straight to the runtime.
//!
//! Where the port lost bytes, the line or text that they belonged to is *damaged*: its rest is discarded, and an error takes the
//! place of its answer.

mod lines;
mod loss;
mod models;
mod obey;
mod streaming;

use heapless::Vec;

use crate::classifier::{Classifier, Refusal, Sampling};
use crate::command::Form;
use crate::frame::Frame;
use crate::info::{self, Board};
use crate::line::Editor;
use crate::models::Wanted;
use crate::port::{Event, Level, Port};
use crate::stats::Stats;
use crate::stream::Stream;
use crate::terminal::print;

/// Streamed bytes taken from the port and handed to the runtime at once.
const CHUNK: usize = 64;

/// A console on a port.
#[derive(Debug)]
pub struct Console<'m, P> {
    port: P,
    board: Board,
    model: Result<Classifier<'m>, Refusal>,
    mode: Mode,
    editor: Editor,
    /// Streamed bytes that are text, not yet fed.
    pending: Vec<u8, CHUNK>,
    /// In machine mode: the frame of the next answer.
    frame: Option<Frame>,
    /// Whether typed characters are sent back.
    echo: bool,
    /// Whether a person's terminal shows colours; none: if it says so.
    colors: Option<bool>,
    /// The terminal answered.
    is_terminal: bool,
    /// What goes to the log.
    level: Level,
    /// How a language model's tokens are drawn.
    sampling: Sampling,
    stats: Stats,
    /// The prompt stands on the current line of the terminal. If not, the cursor is at a line's beginning: the console is quiet.
    prompted: bool,
    /// The form of the last answer.
    form: Form,
    damage: Option<Damage>,
    /// Something is asked that the console cannot do alone.
    wanted: Option<Wanted>,
}

#[derive(Debug)]
enum Mode {
    Lines,
    Stream(Stream),
}

/// The line or text under way lacks bytes.
#[derive(Clone, Copy, Debug)]
struct Damage {
    lost: u32,
    form: Form,
}

impl<'m, P: Port> Console<'m, P> {
    /// A console; it says nothing yet.
    pub fn new(port: P, board: Board, model: Result<Classifier<'m>, Refusal>) -> Self {
        let level = port.starts().map_or(Level::Info, |starts| starts.level);
        Console {
            port,
            board,
            model,
            mode: Mode::Lines,
            editor: Editor::new(),
            pending: Vec::new(),
            frame: None,
            echo: true,
            colors: None,
            is_terminal: false,
            level,
            sampling: Sampling::default(),
            stats: Stats::default(),
            prompted: false,
            form: Form::Human,
            damage: None,
            wanted: None,
        }
    }

    /// Serves the port until something is asked about the models in the slots.
    ///
    /// # Errors
    /// Those of the port.
    pub fn run(&mut self) -> Result<Wanted, P::Error> {
        loop {
            self.poll()?;
            if let Some(wanted) = self.wanted.take() {
                return Ok(wanted);
            }
            self.port.wait();
        }
    }

    /// Says what the device is.
    ///
    /// # Errors
    /// Those of the port.
    pub fn start(&mut self) -> Result<(), P::Error> {
        let Console { port, board, model, .. } = self;
        print(port, |out| info::banner(board, model.as_ref().map_err(|&refusal| refusal), out))?;
        self.ask_terminal()
    }

    /// Works off all that the port has received, or as much as comes before a question that [`run`](Console::run) ends with.
    ///
    /// # Errors
    /// Those of the port.
    pub fn poll(&mut self) -> Result<(), P::Error> {
        loop {
            let mut chunk = [0; CHUNK];
            // A line's bytes are taken one by one: what waits must stand in the queue, whose size is a promise.
            let room = if matches!(self.mode, Mode::Stream(_)) { CHUNK } else { 1 };
            if self.port.read_ready()? {
                let length = self.port.read(&mut chunk[..room])?;
                self.take(&chunk[..length])?;
                if self.wanted.is_some() {
                    return Ok(());
                }
            } else if let Some(loss) = self.port.take_loss() {
                self.lose(loss)?;
            } else {
                return Ok(());
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), P::Error> {
        for &byte in bytes {
            match self.mode {
                Mode::Lines => self.take_line_byte(byte)?,
                Mode::Stream(_) => self.take_stream_byte(byte)?,
            }
        }
        self.feed_pending()
    }

    fn note(&mut self, event: Event) {
        if event.level() <= self.level {
            self.port.note(event);
        }
    }
}

#[cfg(test)]
mod tests;
