//! The commands of the console, and how a line is interpreted as a command or a text.

mod complete;

pub use complete::{Completion, completion};

use tern_runtime::{Sampler, Task};

use crate::engine::Sampling;
use crate::form::Form;
use crate::log_level::Level;
use crate::numbers::NumberParser;
use crate::request::Request;

/// A command with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'l> {
    /// List the commands.
    Help,
    /// Describe model, firmware and board.
    Info,
    /// List the labels.
    Labels,
    /// List the `n` most probable classes of `text`.
    Top {
        /// 1 to 9999.
        n: usize,
        /// `None` for the last text that was classified.
        text: Option<&'l [u8]>,
    },
    /// Classify a text.
    Classify(&'l [u8]),
    /// List the most probable tokens after `text`.
    Next {
        /// 1 to 9999; `None` for the default.
        n: Option<usize>,
        /// The text.
        text: &'l [u8],
    },
    /// Continue `text`.
    Say {
        /// 1 to 9999; `None` for the default.
        n: Option<usize>,
        /// The text.
        text: &'l [u8],
    },
    /// Change how `say` draws tokens.
    Set(Setting),
    /// Forecast the values after these numbers.
    Forecast(&'l [u8]),
    /// Run the golden examples and compare their logits.
    Selftest,
    /// Switch the echo of typed characters on or off.
    Echo(bool),
    /// Enter the streaming mode.
    Stream,
    /// Measure the golden examples.
    Bench,
    /// Print the counters.
    Stats,
    /// Enter machine mode, or return to the prompt.
    Mode(Form),
    /// Switch colours on or off; `None` asks the terminal.
    Color(Option<bool>),
    /// Set the level of the log.
    Log(Level),
    /// Something about the model slots.
    Slots(Request),
    /// Restart the device.
    Reset,
    /// Leave the console, if it runs on a computer.
    Quit,
}

/// A parameter of `say`, with its new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The random seed.
    Seed(u32),
    /// The temperature in Q16.
    Temperature(u32),
    /// The number of most probable tokens to draw from.
    TopK(usize),
}

/// The meaning of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'l> {
    /// The line is empty.
    Empty,
    /// A text for the model, from a person.
    Text(&'l [u8]),
    /// A command.
    Command(Form, Command<'l>),
    /// `@` and a command with wrong arguments.
    WrongArguments(&'static CommandInfo),
    /// In machine form: a command for models of another task; the loaded model has this one.
    WrongTask(&'static CommandInfo, Task),
    /// In machine mode: not a command.
    Unknown,
}

/// The description of a command, for `help`, completion and parsing.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandInfo {
    /// The word that the command begins with.
    pub word: &'static str,
    /// The word with its arguments.
    pub usage: &'static str,
    /// The line that `help` prints.
    pub help: &'static str,
    /// The possible arguments, if only these words are allowed.
    pub choices: &'static [&'static str],
    /// The task of the models that have this command; `None` for every model.
    pub task: Option<Task>,
}

/// All commands that `help` lists.
pub static COMMANDS: [CommandInfo; 23] = [
    CommandInfo::new("help", "help", "list the commands"),
    CommandInfo::new("info", "info", "show model, firmware, board and sizes"),
    CommandInfo::new("labels", "labels", "list the labels").only_for(Task::Classify),
    CommandInfo::new("top", "top N [TEXT]", "the N most probable labels of TEXT, or of the last text")
        .only_for(Task::Classify),
    CommandInfo::new("classify", "classify TEXT", "classify a TEXT that looks like a command").only_for(Task::Classify),
    CommandInfo::new("next", "next [N] TEXT", "the N most probable tokens after TEXT").only_for(Task::LanguageModel),
    CommandInfo::new("say", "say [N] TEXT", "continue TEXT by N tokens").only_for(Task::LanguageModel),
    CommandInfo::new("set", "set NAME VALUE", "set seed, temperature or top-k of `say`")
        .with_choices(&["seed", "temperature", "top-k"])
        .only_for(Task::LanguageModel),
    CommandInfo::new("forecast", "forecast NUMBERS", "forecast what follows; each step has one number a channel")
        .only_for(Task::Forecast),
    CommandInfo::new("selftest", "selftest", "run the model's stored examples; all logits must match"),
    CommandInfo::new("bench", "bench", "measure the clock ticks that a token takes"),
    CommandInfo::new("stats", "stats", "count lines, tokens and lost bytes; stack and resets"),
    CommandInfo::new("stream", "stream", "send long texts: Ctrl-D ends, Ctrl-X drops, Ctrl-C leaves"),
    CommandInfo::new("mode", "mode human|machine", "machine: numbered JSON answers with checksums")
        .with_choices(&["human", "machine"]),
    CommandInfo::new("echo", "echo on|off", "send typed characters back, or not").with_choices(&["on", "off"]),
    CommandInfo::new("color", "color on|off|auto", "use colours; `auto` asks the terminal")
        .with_choices(&["on", "off", "auto"]),
    CommandInfo::new("log", "log LEVEL", "log to the second port: off, error, warn or info").with_choices(Level::WORDS),
    CommandInfo::new("models", "models", "list the two model slots and the model in use"),
    CommandInfo::new("load", "load", "receive a model by YMODEM into the slot not in use"),
    CommandInfo::new("activate", "activate", "check that model, and try it at the next start"),
    CommandInfo::new("rollback", "rollback", "return to the previous model at the next start"),
    CommandInfo::new("erase", "erase", "empty the slot not in use"),
    CommandInfo::new("reset", "reset", "restart the device"),
];

impl CommandInfo {
    const fn new(word: &'static str, usage: &'static str, help: &'static str) -> Self {
        CommandInfo { word, usage, help, choices: &[], task: None }
    }

    const fn with_choices(self, choices: &'static [&'static str]) -> Self {
        CommandInfo { choices, ..self }
    }

    const fn only_for(self, task: Task) -> Self {
        CommandInfo { task: Some(task), ..self }
    }

    /// Returns true if a model for this task has the command. Without a model every command is listed.
    pub fn is_for(&self, model: Option<Task>) -> bool {
        match (self.task, model) {
            (Some(task), Some(model)) => task == model,
            _ => true,
        }
    }

    /// Returns true if the command takes no arguments.
    pub fn is_bare(&self) -> bool {
        self.word == self.usage
    }
}

/// The form of the answer to a line that begins with these bytes.
pub fn form(line: &[u8]) -> Form {
    if line.starts_with(b"@") { Form::Machine } else { Form::Human }
}

/// Interprets a line at the prompt. `model` is the task of the loaded model.
pub fn parse(line: &[u8], model: Option<Task>) -> Line<'_> {
    if line.is_empty() {
        return Line::Empty;
    }
    if matches!(line.trim_ascii_end(), b"quit" | b"exit") {
        return Line::Command(Form::Human, Command::Quit);
    }
    match (form(line), request(line, model)) {
        (_, Line::Unknown) | (Form::Human, Line::WrongArguments(_) | Line::WrongTask(..)) => Line::Text(line),
        (form, Line::Command(_, command)) => match command {
            // A program may send an empty text; a person who types only the word means the word itself.
            Command::Classify(text) | Command::Next { text, .. } | Command::Forecast(text)
                if form == Form::Human && is_blank(text) =>
            {
                Line::Text(line)
            }
            command => Line::Command(form, command),
        },
        (_, line) => line,
    }
}

/// Interprets a line in machine mode: a command, with `@` or without.
pub fn request(line: &[u8], model: Option<Task>) -> Line<'_> {
    let body = line.strip_prefix(b"@").unwrap_or(line);
    let (word, rest) = split_at_space(body);
    let Some(info) = COMMANDS.iter().find(|info| info.word.as_bytes() == word) else { return Line::Unknown };
    match (parse_arguments(info.word, rest), model) {
        (_, Some(task)) if !info.is_for(model) => Line::WrongTask(info, task),
        (Some(command), _) => Line::Command(Form::Machine, command),
        (None, _) => Line::WrongArguments(info),
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == b' ')
}

/// Splits at the first space, which belongs to neither side.
fn split_at_space(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|&byte| byte == b' ') {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[]),
    }
}

/// The command with this word and these arguments; `None` if the arguments are wrong.
fn parse_arguments<'l>(word: &str, rest: &'l [u8]) -> Option<Command<'l>> {
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
            let (number, text) = split_at_space(rest);
            Some(Command::Top { n: count(number)?, text: Some(text).filter(|text| !is_blank(text)) })
        }
        "classify" => Some(Command::Classify(rest)),
        "forecast" => Some(Command::Forecast(rest)),
        "next" => Some(with_optional_count(rest, |n, text| Command::Next { n, text })),
        "say" => Some(with_optional_count(rest, |n, text| Command::Say { n, text })),
        "set" => {
            let (name, value) = split_at_space(rest.trim_ascii_end());
            let setting = match name {
                b"seed" => Setting::Seed(seed(value)?),
                b"temperature" => Setting::Temperature(temperature(value)?),
                b"top-k" => Setting::TopK(count(value).filter(|&k| k <= Sampling::MAX_CANDIDATES)?),
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
        "log" => Some(Command::Log(Level::from_word(rest.trim_ascii_end())?)),
        _ => None,
    }
}

/// The command with the count that may precede its text.
fn with_optional_count<'l>(
    rest: &'l [u8],
    command: impl FnOnce(Option<usize>, &'l [u8]) -> Command<'l>,
) -> Command<'l> {
    let (first, text) = split_at_space(rest);
    match count(first) {
        Some(n) => command(Some(n), text),
        None => command(None, rest),
    }
}

/// Parses 0 to 4,294,967,295.
fn seed(digits: &[u8]) -> Option<u32> {
    core::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?.parse().ok()
}

/// Parses a decimal from 0 to 100; the result is in Q16.
fn temperature(decimal: &[u8]) -> Option<u32> {
    let mut numbers = NumberParser::default();
    for &byte in decimal {
        numbers.push(byte).ok().filter(Option::is_none)?;
    }
    let (numerator, denominator) = numbers.end(b' ').ok()??;
    let q16 = i64::from(numerator) * i64::from(Sampler::ONE) / i64::from(denominator.get());
    u32::try_from(q16).ok().filter(|&q16| q16 <= 100 * Sampler::ONE)
}

/// Parses 1 to 9999.
fn count(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || digits.len() > 4 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n = digits.iter().fold(0, |n, digit| n * 10 + usize::from(digit - b'0'));
    (n > 0).then_some(n)
}

#[cfg(test)]
mod tests;
