//! The errors of the console, as a message for a person and as JSON for a program.

use core::fmt::{self, Display, Write};

use tern_runtime::{Task, TooLong};

use crate::command::CommandInfo;
use crate::display::{Escaped, Paint, Painted, Screen};
use crate::engine::{InputError, Refusal};
use crate::form::Form;
use crate::numbers::NumberError;
use crate::{line, queue};

/// Why a line or a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleError {
    /// The line is longer than [`line::LIMIT`].
    LineTooLong {
        /// Length of the line.
        bytes: usize,
    },
    /// Bytes arrived faster than the device answered, and the queue was full.
    Overflow {
        /// Number of bytes that were lost.
        lost: u32,
    },
    /// No model runs.
    NoModel(Refusal),
    /// The text has more tokens than a bidirectional model has room for.
    TooLong(TooLong),
    /// The model reads numbers, and the input is not numbers.
    Numbers(NumberError),
    /// The command is for models of another task.
    OtherTask {
        /// The command.
        info: &'static CommandInfo,
        /// The task of the loaded model.
        found: Task,
    },
    /// `top` without a text, and no text was classified before.
    NoText,
    /// A line `@COMMAND …`, or a request in machine mode, whose arguments are wrong.
    Usage(&'static CommandInfo),
    /// The board cannot reset itself.
    NoReset,
    /// In machine mode: the line is not a command.
    UnknownCommand,
}

impl From<InputError> for ConsoleError {
    fn from(error: InputError) -> Self {
        match error {
            InputError::TooLong(too_long) => ConsoleError::TooLong(too_long),
            InputError::Numbers(error) => ConsoleError::Numbers(error),
        }
    }
}

impl ConsoleError {
    /// Writes the error without a line end.
    pub fn write(&self, form: Form, screen: Screen, out: &mut dyn Write) -> fmt::Result {
        match form {
            Form::Human => write!(out, "{} {self}", Painted(Paint::Red.on(screen.has_colors), "error:")),
            Form::Machine => {
                write!(out, r#"{{"error":"{}","message":""#, self.code())?;
                // The message may quote names from an untrusted file.
                write!(Escaped(out), "{self}")?;
                out.write_char('"')?;
                match self {
                    ConsoleError::LineTooLong { bytes } => write!(out, r#","bytes":{bytes},"limit":{}"#, line::LIMIT)?,
                    ConsoleError::Overflow { lost } => {
                        write!(out, r#","lost":{lost},"queue_bytes":{}"#, queue::CAPACITY)?
                    }
                    ConsoleError::TooLong(TooLong { found, kept }) => {
                        write!(out, r#","tokens":{found},"limit":{kept}"#)?
                    }
                    ConsoleError::Numbers(_)
                    | ConsoleError::OtherTask { .. }
                    | ConsoleError::NoModel(_)
                    | ConsoleError::NoText
                    | ConsoleError::NoReset
                    | ConsoleError::UnknownCommand => (),
                    ConsoleError::Usage(info) => write!(out, r#","usage":"@{}""#, info.usage)?,
                }
                out.write_char('}')
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            ConsoleError::LineTooLong { .. } => "line_too_long",
            ConsoleError::Overflow { .. } => "overflow",
            ConsoleError::NoModel(_) => "no_model",
            ConsoleError::TooLong(_) => "text_too_long",
            ConsoleError::Numbers(_) => "numbers",
            ConsoleError::OtherTask { .. } => "other_task",
            ConsoleError::NoText => "no_text",
            ConsoleError::Usage(_) => "usage",
            ConsoleError::NoReset => "no_reset",
            ConsoleError::UnknownCommand => "unknown_command",
        }
    }
}

impl Display for ConsoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConsoleError::LineTooLong { bytes } => {
                let limit = line::LIMIT;
                write!(f, "line too long: {bytes} bytes, at most {limit} fit; send a long text with `stream`")
            }
            ConsoleError::Overflow { lost } => write!(
                f,
                "overflow: {lost} bytes were lost, since they came faster than the answers; the queue holds {}. Send again, and wait \
                 for each answer or use `@stream`",
                queue::CAPACITY
            ),
            ConsoleError::NoModel(refusal) => write!(f, "no model: {refusal}"),
            ConsoleError::TooLong(TooLong { found, kept }) => write!(
                f,
                "text too long: {found} tokens, a bidirectional model must keep them all and has room for {kept}; send it in parts, or raise SCRATCH_BYTES"
            ),
            ConsoleError::Numbers(error) => write!(f, "numbers: {error}"),
            ConsoleError::OtherTask { info, found } => {
                let expected = info.task.map_or("any", Task::name);
                write!(f, "`{}` needs a model for the task `{expected}`, this one is for `{}`", info.word, found.name())
            }
            ConsoleError::NoText => write!(f, "no text was classified yet; give one with `top N TEXT`"),
            ConsoleError::UnknownCommand => {
                write!(
                    f,
                    "unknown command; in machine mode send a text with `classify TEXT` or `stream`, and list the commands with `help`"
                )
            }
            ConsoleError::NoReset => write!(f, "this board cannot reset itself; switch its power off and on"),
            ConsoleError::Usage(info) => {
                write!(f, "wrong arguments, expected `@{}`; for a text use `classify @{} …`", info.usage, info.word)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::COMMANDS;
    use std::string::String;

    fn written(error: ConsoleError, form: Form) -> String {
        let mut out = String::new();
        error.write(form, Screen::default(), &mut out).unwrap();
        out
    }

    #[test]
    fn errors_are_printed_in_both_forms() {
        let error = ConsoleError::LineTooLong { bytes: 300 };
        let message = "line too long: 300 bytes, at most 256 fit; send a long text with `stream`";
        assert_eq!(written(error, Form::Human), std::format!("error: {message}"));
        assert_eq!(
            written(error, Form::Machine),
            std::format!(r#"{{"error":"line_too_long","message":"{message}","bytes":300,"limit":256}}"#)
        );
        let usage = written(ConsoleError::Usage(&COMMANDS[3]), Form::Machine);
        assert!(usage.ends_with(r#","usage":"@top N [TEXT]"}"#), "{usage}");
    }
}
