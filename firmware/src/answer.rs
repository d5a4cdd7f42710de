//! Answers, for a person and for a program. None ends its line: the console does.

mod language;

use core::fmt::{self, Write};

use tern_runtime::Task;

pub use language::{forecast, next, said, said_costs, sampling};

use crate::classifier::{Answer, Classifier, SelfTest, Shown};
use crate::command::{COMMANDS, Form};
use crate::info::PROTOCOL;
use crate::port::Level;
use crate::stream::{CREDIT, Stream, WINDOW};
use crate::text::{Bar, Counted, Decimal, Json, Paint, Painted, Percent, Plain, list};

/// Classes shown to a person who asks for no number of them.
const SHOWN: usize = 5;

/// How a person's terminal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// It shows colours.
    pub has_colors: bool,
}

/// The label of a text.
pub fn classification(
    classifier: &Classifier<'_>,
    answer: Answer,
    form: Form,
    screen: Screen,
    out: &mut dyn Write,
) -> fmt::Result {
    if form == Form::Human {
        return ranking(classifier, answer, SHOWN, screen, out);
    }
    match classifier.ranking().next().filter(|_| answer.is_known()) {
        Some(class) => {
            let (label, probability) = (Json(classifier.label(class)), Decimal(classifier.probability(class)));
            write!(out, r#"{{"label":{label},"class":{class},"probability":{probability}"#)?;
        }
        None => write!(out, r#"{{"label":null,"class":null,"probability":null"#)?,
    }
    write!(out, r#","logits":["#)?;
    list(out, classifier.logits().iter())?;
    write!(out, "],")?;
    json_costs(answer, out)
}

/// The likeliest classes of a text.
pub fn top(
    classifier: &Classifier<'_>,
    answer: Answer,
    n: usize,
    form: Form,
    screen: Screen,
    out: &mut dyn Write,
) -> fmt::Result {
    if form == Form::Human {
        return ranking(classifier, answer, n, screen, out);
    }
    write!(out, r#"{{"top":["#)?;
    let classes = classifier.ranking().take(if answer.is_known() { n } else { 0 });
    list(out, classes.map(|class| Ranked { classifier, class }))?;
    write!(out, "],")?;
    json_costs(answer, out)
}

/// A line for each of the `n` likeliest classes, with a bar, and one for what they cost.
fn ranking(classifier: &Classifier<'_>, answer: Answer, n: usize, screen: Screen, out: &mut dyn Write) -> fmt::Result {
    if !answer.is_known() {
        write!(out, "unknown input   ")?;
        return costs(answer, out);
    }
    let columns = classifier.ranking().take(n).map(|class| width(classifier.label(class))).max().unwrap_or(0);
    for (rank, class) in classifier.ranking().take(n).enumerate() {
        let paint = if rank == 0 { Paint::Bold } else { Paint::Plain };
        row(classifier.label(class), columns, classifier.probability(class), paint, screen, out)?;
        out.write_str("\r\n")?;
    }
    match classifier.logits().len().saturating_sub(n) {
        0 => (),
        _ if n != SHOWN => (),
        others => write!(out, "{others} more, `top {}` lists all   ", classifier.logits().len())?,
    }
    costs(answer, out)
}

/// A name, a probability (Q16) and its bar.
fn row(name: &str, columns: usize, probability: u32, paint: Paint, screen: Screen, out: &mut dyn Write) -> fmt::Result {
    let name_painted = Painted(paint.on(screen.has_colors), Plain(name));
    write!(out, "{name_painted}{:1$} {2}", "", columns.saturating_sub(width(name)), Percent(probability))?;
    match Bar(probability) {
        // No blanks at a line's end.
        Bar(0..=204) => Ok(()),
        bar => write!(out, "  {}", Painted(Paint::Green.on(screen.has_colors), bar)),
    }
}

/// The answer so far of a text that is streamed, after a token.
pub fn step(step: &Shown<'_>, label: &str, screen: Screen, out: &mut dyn Write) -> fmt::Result {
    write!(out, "{}{:2$} ", Plain(step.token), "", 16usize.saturating_sub(width(step.token)))?;
    row(label, 0, step.probability, Paint::Bold, screen, out)?;
    out.write_str("\r\n")
}

struct Ranked<'a, 'm> {
    classifier: &'a Classifier<'m>,
    class: usize,
}

impl fmt::Display for Ranked<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ranked { classifier, class } = *self;
        let (label, probability) = (Json(classifier.label(class)), Decimal(classifier.probability(class)));
        let logit = classifier.logits().get(class).copied().unwrap_or(0);
        write!(f, r#"{{"label":{label},"class":{class},"probability":{probability},"logit":{logit}}}"#)
    }
}

/// Characters of a label as it is shown.
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

/// The classes.
pub fn labels(classifier: &Classifier<'_>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let mut labels = classifier.model().labels().iter();
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

/// What the golden texts gave.
pub fn self_test(result: &SelfTest, form: Form, out: &mut dyn Write) -> fmt::Result {
    let SelfTest { exact, golden, ticks, first_failure } = *result;
    match form {
        Form::Human => {
            let verdict = if exact == golden { "ok" } else { "FAILED" };
            write!(out, "selftest {verdict}: {exact} of {golden} golden texts exact, {ticks} ticks")?;
            if let Some(failure) = first_failure {
                let (text, class) = (failure.golden, failure.class);
                let (logit, expected) = (failure.logit, failure.expected);
                write!(out, "\r\ngolden text {text}, class {class}: logit {logit}, expected {expected}; ")?;
                write!(
                    out,
                    "this device does not compute what the exporter did: load the file and the firmware again"
                )?;
            }
            Ok(())
        }
        Form::Machine => {
            write!(out, r#"{{"exact":{exact},"golden":{golden},"ticks":{ticks}"#)?;
            if let Some(failure) = first_failure {
                let (text, class) = (failure.golden, failure.class);
                let (logit, expected) = (failure.logit, failure.expected);
                write!(
                    out,
                    r#","first_failure":{{"golden":{text},"class":{class},"logit":{logit},"expected":{expected}}}"#
                )?;
            }
            write!(out, "}}")
        }
    }
}

/// The commands that a model for this task has; none: there is no model.
pub fn help(model: Option<Task>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let entries = || COMMANDS.iter().filter(|entry| entry.serves(model));
    match form {
        Form::Human => {
            for entry in entries() {
                write!(out, "{:18}  {}\r\n", entry.usage, entry.help)?;
            }
            write!(out, "any other line is input for the model; `@` before a command answers in JSON")
        }
        Form::Machine => {
            write!(out, r#"{{"commands":["#)?;
            list(out, entries().map(|entry| Json(entry.word)))?;
            write!(out, "]}}")
        }
    }
}

/// Whether typed characters are sent back from now on.
pub fn echo(on: bool, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "echo {}", if on { "on" } else { "off" }),
        Form::Machine => write!(out, r#"{{"echo":{on}}}"#),
    }
}

/// Whom the console speaks to from now on.
pub fn mode(mode: Form, form: Form, out: &mut dyn Write) -> fmt::Result {
    match (form, mode) {
        (Form::Human, _) => write!(out, "mode {}", mode.word()),
        (Form::Machine, Form::Human) => write!(out, r#"{{"mode":"human"}}"#),
        (Form::Machine, Form::Machine) => write!(out, r#"{{"mode":"machine","protocol":{PROTOCOL}}}"#),
    }
}

/// Whether the terminal is taken to show colours; none: it is asked.
pub fn color(wanted: Option<bool>, form: Form, out: &mut dyn Write) -> fmt::Result {
    let word = match wanted {
        Some(true) => "on",
        Some(false) => "off",
        None => "auto",
    };
    match form {
        Form::Human => write!(out, "color {word}"),
        Form::Machine => write!(out, r#"{{"color":"{word}"}}"#),
    }
}

/// What goes to the log from now on.
pub fn log(level: Level, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "log {}", level.word()),
        Form::Machine => write!(out, r#"{{"log":"{}"}}"#, level.word()),
    }
}

/// The streaming mode begins.
pub fn stream_entered(form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "streaming: Ctrl-D ends a text, Ctrl-X drops it, Ctrl-C leaves"),
        Form::Machine => write!(out, r#"{{"stream":true,"window":{WINDOW},"credit":{CREDIT}}}"#),
    }
}

/// A streamed text of so many bytes was abandoned.
pub fn text_abandoned(bytes: u64, form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => write!(out, "dropped {}", Counted(bytes, "byte")),
        Form::Machine => write!(out, r#"{{"abandoned":{bytes}}}"#),
    }
}

/// The streaming mode ends.
pub fn stream_left(stream: &Stream, out: &mut dyn Write) -> fmt::Result {
    let (bytes, texts) = (stream.consumed(), stream.texts);
    match stream.form {
        Form::Human => write!(out, "streaming ended: {}", Counted(texts, "text")),
        Form::Machine => write!(out, r#"{{"stream":false,"bytes":{bytes},"texts":{texts}}}"#),
    }
}
