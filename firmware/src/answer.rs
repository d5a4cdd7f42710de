//! Answers, for a person and for a program. None ends its line: the console does.

use core::fmt::{self, Write};

use crate::classifier::{Answer, Classifier, SelfTest};
use crate::command::{COMMANDS, Form};
use crate::stream::{CREDIT, Stream, WINDOW};
use crate::text::{Counted, Decimal, Json, Percent, Plain, list};

/// The label of a text.
pub fn classification(classifier: &Classifier<'_>, answer: Answer, form: Form, out: &mut dyn Write) -> fmt::Result {
    let best = classifier.ranking().next().filter(|_| answer.is_known());
    match (form, best) {
        (Form::Human, Some(class)) => {
            let probability = Percent(classifier.probability(class));
            write!(out, "{} {probability}   ", Plain(classifier.label(class)))?;
            costs(answer, out)
        }
        (Form::Human, None) => {
            write!(out, "unknown input   ")?;
            costs(answer, out)
        }
        (Form::Machine, best) => {
            match best {
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
    }
}

/// The likeliest classes of a text.
pub fn top(classifier: &Classifier<'_>, answer: Answer, n: usize, form: Form, out: &mut dyn Write) -> fmt::Result {
    let classes = || classifier.ranking().take(if answer.is_known() { n } else { 0 });
    match form {
        Form::Human => {
            if !answer.is_known() {
                write!(out, "unknown input   ")?;
            }
            let width = classes().map(|class| width(classifier.label(class))).max().unwrap_or(0);
            for class in classes() {
                let label = classifier.label(class);
                write!(out, "{}{:2$}", Plain(label), "", width - self::width(label))?;
                write!(out, " {}\r\n", Percent(classifier.probability(class)))?;
            }
            costs(answer, out)
        }
        Form::Machine => {
            write!(out, r#"{{"top":["#)?;
            list(out, classes().map(|class| Ranked { classifier, class }))?;
            write!(out, "],")?;
            json_costs(answer, out)
        }
    }
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

/// The commands.
pub fn help(form: Form, out: &mut dyn Write) -> fmt::Result {
    match form {
        Form::Human => {
            for entry in &COMMANDS {
                write!(out, "{:15} {}\r\n", entry.usage, entry.help)?;
            }
            write!(out, "any other line is a text; `@` before a command answers in JSON")
        }
        Form::Machine => {
            write!(out, r#"{{"commands":["#)?;
            list(out, COMMANDS.iter().map(|entry| Json(entry.word)))?;
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
