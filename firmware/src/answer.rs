//! Writes the answers to commands, each in one of two forms: text for a person or JSON for a program ([`Form`]). The
//! console adds the end of the last line.

mod predictions;
mod slots;

use core::fmt::{self, Write};

use tern_runtime::Task;

pub use predictions::{classification, forecast, generated, generation_cost, next, sampling, step, top};
pub use slots::{activated, boot_events, erased, invitation, loaded, models, request_failed, rolled_back};

use crate::command::COMMANDS;
use crate::display::{Counted, Form, Json, Long, Visible, list};
use crate::engine::Engine;
use crate::golden::{Mismatch, SelfTest};
use crate::info::PROTOCOL;
use crate::log_level::Level;
use crate::stream::{CREDIT, Stream, WINDOW};

/// Writes the labels in the order of their classes.
pub fn labels(engine: &Engine<'_>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let mut labels = engine.model().labels().iter();
    match form {
        Form::Human => labels.enumerate().try_for_each(|(class, label)| {
            let line_end = if class > 0 { "\r\n" } else { "" };
            write!(out, "{line_end}{class:3}  {}", Visible(label))
        }),
        Form::Machine => {
            write!(out, r#"{{"labels":["#)?;
            list(out, labels.by_ref().map(Json))?;
            write!(out, "]}}")
        }
    }
}

/// Writes the result of the self-test, which computes the model's golden examples and compares the logits with those
/// that the export stored.
pub fn self_test(result: &SelfTest, form: Form, out: &mut dyn Write) -> fmt::Result {
    let SelfTest { exact, total, ticks, first_failure } = *result;
    let (verdict, ticks) = (if exact == total { "ok" } else { "FAILED" }, Long(ticks));
    form.write(
        out,
        format_args!("selftest {verdict}: {exact} of {total} golden examples exact, {ticks} ticks"),
        format_args!(r#"{{"exact":{exact},"golden":{total},"ticks":{ticks}"#),
    )?;
    if let Some(Mismatch { example, class, logit, expected }) = first_failure {
        form.write(
            out,
            format_args!(
                "\r\ngolden example {example}, class {class}: logit {logit}, expected {expected}\r\n\
                 this device computes other results than `tern export`; write model and firmware again"
            ),
            format_args!(
                r#","first_failure":{{"golden":{example},"class":{class},"logit":{logit},"expected":{expected}}}"#
            ),
        )?;
    }
    // The JSON object above is still open.
    out.write_str(if form == Form::Machine { "}" } else { "" })
}

/// Writes the commands for a model with the task `loaded`, or all commands if no model is loaded.
pub fn help(loaded: Option<Task>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let mut commands = COMMANDS.iter().filter(|info| info.is_for(loaded));
    match form {
        Form::Human => {
            commands.try_for_each(|info| write!(out, "{:18}  {}\r\n", info.usage, info.help))?;
            out.write_str(
                "any other line is input for the model; `@` before a command asks for JSON\r\n\
                 Ctrl-] or `quit` leaves `tern console`",
            )
        }
        Form::Machine => {
            write!(out, r#"{{"commands":["#)?;
            list(out, commands.map(|info| Json(info.word)))?;
            write!(out, "]}}")
        }
    }
}

/// Confirms the echo setting.
pub fn echo(is_on: bool, form: Form, out: &mut dyn Write) -> fmt::Result {
    let word = if is_on { "on" } else { "off" };
    form.write(out, format_args!("echo {word}"), format_args!(r#"{{"echo":{is_on}}}"#))
}

/// Confirms that `mode` is now the form of the answers. `form` is the form of this answer.
pub fn mode(mode: Form, form: Form, out: &mut dyn Write) -> fmt::Result {
    match (form, mode) {
        (Form::Human, _) => write!(out, "mode {}", mode.word()),
        (Form::Machine, Form::Human) => write!(out, r#"{{"mode":"human"}}"#),
        (Form::Machine, Form::Machine) => write!(out, r#"{{"mode":"machine","protocol":{PROTOCOL}}}"#),
    }
}

/// Confirms the colour setting. `None` stands for `auto`: the console asks the terminal.
pub fn color(setting: Option<bool>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let word = match setting {
        Some(true) => "on",
        Some(false) => "off",
        None => "auto",
    };
    form.write(out, format_args!("color {word}"), format_args!(r#"{{"color":"{word}"}}"#))
}

/// Confirms the log level.
pub fn log(level: Level, form: Form, out: &mut dyn Write) -> fmt::Result {
    let word = level.word();
    form.write(out, format_args!("log {word}"), format_args!(r#"{{"log":"{word}"}}"#))
}

/// Answers the line `quit` on a board. The board cannot close the terminal program, so the answer tells how to.
pub fn quit(out: &mut dyn Write) -> fmt::Result {
    out.write_str("Ctrl-] leaves `tern console`")
}

/// Confirms that the streaming mode has begun, and gives a program the sizes that limit how much it may send ahead.
pub fn stream_entered(form: Form, out: &mut dyn Write) -> fmt::Result {
    form.write(
        out,
        format_args!("streaming: Ctrl-D ends a text, Ctrl-X drops it, Ctrl-C leaves"),
        format_args!(r#"{{"stream":true,"window":{WINDOW},"credit":{CREDIT}}}"#),
    )
}

/// Confirms that a streamed text, of which `bytes` bytes had arrived, was dropped.
pub fn text_abandoned(bytes: u64, form: Form, out: &mut dyn Write) -> fmt::Result {
    let human = Counted(bytes, "byte");
    form.write(out, format_args!("dropped {human}"), format_args!(r#"{{"abandoned":{}}}"#, Long(bytes)))
}

/// Confirms that the streaming mode has ended.
pub fn stream_ended(stream: &Stream, out: &mut dyn Write) -> fmt::Result {
    let (bytes, texts) = (Long(stream.consumed), Long(stream.texts));
    stream.form.write(
        out,
        format_args!("streaming ended: {}", Counted(stream.texts, "text")),
        format_args!(r#"{{"stream":false,"bytes":{bytes},"texts":{texts}}}"#),
    )
}
