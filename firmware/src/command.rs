//! What a line means: a command, in one of two forms, or a text.

mod complete;

pub use complete::{Completion, completion};

use tern_runtime::{Sampler, Task};

use crate::classifier::Sampling;
use crate::models::Request;
use crate::numbers::Numbers;
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
    /// The likeliest next tokens.
    Next {
        /// 1 … 9999; none: as many as are usual.
        n: Option<usize>,
        /// What goes before.
        text: &'l [u8],
    },
    /// Go on with a text.
    Say {
        /// 1 … 9999; none: as many as are usual.
        n: Option<usize>,
        /// What goes before.
        text: &'l [u8],
    },
    /// How tokens are drawn.
    Set(Setting),
    /// What follows the numbers.
    Forecast(&'l [u8]),
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

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Where the random numbers begin.
    Seed(u32),
    /// Q16
    Temperature(u32),
    /// From how many of the likeliest.
    TopK(usize),
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
    /// In machine form: a command that a model of this task has not.
    Foreign(&'static Entry, Task),
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
    /// The task of the models that it asks; none: of any.
    pub task: Option<Task>,
}

/// All commands.
pub static COMMANDS: [Entry; 23] = [
    Entry::new("help", "help", "this list"),
    Entry::new("info", "info", "model, firmware, board and sizes"),
    Entry::new("labels", "labels", "the classes").of(Task::Classify),
    Entry::new("top", "top N [TEXT]", "the N likeliest classes of TEXT, or of the last text").of(Task::Classify),
    Entry::new("classify", "classify TEXT", "for a text that looks like a command").of(Task::Classify),
    Entry::new("next", "next [N] TEXT", "the N likeliest tokens after TEXT").of(Task::LanguageModel),
    Entry::new("say", "say [N] TEXT", "TEXT, and N tokens more").of(Task::LanguageModel),
    Entry::new("set", "set NAME VALUE", "how tokens are drawn: seed, temperature, top-k")
        .with(&["seed", "temperature", "top-k"])
        .of(Task::LanguageModel),
    Entry::new("forecast", "forecast NUMBERS", "what follows NUMBERS, each step one for each channel")
        .of(Task::Forecast),
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
        Entry { word, usage, help, choices: &[], task: None }
    }

    const fn with(self, choices: &'static [&'static str]) -> Self {
        Entry { choices, ..self }
    }

    const fn of(self, task: Task) -> Self {
        Entry { task: Some(task), ..self }
    }

    /// Whether a model for this task has the command; none: there is no model to ask.
    pub fn serves(&self, model: Option<Task>) -> bool {
        match (self.task, model) {
            (Some(task), Some(model)) => task == model,
            _ => true,
        }
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

/// Understands a line, for a model of this task.
pub fn parse(line: &[u8], model: Option<Task>) -> Line<'_> {
    if line.is_empty() {
        return Line::Empty;
    }
    match (form(line), request(line, model)) {
        (_, Line::Unknown) | (Form::Human, Line::Misfit(_) | Line::Foreign(..)) => Line::Text(line),
        (form, Line::Command(_, command)) => match command {
            // A program's data may hold an empty text; a person who types the bare word means the word.
            Command::Classify(text) | Command::Next { text, .. } | Command::Forecast(text)
                if form == Form::Human && is_blank(text) =>
            {
                Line::Text(line)
            }
            command => Line::Command(form, command),
        },
        (_, understood) => understood,
    }
}

/// Understands a line in machine mode: a command, with `@` or without.
pub fn request(line: &[u8], model: Option<Task>) -> Line<'_> {
    let body = line.strip_prefix(b"@").unwrap_or(line);
    let (word, rest) = cut(body);
    let Some(entry) = COMMANDS.iter().find(|entry| entry.word.as_bytes() == word) else { return Line::Unknown };
    match (arguments(entry.word, rest), model) {
        (_, Some(task)) if !entry.serves(model) => Line::Foreign(entry, task),
        (Some(command), _) => Line::Command(Form::Machine, command),
        (None, _) => Line::Misfit(entry),
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == b' ')
}

/// Splits at the first space; it belongs to neither side.
fn cut(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|&byte| byte == b' ') {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[]),
    }
}

/// `None`: the shape does not fit.
fn arguments<'l>(word: &str, rest: &'l [u8]) -> Option<Command<'l>> {
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
        "classify" => Some(Command::Classify(rest)),
        "forecast" => Some(Command::Forecast(rest)),
        "next" => Some(counted(rest, |n, text| Command::Next { n, text })),
        "say" => Some(counted(rest, |n, text| Command::Say { n, text })),
        "set" => {
            let (name, value) = cut(rest.trim_ascii_end());
            let setting = match name {
                b"seed" => Setting::Seed(number(value)?),
                b"temperature" => Setting::Temperature(temperature(value)?),
                b"top-k" => Setting::TopK(count(value).filter(|&k| k <= Sampling::MOST_CANDIDATES)?),
                _ => return None,
            };
            Some(Command::Set(setting))
        }
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

/// A number that may stand before a text.
fn counted<'l>(rest: &'l [u8], command: impl FnOnce(Option<usize>, &'l [u8]) -> Command<'l>) -> Command<'l> {
    let (first, text) = cut(rest);
    match count(first) {
        Some(n) => command(Some(n), text),
        None => command(None, rest),
    }
}

/// 0 … 4,294,967,295
fn number(digits: &[u8]) -> Option<u32> {
    core::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?.parse().ok()
}

/// A decimal from 0 to 100, in Q16.
fn temperature(decimal: &[u8]) -> Option<u32> {
    let mut numbers = Numbers::default();
    for &byte in decimal {
        numbers.push(byte).ok().filter(Option::is_none)?;
    }
    let (numerator, denominator) = numbers.end(b' ').ok()??;
    let q16 = i64::from(numerator) * i64::from(Sampler::ONE) / i64::from(denominator.get());
    u32::try_from(q16).ok().filter(|&q16| q16 <= 100 * Sampler::ONE)
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
mod tests;
