//! The errors of the console, as a message for a person and as JSON for a program.

use core::fmt::{self, Write};

#[cfg(feature = "tasks")]
use tern_runtime::Task;
#[cfg(feature = "models")]
use tern_runtime::TooLong;
use thiserror::Error;

use crate::command::CommandInfo;
use crate::display::{self, Form, Terminal};
use crate::engine::InputError;
use crate::loaded_model::Refusal;
use crate::{line, queue};

/// The reason why a line or a text is answered by an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConsoleError {
    /// The line has more than [`line::LIMIT`] bytes: this many.
    #[error("line too long: {bytes} bytes, at most {} fit; send a long text with `stream`", line::LIMIT)]
    LineTooLong { bytes: usize },
    /// Bytes arrived faster than the device answered, and the queue was full.
    #[error(
        "overflow: {lost} bytes were lost, since they came faster than the answers; the queue holds {}. Send again, \
         and wait for each answer or use `@stream`",
        queue::CAPACITY
    )]
    Overflow { lost: u32 },
    /// The command needs a model, and none runs for this reason.
    #[error("no model: {0}")]
    NoModel(Refusal),
    /// The model cannot read the text.
    #[error("{0}")]
    Input(InputError),
    /// The command is for models of another task than that of the loaded model, `found`.
    #[cfg(feature = "tasks")]
    #[error(
        "`{}` needs a model for the task `{}`, this one is for `{}`",
        info.word, info.task.map_or("any", Task::name), found.name()
    )]
    OtherTask { info: &'static CommandInfo, found: Task },
    /// `top` without a text, and the engine holds no answer: no text was classified since the start, the last self-test
    /// or the last dropped text.
    #[error("there is no last text; give one with `top N TEXT`")]
    NoText,
    /// A line `@COMMAND …`, or a request in machine mode, whose arguments are wrong. The line may have been meant as a
    /// text that begins with `@COMMAND`, which needs `classify` before it.
    #[error("wrong arguments, expected `@{}`; for a text use `classify @{} …`", .0.usage, .0.word)]
    Usage(&'static CommandInfo),
    #[error("this board cannot reset itself; switch its power off and on")]
    NoReset,
    /// In machine mode: the line is not a command.
    #[error(
        "unknown command; in machine mode send a text with `classify TEXT` or `stream`, and list the commands with \
         `help`"
    )]
    UnknownCommand,
}

impl ConsoleError {
    /// Writes the error without a line end.
    pub fn write(&self, form: Form, terminal: Terminal, out: &mut dyn Write) -> fmt::Result {
        // For a program, this leaves the JSON object open for further fields.
        display::error(self.code(), self, form, terminal, out)?;
        if form == Form::Human {
            return Ok(());
        }
        match self {
            ConsoleError::LineTooLong { bytes } => write!(out, r#","bytes":{bytes},"limit":{}"#, line::LIMIT)?,
            ConsoleError::Overflow { lost } => write!(out, r#","lost":{lost},"queue_bytes":{}"#, queue::CAPACITY)?,
            #[cfg(feature = "models")]
            ConsoleError::Input(InputError::TooLong(TooLong { found, kept })) => {
                write!(out, r#","tokens":{found},"limit":{kept}"#)?
            }
            ConsoleError::Usage(info) => write!(out, r#","usage":"@{}""#, info.usage)?,
            _ => (),
        }
        out.write_char('}')
    }

    /// The error code for programs.
    fn code(&self) -> &'static str {
        match self {
            ConsoleError::LineTooLong { .. } => "line_too_long",
            ConsoleError::Overflow { .. } => "overflow",
            ConsoleError::NoModel(_) => "no_model",
            // A build with neither feature has no `InputError`, and this `match` no arms.
            ConsoleError::Input(error) => match *error {
                #[cfg(feature = "models")]
                InputError::TooLong(_) => "text_too_long",
                #[cfg(feature = "tasks")]
                InputError::Numbers(_) => "numbers",
            },
            #[cfg(feature = "tasks")]
            ConsoleError::OtherTask { .. } => "other_task",
            ConsoleError::NoText => "no_text",
            ConsoleError::Usage(_) => "usage",
            ConsoleError::NoReset => "no_reset",
            ConsoleError::UnknownCommand => "unknown_command",
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
        error.write(form, Terminal::default(), &mut out).unwrap();
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
