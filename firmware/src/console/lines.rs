//! Handles lines: passes received bytes to the editor, shows the change of the line, and begins each answer on a new
//! line. In machine mode (`frame` is not `None`) lines are not edited and nothing is shown.

use core::mem;

use tern_runtime::Task;

use super::{Console, Mode};
use crate::command;
use crate::completion::completion;
use crate::console_error::ConsoleError;
use crate::display::{Form, Terminal};
use crate::engine::Engine;
use crate::features::{COLORS, EDITING};
use crate::frame;
use crate::line::{ASK_TERMINAL, Edit};
use crate::port::{Event, Port, print, write_visible};

/// The prompt before each line of a person.
const PROMPT: &[u8] = b"> ";

impl<P: Port> Console<'_, P> {
    /// Handles a byte that was received outside the streaming mode.
    pub(super) fn take_line_byte(&mut self, byte: u8) -> Result<(), P::Error> {
        if self.damage.is_some() {
            return self.discard(byte);
        }
        let edit = match &mut self.frame {
            None => self.editor.push(byte),
            Some(frame) => {
                let edit = self.editor.push_raw(byte);
                match edit {
                    Edit::Typed(_) => frame.add_request(&[byte]),
                    Edit::Abandoned => frame.clear_request(),
                    _ => (),
                }
                edit
            }
        };
        match edit {
            Edit::None => Ok(()),
            Edit::Typed(byte) => self.typed(byte),
            Edit::Erased => self.show(b"\x08 \x08"),
            Edit::Back => self.show(b"\x08"),
            Edit::Over(byte) => self.show(&[byte]),
            Edit::Redraw => self.redraw(),
            Edit::Tab => self.complete(),
            Edit::Terminal => {
                self.is_terminal = true;
                Ok(())
            }
            Edit::Abandoned if self.frame.is_some() => Ok(()),
            Edit::Abandoned => {
                self.port.write_all(b"^C\r\n")?;
                self.prompt()
            }
            Edit::Complete => self.end_line(),
        }
    }

    /// Answers the complete line in the editor.
    fn end_line(&mut self) -> Result<(), P::Error> {
        self.end_prompt()?;
        let form = self.line_form();
        match self.editor.take() {
            Ok(line) => {
                if form == Form::Human {
                    self.editor.remember(&line);
                }
                self.answer_line(&line)
            }
            Err(too_long) => {
                self.stats.rejected = self.stats.rejected.wrapping_add(1);
                self.log_event(Event::LineTooLong { bytes: too_long.0 });
                self.fail(ConsoleError::LineTooLong { bytes: too_long.0 }, form)
            }
        }
    }

    /// The form of the answer to the line being typed.
    pub(super) fn line_form(&self) -> Form {
        if self.frame.is_some() { Form::Machine } else { command::form_of(self.editor.line()) }
    }

    /// Shows a byte that was added to the end of the line; the first byte of a person's line brings the prompt back.
    fn typed(&mut self, byte: u8) -> Result<(), P::Error> {
        if self.frame.is_none() && !self.prompted && self.editor.line().len() == 1 && byte != b'@' {
            self.prompt()?;
        }
        self.show(&[byte])
    }

    /// Handles a TAB at the end of the line: completes the command or argument as far as its possible continuations
    /// agree, or else lists them. Inserts the TAB if there are none.
    fn complete(&mut self) -> Result<(), P::Error> {
        if !EDITING {
            return self.insert(b'\t');
        }
        let task = self.task();
        let possible = completion(self.editor.line(), task);
        let (common, count) = possible.common();
        match (count, common) {
            (0, _) => self.insert(b'\t'),
            (2.., "") if self.prompted && self.echo => {
                let Console { port, editor, .. } = self;
                print(port, |out| {
                    // Nothing is written after an error.
                    let (mut result, mut separator) = (Ok(()), "\r\n");
                    completion(editor.line(), task).words(&mut |word| {
                        result = result.and_then(|()| write!(out, "{separator}{word}"));
                        separator = "  ";
                    });
                    result?;
                    out.write_str("\r\n")
                })?;
                self.redraw()
            }
            // There is one word, or the words have a common continuation, or a list would not be seen.
            _ => {
                let space = if possible.takes_arguments() { " " } else { "" };
                common.bytes().chain(space.bytes()).try_for_each(|byte| self.insert(byte))
            }
        }
    }

    /// Inserts a byte at the end of the line and shows it, unless the line is full.
    fn insert(&mut self, byte: u8) -> Result<(), P::Error> {
        match self.editor.insert(byte) {
            Edit::Typed(byte) => self.typed(byte),
            _ => Ok(()),
        }
    }

    /// Draws the line again. The terminal saves and restores the cursor, since only it can tell how wide a character
    /// is.
    fn redraw(&mut self) -> Result<(), P::Error> {
        if !self.prompted || !self.echo {
            return Ok(());
        }
        let Console { port, editor, .. } = self;
        let (before, after) = editor.halves();
        // CR, then "erase to the end of the line".
        port.write_all(b"\r\x1b[K")?;
        port.write_all(PROMPT)?;
        write_visible(port, before)?;
        if after.is_empty() {
            return Ok(());
        }
        // "Save the cursor", "restore the cursor".
        port.write_all(b"\x1b7")?;
        write_visible(port, after)?;
        port.write_all(b"\x1b8")
    }

    /// Answers with an error.
    pub(super) fn fail(&mut self, error: ConsoleError, form: Form) -> Result<(), P::Error> {
        let terminal = self.terminal();
        frame::write_answer(&mut self.port, &mut self.frame, |out| error.write(form, terminal, out))?;
        self.end_answer(form)
    }

    /// Ends the line of an answer, and prints a prompt for a person, except in the streaming mode.
    pub(super) fn end_answer(&mut self, form: Form) -> Result<(), P::Error> {
        self.last_form = form;
        self.port.write_all(b"\r\n")?;
        if form == Form::Human && matches!(self.mode, Mode::Lines) { self.prompt() } else { Ok(()) }
    }

    /// Asks the terminal what it is, unless a terminal has answered or colours are set, and prints a prompt. Programs
    /// and simple terminals ignore the question.
    pub(super) fn ask_terminal_and_prompt(&mut self) -> Result<(), P::Error> {
        if COLORS && self.colors.is_none() && !self.is_terminal {
            self.port.write_all(ASK_TERMINAL)?;
        }
        self.prompt()
    }

    /// The task of the model; `None` without a model.
    pub(super) fn task(&self) -> Option<Task> {
        self.engine.as_ref().ok().map(Engine::task)
    }

    /// The capabilities of the terminal.
    pub(super) fn terminal(&self) -> Terminal {
        Terminal { has_colors: COLORS && self.colors.unwrap_or(self.is_terminal) }
    }

    /// Prints a prompt.
    pub(super) fn prompt(&mut self) -> Result<(), P::Error> {
        self.prompted = true;
        self.port.write_all(PROMPT)
    }

    /// Ends the prompt's line, if there is one, so that an answer begins at the beginning of a line.
    pub(super) fn end_prompt(&mut self) -> Result<(), P::Error> {
        if mem::take(&mut self.prompted) { self.port.write_all(b"\r\n") } else { Ok(()) }
    }

    /// Sends bytes that show a change of the line, if echo is on and the line has a prompt.
    fn show(&mut self, bytes: &[u8]) -> Result<(), P::Error> {
        if self.prompted && self.echo { write_visible(&mut self.port, bytes) } else { Ok(()) }
    }
}
