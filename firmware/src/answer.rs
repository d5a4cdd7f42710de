//! Writes the answers to commands, each as text for a person or as JSON for a program. The console ends the last line.

mod models;
mod predictions;

use core::fmt::{self, Write};

use tern_runtime::Task;

pub use models::{activated, boot_events, erased, invitation, loaded, models, request_failed, rolled_back};
pub use predictions::{forecast, generated, generation_cost, next, sampling};

use crate::command::COMMANDS;
use crate::display::{Bar, Counted, Decimal, Json, Paint, Painted, Percent, Plain, Screen, list};
use crate::engine::{Answer, Engine, SelfTest, StepAnswer};
use crate::form::Form;
use crate::info::PROTOCOL;
use crate::log_level::Level;
use crate::stream::{CREDIT, Stream, WINDOW};

/// Labels that a person sees if no number is given.
const DEFAULT_SHOWN: usize = 5;

/// The prediction for a text: the most probable labels for a person, label and logits for a program.
pub fn classification(
    engine: &Engine<'_>,
    answer: Answer,
    form: Form,
    screen: Screen,
    out: &mut dyn Write,
) -> fmt::Result {
    if form == Form::Human {
        return ranking(engine, answer, DEFAULT_SHOWN, screen, out);
    }
    match engine.ranking().next().filter(|_| answer.is_known()) {
        Some(class) => {
            let (label, probability) = (Json(engine.label(class)), Decimal(engine.probability(class)));
            write!(out, r#"{{"label":{label},"class":{class},"probability":{probability}"#)?;
        }
        None => write!(out, r#"{{"label":null,"class":null,"probability":null"#)?,
    }
    write!(out, r#","logits":["#)?;
    list(out, engine.logits().iter())?;
    write!(out, "],")?;
    json_costs(answer, out)
}

/// The `n` most probable labels of a text.
pub fn top(
    engine: &Engine<'_>,
    answer: Answer,
    n: usize,
    form: Form,
    screen: Screen,
    out: &mut dyn Write,
) -> fmt::Result {
    if form == Form::Human {
        return ranking(engine, answer, n, screen, out);
    }
    write!(out, r#"{{"top":["#)?;
    let classes = engine.ranking().take(if answer.is_known() { n } else { 0 });
    list(out, classes.map(|class| Ranked { engine, class }))?;
    write!(out, "],")?;
    json_costs(answer, out)
}

/// One line with a bar for each of the `n` most probable labels, and a line with the cost.
fn ranking(engine: &Engine<'_>, answer: Answer, n: usize, screen: Screen, out: &mut dyn Write) -> fmt::Result {
    if !answer.is_known() {
        write!(out, "unknown input   ")?;
        return costs(answer, out);
    }
    let columns = engine.ranking().take(n).map(|class| width(engine.label(class))).max().unwrap_or(0);
    for (rank, class) in engine.ranking().take(n).enumerate() {
        let paint = if rank == 0 { Paint::Bold } else { Paint::Plain };
        row(engine.label(class), columns, engine.probability(class), paint, screen, out)?;
        out.write_str("\r\n")?;
    }
    match engine.logits().len().saturating_sub(n) {
        0 => (),
        _ if n != DEFAULT_SHOWN => (),
        others => write!(out, "{others} more, `top {}` lists all   ", engine.logits().len())?,
    }
    costs(answer, out)
}

/// A name, its probability (Q16) and a bar.
fn row(name: &str, columns: usize, probability: u32, paint: Paint, screen: Screen, out: &mut dyn Write) -> fmt::Result {
    let name_painted = Painted(paint.on(screen.has_colors), Plain(name));
    write!(out, "{name_painted}{:1$} {2}", "", columns.saturating_sub(width(name)), Percent(probability))?;
    match Bar(probability) {
        // A bar of no width would leave spaces at the end of the line.
        Bar(0..=204) => Ok(()),
        bar => write!(out, "  {}", Painted(Paint::Green.on(screen.has_colors), bar)),
    }
}

/// The prediction after one token of a streamed text.
pub fn step(step: &StepAnswer<'_>, label: &str, screen: Screen, out: &mut dyn Write) -> fmt::Result {
    write!(out, "{}{:2$} ", Plain(step.token), "", 16usize.saturating_sub(width(step.token)))?;
    row(label, 0, step.probability, Paint::Bold, screen, out)?;
    out.write_str("\r\n")
}

/// Displays one class of `top` as JSON.
struct Ranked<'a, 'm> {
    engine: &'a Engine<'m>,
    class: usize,
}

impl fmt::Display for Ranked<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ranked { engine, class } = *self;
        let (label, probability) = (Json(engine.label(class)), Decimal(engine.probability(class)));
        let logit = engine.logits().get(class).copied().unwrap_or(0);
        write!(f, r#"{{"label":{label},"class":{class},"probability":{probability},"logit":{logit}}}"#)
    }
}

/// The width of a label on the terminal, in characters.
fn width(label: &str) -> usize {
    label.chars().map(|c| if c.is_control() { c.escape_default().count() } else { 1 }).sum()
}

fn costs(answer: Answer, out: &mut dyn Write) -> fmt::Result {
    let Answer { tokens, unknown, ticks, .. } = answer;
    write!(out, "{}, {unknown} unknown, {}", Counted(tokens.into(), "token"), Counted(ticks, "tick"))
}

fn json_costs(answer: Answer, out: &mut dyn Write) -> fmt::Result {
    let Answer { tokens, unknown, ticks, .. } = answer;
    write!(out, r#""tokens":{tokens},"unknown":{unknown},"ticks":{ticks}}}"#)
}

/// The labels, in the order of their classes.
pub fn labels(engine: &Engine<'_>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let mut labels = engine.model().labels().iter();
    match form {
        Form::Human => labels.enumerate().try_for_each(|(class, label)| {
            let line_end = if class > 0 { "\r\n" } else { "" };
            write!(out, "{line_end}{class:3}  {}", Plain(label))
        }),
        Form::Machine => {
            write!(out, r#"{{"labels":["#)?;
            list(out, labels.by_ref().map(Json))?;
            write!(out, "]}}")
        }
    }
}

/// The result of the self-test.
pub fn self_test(result: &SelfTest, form: Form, out: &mut dyn Write) -> fmt::Result {
    let SelfTest { exact, golden, ticks, first_failure } = *result;
    match form {
        Form::Human => {
            let verdict = if exact == golden { "ok" } else { "FAILED" };
            write!(out, "selftest {verdict}: {exact} of {golden} golden examples exact, {ticks} ticks")?;
            if let Some(failure) = first_failure {
                let (example, class) = (failure.golden, failure.class);
                let (logit, expected) = (failure.logit, failure.expected);
                write!(out, "\r\ngolden example {example}, class {class}: logit {logit}, expected {expected}\r\n")?;
                write!(out, "this device computes other results than `tern export`; write model and firmware again")?;
            }
            Ok(())
        }
        Form::Machine => {
            write!(out, r#"{{"exact":{exact},"golden":{golden},"ticks":{ticks}"#)?;
            if let Some(failure) = first_failure {
                let (example, class) = (failure.golden, failure.class);
                let (logit, expected) = (failure.logit, failure.expected);
                write!(
                    out,
                    r#","first_failure":{{"golden":{example},"class":{class},"logit":{logit},"expected":{expected}}}"#
                )?;
            }
            write!(out, "}}")
        }
    }
}

/// The commands that a model for this task has; all commands without a model.
pub fn help(model: Option<Task>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let commands = || COMMANDS.iter().filter(|info| info.is_for(model));
    match form {
        Form::Human => {
            for info in commands() {
                write!(out, "{:18}  {}\r\n", info.usage, info.help)?;
            }
            write!(out, "any other line is input for the model; `@` before a command asks for JSON\r\n")?;
            write!(out, "Ctrl-] or `quit` leaves `tern console`")
        }
        Form::Machine => {
            write!(out, r#"{{"commands":["#)?;
            list(out, commands().map(|info| Json(info.word)))?;
            write!(out, "]}}")
        }
    }
}

/// Confirms the echo setting.
pub fn echo(on: bool, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "echo {}", if on { "on" } else { "off" }),
        Form::Machine => write!(out, r#"{{"echo":{on}}}"#),
    }
}

/// Confirms the mode.
pub fn mode(mode: Form, form: Form, out: &mut dyn Write) -> fmt::Result {
    match (form, mode) {
        (Form::Human, _) => write!(out, "mode {}", mode.word()),
        (Form::Machine, Form::Human) => write!(out, r#"{{"mode":"human"}}"#),
        (Form::Machine, Form::Machine) => write!(out, r#"{{"mode":"machine","protocol":{PROTOCOL}}}"#),
    }
}

/// Confirms the colour setting; `None` is `auto`.
pub fn color(setting: Option<bool>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let word = match setting {
        Some(true) => "on",
        Some(false) => "off",
        None => "auto",
    };
    match form {
        Form::Human => write!(out, "color {word}"),
        Form::Machine => write!(out, r#"{{"color":"{word}"}}"#),
    }
}

/// Confirms the log level.
pub fn log(level: Level, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "log {}", level.word()),
        Form::Machine => write!(out, r#"{{"log":"{}"}}"#, level.word()),
    }
}

/// Answers a line `quit` if the console does not run on a computer.
pub fn quit(out: &mut dyn Write) -> fmt::Result {
    write!(out, "Ctrl-] leaves `tern console`")
}

/// Confirms that the streaming mode has begun.
pub fn stream_entered(form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "streaming: Ctrl-D ends a text, Ctrl-X drops it, Ctrl-C leaves"),
        Form::Machine => write!(out, r#"{{"stream":true,"window":{WINDOW},"credit":{CREDIT}}}"#),
    }
}

/// Confirms that a streamed text of so many bytes was dropped.
pub fn text_abandoned(bytes: u64, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "dropped {}", Counted(bytes, "byte")),
        Form::Machine => write!(out, r#"{{"abandoned":{bytes}}}"#),
    }
}

/// Confirms that the streaming mode has ended.
pub fn stream_ended(stream: &Stream, out: &mut dyn Write) -> fmt::Result {
    let (bytes, texts) = (stream.consumed(), stream.texts);
    match stream.form {
        Form::Human => write!(out, "streaming ended: {}", Counted(texts, "text")),
        Form::Machine => write!(out, r#"{{"stream":false,"bytes":{bytes},"texts":{texts}}}"#),
    }
}
