//! What a line means: a command, in one of two forms, or a text.

mod complete;

pub use complete::{Completion, completion};

use crate::models::Request;
use crate::port::Level;

/// Whom an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A person.
    Human,
    /// A program: one line, one JSON object.
    Machine,
}

impl Form {
    /// As `mode` spells it.
    pub fn word(self) -> &'static str {
        match self {
            Form::Human => "human",
            Form::Machine => "machine",
        }
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'l> {
    /// List the commands.
    Help,
    /// Tell of model, firmware and board.
    Info,
    /// List the classes.
    Labels,
    /// The `n` likeliest classes of `text`, or of the last text.
    Top {
        /// 1 … 9999
        n: usize,
        /// None: the last text classified.
        text: Option<&'l [u8]>,
    },
    /// Classify a text.
    Classify(&'l [u8]),
    /// Run the golden texts.
    Selftest,
    /// Whether typed characters are sent back.
    Echo(bool),
    /// Enter the streaming mode.
    Stream,
    /// Time the golden texts.
    Bench,
    /// Tell what came since the start.
    Stats,
    /// Speak to a person, or to a program.
    Mode(Form),
    /// Whether the terminal shows colours; none: ask it.
    Color(Option<bool>),
    /// What goes to the log.
    Log(Level),
    /// Something about the models in the slots.
    Slots(Request),
    /// Begin anew.
    Reset,
}

/// A line, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'l> {
    /// Nothing.
    Empty,
    /// A text to classify for a person.
    Text(&'l [u8]),
    /// A command.
    Command(Form, Command<'l>),
    /// `@` and a command of a wrong shape.
    Misfit(&'static Entry),
    /// In machine mode: no command.
    Unknown,
}

/// A command for `help`.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// The word that it begins with.
    pub word: &'static str,
    /// Its shape.
    pub usage: &'static str,
    /// What it does.
    pub help: &'static str,
    /// Words that may follow, where only these may.
    pub choices: &'static [&'static str],
}

/// All commands.
pub static COMMANDS: [Entry; 19] = [
    Entry::new("help", "help", "this list"),
    Entry::new("info", "info", "model, firmware, board and sizes"),
    Entry::new("labels", "labels", "the classes"),
    Entry::new("top", "top N [TEXT]", "the N likeliest classes of TEXT, or of the last text"),
    Entry::new("classify", "classify TEXT", "for a text that looks like a command"),
    Entry::new("selftest", "selftest", "the model's golden texts: every logit must be exact"),
    Entry::new("bench", "bench", "what a token costs: the model's golden texts, timed"),
    Entry::new("stats", "stats", "what came since the start: lines, tokens, lost bytes; stack and reset"),
    Entry::new("stream", "stream", "texts of any length: Ctrl-D ends one, Ctrl-X drops it, Ctrl-C leaves"),
    Entry::new("mode", "mode human|machine", "machine: each request gets one line, numbered, checksummed")
        .with(&["human", "machine"]),
    Entry::new("echo", "echo on|off", "whether what is typed is sent back").with(&["on", "off"]),
    Entry::new("color", "color on|off|auto", "colours; `auto` asks the terminal").with(&["on", "off", "auto"]),
    Entry::new("log", "log LEVEL", "what goes to the log port: off, error, warn or info").with(Level::WORDS),
    Entry::new("models", "models", "the two slots for models, and which serves"),
    Entry::new("load", "load", "receive a model by YMODEM into the slot that does not serve"),
    Entry::new("activate", "activate", "check it, and have the next start try it"),
    Entry::new("rollback", "rollback", "go back to the model before"),
    Entry::new("erase", "erase", "empty the slot that does not serve"),
    Entry::new("reset", "reset", "begin anew, as after power-on"),
];

impl Entry {
    const fn new(word: &'static str, usage: &'static str, help: &'static str) -> Self {
        Entry { word, usage, help, choices: &[] }
    }

    const fn with(self, choices: &'static [&'static str]) -> Self {
        Entry { choices, ..self }
    }

    /// Whether nothing may follow its word.
    pub fn is_bare(&self) -> bool {
        self.word == self.usage
    }
}

/// The form in which a line of which perhaps only the beginning is known is answered.
pub fn form(line: &[u8]) -> Form {
    if line.starts_with(b"@") { Form::Machine } else { Form::Human }
}

/// Understands a line.
pub fn parse(line: &[u8]) -> Line<'_> {
    if line.is_empty() {
        return Line::Empty;
    }
    let form = form(line);
    let body = line.strip_prefix(b"@").unwrap_or(line);
    let (word, rest) = cut(body);
    let Some(entry) = COMMANDS.iter().find(|entry| entry.word.as_bytes() == word) else { return Line::Text(line) };
    match (arguments(entry.word, rest, form), form) {
        (Some(command), _) => Line::Command(form, command),
        (None, Form::Human) => Line::Text(line),
        (None, Form::Machine) => Line::Misfit(entry),
    }
}

/// Understands a line in machine mode: a command, with `@` or without.
pub fn request(line: &[u8]) -> Line<'_> {
    let body = line.strip_prefix(b"@").unwrap_or(line);
    let (word, rest) = cut(body);
    let Some(entry) = COMMANDS.iter().find(|entry| entry.word.as_bytes() == word) else { return Line::Unknown };
    match arguments(entry.word, rest, Form::Machine) {
        Some(command) => Line::Command(Form::Machine, command),
        None => Line::Misfit(entry),
    }
}

/// Splits at the first space; it belongs to neither side.
fn cut(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|&byte| byte == b' ') {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[]),
    }
}

/// `None`: the shape does not fit.
fn arguments<'l>(word: &str, rest: &'l [u8], form: Form) -> Option<Command<'l>> {
    let is_blank = |bytes: &[u8]| bytes.iter().all(|&byte| byte == b' ');
    match word {
        "help" if is_blank(rest) => Some(Command::Help),
        "info" if is_blank(rest) => Some(Command::Info),
        "labels" if is_blank(rest) => Some(Command::Labels),
        "selftest" if is_blank(rest) => Some(Command::Selftest),
        "stream" if is_blank(rest) => Some(Command::Stream),
        "bench" if is_blank(rest) => Some(Command::Bench),
        "stats" if is_blank(rest) => Some(Command::Stats),
        "models" if is_blank(rest) => Some(Command::Slots(Request::Models)),
        "load" if is_blank(rest) => Some(Command::Slots(Request::Load)),
        "activate" if is_blank(rest) => Some(Command::Slots(Request::Activate)),
        "rollback" if is_blank(rest) => Some(Command::Slots(Request::Rollback)),
        "erase" if is_blank(rest) => Some(Command::Slots(Request::Erase)),
        "reset" if is_blank(rest) => Some(Command::Reset),
        "top" => {
            let (number, text) = cut(rest);
            Some(Command::Top { n: count(number)?, text: Some(text).filter(|text| !is_blank(text)) })
        }
        // A program's data may hold an empty text; a person who types the bare word means the word.
        "classify" if form == Form::Machine || !is_blank(rest) => Some(Command::Classify(rest)),
        "echo" => match rest.trim_ascii_end() {
            b"on" => Some(Command::Echo(true)),
            b"off" => Some(Command::Echo(false)),
            _ => None,
        },
        "color" => match rest.trim_ascii_end() {
            b"on" => Some(Command::Color(Some(true))),
            b"off" => Some(Command::Color(Some(false))),
            b"auto" => Some(Command::Color(None)),
            _ => None,
        },
        "mode" => match rest.trim_ascii_end() {
            b"human" => Some(Command::Mode(Form::Human)),
            b"machine" => Some(Command::Mode(Form::Machine)),
            _ => None,
        },
        "log" => Some(Command::Log(Level::of(rest.trim_ascii_end())?)),
        _ => None,
    }
}

/// 1 … 9999
fn count(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 4 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n = digits.iter().fold(0, |n, digit| n * 10 + usize::from(digit - b'0'));
    (n > 0).then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_fit() {
        let human = |line: &'static str| match parse(line.as_bytes()) {
            Line::Command(Form::Human, command) => command,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(human("help"), Command::Help);
        assert_eq!(human("info  "), Command::Info);
        assert_eq!(human("labels"), Command::Labels);
        assert_eq!(human("selftest"), Command::Selftest);
        assert_eq!(human("stream"), Command::Stream);
        assert_eq!(human("echo on"), Command::Echo(true));
        assert_eq!(human("echo off "), Command::Echo(false));
        assert_eq!(human("color auto"), Command::Color(None));
        assert_eq!(human("log warn "), Command::Log(Level::Warn));
        assert_eq!(human("reset"), Command::Reset);
        assert_eq!(human("top 3"), Command::Top { n: 3, text: None });
        assert_eq!(human("top 9999 "), Command::Top { n: 9999, text: None });
        assert_eq!(human("top 10 songs"), Command::Top { n: 10, text: Some(b"songs") });
        assert_eq!(human("top 2  two"), Command::Top { n: 2, text: Some(b" two") });
        assert_eq!(human("classify help"), Command::Classify(b"help"));
        assert_eq!(human("classify  help "), Command::Classify(b" help "));
    }

    #[test]
    fn texts() {
        for text in [
            "free prize",
            "help me",
            "Help",
            " help",
            "helpful",
            "top",
            "top of the morning",
            "top 0 x",
            "top 10000",
            "top 3x",
            "top  3",
            "echo",
            "echo on off",
            "log it",
            "color me surprised",
            "reset the alarm",
            "classify",
            "classify ",
            "@",
            "@bob are you there?",
            "@ info",
            "@@info",
            "streams",
            "info\t",
        ] {
            assert_eq!(parse(text.as_bytes()), Line::Text(text.as_bytes()), "{text}");
        }
        assert_eq!(parse(b""), Line::Empty);
        assert_eq!(parse(b" "), Line::Text(b" "));
    }

    #[test]
    fn requests_in_machine_mode() {
        assert_eq!(request(b"info"), Line::Command(Form::Machine, Command::Info));
        assert_eq!(request(b"@mode human"), Line::Command(Form::Machine, Command::Mode(Form::Human)));
        assert_eq!(request(b"classify"), Line::Command(Form::Machine, Command::Classify(b"")));
        assert!(matches!(request(b"top x"), Line::Misfit(entry) if entry.word == "top"));
        assert_eq!(request(b"free prize"), Line::Unknown);
        assert_eq!(request(b""), Line::Unknown);
    }

    #[test]
    fn machine_form() {
        assert_eq!(parse(b"@info"), Line::Command(Form::Machine, Command::Info));
        assert_eq!(parse(b"@classify"), Line::Command(Form::Machine, Command::Classify(b"")));
        assert_eq!(parse(b"@classify a"), Line::Command(Form::Machine, Command::Classify(b"a")));
        for (misfit, word) in [("@top", "top"), ("@top x", "top"), ("@info please", "info"), ("@echo", "echo")] {
            assert!(matches!(parse(misfit.as_bytes()), Line::Misfit(entry) if entry.word == word), "{misfit}");
        }
    }
}
