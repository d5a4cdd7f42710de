//! The console: lines and streamed texts in, answers out. `docs/console.md` is its contract.
//!
//! [`Console::poll`] works off what the port has received. Bytes go one of two ways:
//!
//! * **Lines**: the [`Editor`] makes a line of them, [`command::parse`] says what the line means, and the answer follows at once.
//! * **Stream**: [`Stream`] tells text from controls, and text goes straight to the runtime.
//!
//! Where the port lost bytes, the line or text that they belonged to is *damaged*: its rest is discarded, and an error takes the
//! place of its answer.

use core::mem;

use heapless::Vec;

use crate::answer;
use crate::classifier::{Answer, Classifier, Refusal};
use crate::command::{self, Command, Form, Line};
use crate::error::Error;
use crate::info::{self, Board};
use crate::line::{Edit, Editor};
use crate::port::{Event, Loss, Port};
use crate::stream::{ACK, Stream, Symbol};
use crate::terminal::{print, show};

/// Streamed bytes taken from the port and handed to the runtime at once.
const CHUNK: usize = 64;

const PROMPT: &str = "> ";

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
    /// Whether typed characters are sent back.
    echo: bool,
    /// The prompt stands on the current line of the terminal. If not, the cursor is at a line's beginning: the console is quiet.
    prompted: bool,
    /// The form of the last answer.
    form: Form,
    damage: Option<Damage>,
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
        Console {
            port,
            board,
            model,
            mode: Mode::Lines,
            editor: Editor::new(),
            pending: Vec::new(),
            echo: true,
            prompted: false,
            form: Form::Human,
            damage: None,
        }
    }

    /// Says what the device is, and serves the port for ever.
    ///
    /// # Errors
    /// Those of the port.
    pub fn run(&mut self) -> Result<core::convert::Infallible, P::Error> {
        self.start()?;
        loop {
            self.poll()?;
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
        self.prompt()
    }

    /// Works off all that the port has received.
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
        self.feed_pending();
        Ok(())
    }

    // ---- lines ----

    fn take_line_byte(&mut self, byte: u8) -> Result<(), P::Error> {
        if self.damage.is_some() {
            return self.discard(byte);
        }
        match self.editor.push(byte) {
            Edit::None => Ok(()),
            Edit::Typed(byte) => {
                if !self.prompted && self.editor.kept().len() == 1 && byte != b'@' {
                    self.prompt()?;
                }
                self.show(&[byte])
            }
            Edit::Erased => self.show(b"\x08 \x08"),
            Edit::Redraw if self.prompted && self.echo => {
                // Carriage return, "erase to the end of the line".
                self.port.write_all(b"\r\x1b[K")?;
                self.port.write_all(PROMPT.as_bytes())?;
                show(&mut self.port, self.editor.kept())
            }
            Edit::Redraw => Ok(()),
            Edit::Abandoned => {
                self.port.write_all(b"^C\r\n")?;
                self.prompt()
            }
            Edit::Complete => {
                self.end_prompt()?;
                let form = command::form(self.editor.kept());
                match self.editor.take() {
                    Ok(line) => self.answer_line(&line),
                    Err(too_long) => {
                        self.port.note(Event::LineTooLong { bytes: too_long.0 });
                        self.fail(Error::LineTooLong { bytes: too_long.0 }, form)
                    }
                }
            }
        }
    }

    fn answer_line(&mut self, line: &[u8]) -> Result<(), P::Error> {
        match command::parse(line) {
            Line::Empty => self.prompt(),
            Line::Text(text) => self.obey(Command::Classify(text), Form::Human),
            Line::Command(form, command) => self.obey(command, form),
            Line::Misfit(entry) => self.fail(Error::Usage(entry), Form::Machine),
        }
    }

    fn obey(&mut self, command: Command<'_>, form: Form) -> Result<(), P::Error> {
        let Console { port, board, model, .. } = self;
        match (command, model) {
            (Command::Help, _) => print(port, |out| answer::help(form, out))?,
            (Command::Info, model) => {
                print(port, |out| info::info(board, model.as_ref().map_err(|&refusal| refusal), form, out))?;
            }
            (Command::Echo(on), _) => {
                self.echo = on;
                print(port, |out| answer::echo(on, form, out))?;
            }
            (_, Err(refusal)) => {
                let error = Error::NoModel(*refusal);
                return self.fail(error, form);
            }
            (Command::Labels, Ok(classifier)) => print(port, |out| answer::labels(classifier, form, out))?,
            (Command::Classify(text), Ok(classifier)) => {
                let answer = classifier.classify(text, port);
                if let Some(too_long) = answer.too_long {
                    return self.fail(Error::TooLong(too_long), form);
                }
                print(port, |out| answer::classification(classifier, answer, form, out))?;
            }
            (Command::Top { n, text }, Ok(classifier)) => {
                let answer = text.map(|text| classifier.classify(text, port)).or(classifier.last());
                match answer {
                    Some(Answer { too_long: Some(too_long), .. }) => return self.fail(Error::TooLong(too_long), form),
                    Some(answer) => print(port, |out| answer::top(classifier, answer, n, form, out))?,
                    None => return self.fail(Error::NoText, form),
                }
            }
            (Command::Selftest, Ok(classifier)) => {
                let result = classifier.self_test(port);
                port.note(Event::SelfTest { exact: result.exact, golden: result.golden });
                print(port, |out| answer::self_test(&result, form, out))?;
            }
            (Command::Stream, Ok(_)) => {
                self.mode = Mode::Stream(Stream::new(form, self.editor.ended_with_cr()));
                print(port, |out| answer::stream_entered(form, out))?;
            }
        }
        self.end_answer(form)
    }

    // ---- streamed texts ----

    fn take_stream_byte(&mut self, byte: u8) -> Result<(), P::Error> {
        let Mode::Stream(stream) = &mut self.mode else { return Ok(()) };
        if stream.is_line_end(byte) {
            return Ok(());
        }
        let acks = stream.consume(1);
        self.acknowledge(acks)?;
        if self.damage.is_some() {
            return self.discard(byte);
        }
        let Mode::Stream(stream) = &mut self.mode else { return Ok(()) };
        match stream.decode(byte) {
            Symbol::Nothing => Ok(()),
            Symbol::Byte(byte) => {
                if self.pending.is_full() {
                    self.feed_pending();
                }
                // There is room: it was full or it was not.
                let _ = self.pending.push(byte);
                Ok(())
            }
            Symbol::End => self.end_text(),
            Symbol::Abandon => self.abandon_text(),
            Symbol::Leave => self.leave_stream(),
        }
    }

    /// Hands streamed bytes to the runtime; the first begin a text.
    fn feed_pending(&mut self) {
        let Console { port, model: Ok(classifier), mode: Mode::Stream(stream), pending, .. } = self else { return };
        if pending.is_empty() {
            return;
        }
        if stream.text.is_none() {
            classifier.begin();
        }
        classifier.feed(pending, port);
        stream.text = Some(stream.text.unwrap_or(0) + pending.len() as u64);
        pending.clear();
    }

    fn end_text(&mut self) -> Result<(), P::Error> {
        self.feed_pending();
        let Console { port, model: Ok(classifier), mode: Mode::Stream(stream), .. } = self else { return Ok(()) };
        if stream.text.take().is_none() {
            classifier.begin();
        }
        let answer = classifier.finish(port);
        stream.texts += 1;
        let form = stream.form;
        if let Some(too_long) = answer.too_long {
            return self.fail(Error::TooLong(too_long), form);
        }
        print(port, |out| answer::classification(classifier, answer, form, out))?;
        self.end_answer(form)
    }

    fn abandon_text(&mut self) -> Result<(), P::Error> {
        self.feed_pending();
        let Console { port, mode: Mode::Stream(stream), .. } = self else { return Ok(()) };
        let (bytes, form) = (stream.text.take().unwrap_or(0), stream.form);
        print(port, |out| answer::text_abandoned(bytes, form, out))?;
        self.end_answer(form)
    }

    fn leave_stream(&mut self) -> Result<(), P::Error> {
        // The text under way becomes the classifier's abandoned one.
        self.feed_pending();
        let Mode::Stream(stream) = mem::replace(&mut self.mode, Mode::Lines) else { return Ok(()) };
        self.editor = Editor::new();
        print(&mut self.port, |out| answer::stream_left(&stream, out))?;
        self.end_answer(stream.form)
    }

    fn acknowledge(&mut self, acks: u64) -> Result<(), P::Error> {
        (0..acks).try_for_each(|_| self.port.write_all(&[ACK]))
    }

    // ---- lost bytes ----

    /// The port dropped bytes behind all that was taken so far.
    fn lose(&mut self, loss: Loss) -> Result<(), P::Error> {
        let form = match &self.mode {
            Mode::Stream(stream) => stream.form,
            Mode::Lines if self.editor.kept().is_empty() => self.form,
            Mode::Lines => command::form(self.editor.kept()),
        };
        let damage = self.damage.get_or_insert(Damage { lost: 0, form });
        damage.lost = damage.lost.saturating_add(loss.bytes);
        self.editor.clear();
        self.pending.clear();
        if let Mode::Stream(stream) = &mut self.mode {
            stream.text = None;
            let acks = stream.consume(loss.bytes);
            self.acknowledge(acks)?;
        }
        self.discard(loss.last)
    }

    /// Takes a byte of a damaged line or text, and reports the damage if that was its end.
    fn discard(&mut self, byte: u8) -> Result<(), P::Error> {
        let symbol = match &mut self.mode {
            Mode::Stream(stream) => stream.decode_damaged(byte),
            Mode::Lines if Editor::ends(byte) => {
                // The editor must know of a CR, lest an LF that follows be a second end.
                self.editor.push(byte);
                Symbol::End
            }
            Mode::Lines => Symbol::Nothing,
        };
        if matches!(symbol, Symbol::Nothing | Symbol::Byte(_)) {
            return Ok(());
        }
        if let Some(Damage { lost, form }) = self.damage.take() {
            self.port.note(Event::Overflow { lost });
            self.end_prompt()?;
            self.fail(Error::Overflow { lost }, form)?;
        }
        if symbol == Symbol::Leave { self.leave_stream() } else { Ok(()) }
    }

    // ---- the terminal ----

    fn fail(&mut self, error: Error, form: Form) -> Result<(), P::Error> {
        print(&mut self.port, |out| error.write(form, out))?;
        self.end_answer(form)
    }

    /// Ends an answer's line; a person is asked for the next.
    fn end_answer(&mut self, form: Form) -> Result<(), P::Error> {
        self.form = form;
        self.port.write_all(b"\r\n")?;
        if form == Form::Human && matches!(self.mode, Mode::Lines) { self.prompt() } else { Ok(()) }
    }

    fn prompt(&mut self) -> Result<(), P::Error> {
        self.prompted = true;
        self.port.write_all(PROMPT.as_bytes())
    }

    /// Puts the cursor at the beginning of a line.
    fn end_prompt(&mut self) -> Result<(), P::Error> {
        if mem::take(&mut self.prompted) { self.port.write_all(b"\r\n") } else { Ok(()) }
    }

    /// Echoes, where there is a person who wants it.
    fn show(&mut self, bytes: &[u8]) -> Result<(), P::Error> {
        if self.prompted && self.echo { show(&mut self.port, bytes) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
