//! What the console cannot do, and what to do about it.

use core::fmt::{self, Display, Write};

use tern_runtime::{Task, TooLong};

use crate::answer::Screen;
use crate::classifier::{Refusal, Refused};
use crate::command::{Entry, Form};
use crate::numbers::NumberError;
use crate::text::{Escaped, Paint, Painted};
use crate::{line, queue};

/// Why a line or a text has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The line is longer than the editor.
    LineTooLong {
        /// Its length.
        bytes: usize,
    },
    /// Bytes came faster than texts were answered.
    Overflow {
        /// How many were dropped.
        lost: u32,
    },
    /// There is no model to run.
    NoModel(Refusal),
    /// The text has more tokens than the model can keep here.
    TooLong(TooLong),
    /// The model reads numbers, and these are none.
    Numbers(NumberError),
    /// The command is one of another kind of model.
    OtherTask {
        /// The command.
        entry: &'static Entry,
        /// What the model is for.
        found: Task,
    },
    /// No text was classified whose classes could be listed.
    NoText,
    /// `@` and a command of a wrong shape.
    Usage(&'static Entry),
    /// The board cannot begin anew by itself.
    NoReset,
    /// In machine mode a line is no command.
    UnknownCommand,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooLong(too_long) => Error::TooLong(too_long),
            Refused::Numbers(error) => Error::Numbers(error),
        }
    }
}

impl Error {
    /// Writes the error without a line end.
    pub fn write(&self, form: Form, screen: Screen, out: &mut dyn Write) -> fmt::Result {
        match form {
            Form::Human => write!(out, "{} {self}", Painted(Paint::Red.on(screen.has_colors), "error:")),
            Form::Machine => {
                write!(out, r#"{{"error":"{}","message":""#, self.code())?;
                // A message may hold names from a stranger's file.
                write!(Escaped(out), "{self}")?;
                out.write_char('"')?;
                match self {
                    Error::LineTooLong { bytes } => write!(out, r#","bytes":{bytes},"limit":{}"#, line::LIMIT)?,
                    Error::Overflow { lost } => write!(out, r#","lost":{lost},"queue_bytes":{}"#, queue::CAPACITY)?,
                    Error::TooLong(TooLong { found, kept }) => write!(out, r#","tokens":{found},"limit":{kept}"#)?,
                    Error::Numbers(_)
                    | Error::OtherTask { .. }
                    | Error::NoModel(_)
                    | Error::NoText
                    | Error::NoReset
                    | Error::UnknownCommand => (),
                    Error::Usage(entry) => write!(out, r#","usage":"@{}""#, entry.usage)?,
                }
                out.write_char('}')
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::LineTooLong { .. } => "line_too_long",
            Error::Overflow { .. } => "overflow",
            Error::NoModel(_) => "no_model",
            Error::TooLong(_) => "text_too_long",
            Error::Numbers(_) => "numbers",
            Error::OtherTask { .. } => "other_task",
            Error::NoText => "no_text",
            Error::Usage(_) => "usage",
            Error::NoReset => "no_reset",
            Error::UnknownCommand => "unknown_command",
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::LineTooLong { bytes } => {
                let limit = line::LIMIT;
                write!(f, "line too long: {bytes} bytes, at most {limit} fit; send a long text with `stream`")
            }
            Error::Overflow { lost } => write!(
                f,
                "overflow: {lost} bytes came faster than texts were answered and are lost, the queue holds {}; send again, and \
                 wait for answers or use `@stream`",
                queue::CAPACITY
            ),
            Error::NoModel(refusal) => write!(f, "no model: {refusal}"),
            Error::TooLong(TooLong { found, kept }) => write!(
                f,
                "text too long: {found} tokens, this bidirectional model keeps them all and has room for {kept}; send it in parts, or \
                 give its board file more scratch"
            ),
            Error::Numbers(error) => write!(f, "numbers: {error}"),
            Error::OtherTask { entry, found } => {
                let expected = entry.task.map_or("any", Task::name);
                write!(f, "`{}` asks a model for the task `{expected}`, this one is for `{}`", entry.word, found.name())
            }
            Error::NoText => write!(f, "no text was classified yet; give one: `top N TEXT`"),
            Error::UnknownCommand => {
                write!(
                    f,
                    "no command; in machine mode a text is sent by `classify TEXT` or `stream`, and `help` lists all"
                )
            }
            Error::NoReset => write!(f, "this board cannot begin anew by itself; take its power away"),
            Error::Usage(entry) => {
                write!(f, "wrong shape, expected `@{}`; for a text: `classify @{} …`", entry.usage, entry.word)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::COMMANDS;
    use std::string::String;

    fn written(error: Error, form: Form) -> String {
        let mut out = String::new();
        error.write(form, Screen::default(), &mut out).unwrap();
        out
    }

    #[test]
    fn both_forms() {
        let error = Error::LineTooLong { bytes: 300 };
        let message = "line too long: 300 bytes, at most 256 fit; send a long text with `stream`";
        assert_eq!(written(error, Form::Human), std::format!("error: {message}"));
        assert_eq!(
            written(error, Form::Machine),
            std::format!(r#"{{"error":"line_too_long","message":"{message}","bytes":300,"limit":256}}"#)
        );
        let usage = written(Error::Usage(&COMMANDS[3]), Form::Machine);
        assert!(usage.ends_with(r#","usage":"@top N [TEXT]"}"#), "{usage}");
    }
}
