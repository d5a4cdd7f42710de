//! The commands of the console, and how a line is interpreted as a command or a text (docs/console.md).
//!
//! At the prompt, a person types a command or a text for the model. A program writes `@` before a command, and gets the
//! answer as JSON: [`Form::Machine`]. In machine mode, which `mode machine` begins, every line must be a command, with
//! or without `@`, and every answer is JSON.

use tern_runtime::{Sampler, Task};

use crate::display::Form;
use crate::engine::Sampling;
use crate::features::{COLORS, LOG, TASKS};
use crate::log_level::Level;
use crate::numbers::NumberParser;
#[cfg(feature = "updates")]
use crate::request::Request;

/// A command with its arguments. A `count` is from 1 to 9999; with `None` the console uses its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "diagnostics"), allow(dead_code))]
pub enum Command<'l> {
    Help,
    Info,
    Labels,
    /// List the `count` most probable classes of `text`; `None` stands for the last text that was classified.
    Top {
        count: usize,
        text: Option<&'l [u8]>,
    },
    /// Classify a text. A line at the prompt that is not a command is also passed on as this, for a model of any task.
    Classify(&'l [u8]),
    /// List the `count` most probable tokens after `text`.
    Next {
        count: Option<usize>,
        text: &'l [u8],
    },
    /// Continue `text` by `count` tokens.
    Say {
        count: Option<usize>,
        text: &'l [u8],
    },
    /// Change how `say` draws tokens.
    Set(Setting),
    /// Forecast the values after these numbers.
    Forecast(&'l [u8]),
    /// Run the golden examples and compare their logits.
    Selftest,
    /// Measure the time that the golden examples take.
    Bench,
    /// Print the counters.
    Stats,
    /// Enter the streaming mode.
    Stream,
    /// Enter machine mode with [`Form::Machine`], or return to the prompt with [`Form::Human`].
    Mode(Form),
    /// Switch the echo of typed characters on or off.
    Echo(bool),
    /// Switch colours on or off; `None` is `auto`, which asks the terminal.
    Color(Option<bool>),
    /// Set the level of the log.
    Log(Level),
    /// List or change the model slots.
    #[cfg(feature = "updates")]
    Slots(Request),
    /// Restart the device.
    Reset,
    /// Leave the console, if it runs on a computer.
    Quit,
}

/// A parameter of `say`, with its new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    Seed(u32),
    /// The temperature in Q16.
    Temperature(u32),
    /// The number of most probable tokens to draw from.
    TopK(usize),
}

/// The meaning of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'l> {
    /// An empty line at the prompt.
    Empty,
    /// A text for the model. Its answer has [`Form::Human`].
    Text(&'l [u8]),
    /// A command, with the form of its answer.
    Command(Form, Command<'l>),
    /// A command with wrong arguments, in machine mode or after `@`.
    WrongArguments(&'static CommandInfo),
    /// A command for models of another task, in machine mode or after `@`; and the task of the loaded model.
    #[cfg(feature = "tasks")]
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
    /// The explanation that `help` prints after the usage.
    pub help: &'static str,
    /// The command itself, if it takes no arguments.
    bare: Option<Command<'static>>,
    /// The words that the first argument can be, for completion; empty if it can be anything.
    pub choices: &'static [&'static str],
    /// The task of the models that have this command; `None` for every model.
    pub task: Option<Task>,
}

/// All commands but `quit` and `exit`. `help` lists those for the task of the loaded model.
pub static COMMANDS: &[CommandInfo] = &[
    CommandInfo::bare("help", Command::Help, "list the commands"),
    CommandInfo::bare("info", Command::Info, "show model, firmware, board and sizes"),
    CommandInfo::bare("labels", Command::Labels, "list the labels").only_for(Task::Classify),
    CommandInfo::new("top", "top N [TEXT]", "the N most probable labels of TEXT, or of the last text")
        .only_for(Task::Classify),
    CommandInfo::new("classify", "classify TEXT", "classify a TEXT that looks like a command").only_for(Task::Classify),
    #[cfg(feature = "tasks")]
    CommandInfo::new("next", "next [N] TEXT", "the N most probable tokens after TEXT").only_for(Task::LanguageModel),
    #[cfg(feature = "tasks")]
    CommandInfo::new("say", "say [N] TEXT", "continue TEXT by N tokens").only_for(Task::LanguageModel),
    #[cfg(feature = "tasks")]
    CommandInfo::new("set", "set NAME VALUE", "set seed, temperature or top-k of `say`")
        .with_choices(&["seed", "temperature", "top-k"])
        .only_for(Task::LanguageModel),
    #[cfg(feature = "tasks")]
    CommandInfo::new("forecast", "forecast NUMBERS", "forecast what follows; each step has one number a channel")
        .only_for(Task::Forecast),
    #[cfg(feature = "diagnostics")]
    CommandInfo::bare("selftest", Command::Selftest, "run the model's stored examples; all logits must match"),
    #[cfg(feature = "diagnostics")]
    CommandInfo::bare("bench", Command::Bench, "measure the clock ticks that a token takes"),
    #[cfg(feature = "diagnostics")]
    CommandInfo::bare("stats", Command::Stats, "count lines, tokens and lost bytes; stack and resets"),
    CommandInfo::bare("stream", Command::Stream, "send long texts: Ctrl-D ends, Ctrl-X drops, Ctrl-C leaves"),
    CommandInfo::new("mode", "mode human|machine", "machine: numbered JSON answers with checksums")
        .with_choices(&["human", "machine"]),
    CommandInfo::new("echo", "echo on|off", "send typed characters back, or not").with_choices(&["on", "off"]),
    #[cfg(feature = "colors")]
    CommandInfo::new("color", "color on|off|auto", "use colours; `auto` asks the terminal")
        .with_choices(&["on", "off", "auto"]),
    #[cfg(feature = "log")]
    CommandInfo::new("log", "log LEVEL", "log to the second port: off, error, warn or info").with_choices(Level::WORDS),
    #[cfg(feature = "updates")]
    CommandInfo::bare("models", Command::Slots(Request::Models), "list the two model slots and the model in use"),
    #[cfg(feature = "updates")]
    CommandInfo::bare("load", Command::Slots(Request::Load), "receive a model by YMODEM into the slot not in use"),
    #[cfg(feature = "updates")]
    CommandInfo::bare("activate", Command::Slots(Request::Activate), "check that model, and try it at the next start"),
    #[cfg(feature = "updates")]
    CommandInfo::bare("rollback", Command::Slots(Request::Rollback), "return to the previous model at the next start"),
    #[cfg(feature = "updates")]
    CommandInfo::bare("erase", Command::Slots(Request::Erase), "empty the slot not in use"),
    CommandInfo::bare("reset", Command::Reset, "restart the device"),
];

impl CommandInfo {
    const fn new(word: &'static str, usage: &'static str, help: &'static str) -> Self {
        CommandInfo { word, usage, help, bare: None, choices: &[], task: None }
    }

    /// A command without arguments.
    const fn bare(word: &'static str, command: Command<'static>, help: &'static str) -> Self {
        CommandInfo { bare: Some(command), ..CommandInfo::new(word, word, help) }
    }

    const fn with_choices(self, choices: &'static [&'static str]) -> Self {
        CommandInfo { choices, ..self }
    }

    const fn only_for(self, task: Task) -> Self {
        CommandInfo { task: Some(task), ..self }
    }

    /// Returns true if a model with the task `loaded` has the command. Without a model (`None`) the result is true for
    /// every command.
    pub fn is_for(&self, loaded: Option<Task>) -> bool {
        self.task.is_none() || loaded.is_none() || self.task == loaded
    }

    /// Returns true if the command takes arguments.
    pub fn takes_arguments(&self) -> bool {
        self.bare.is_none()
    }

    /// Returns the command with these arguments; `None` if they are wrong. A guard such as `if TASKS` lets the compiler
    /// remove the code of a command that the build does not have.
    fn parse<'l>(&self, arguments: &'l [u8]) -> Option<Command<'l>> {
        if let Some(command) = self.bare {
            return is_blank(arguments).then_some(command);
        }
        let trimmed = arguments.trim_ascii_end();
        Some(match self.word {
            "top" => {
                let (number, given) = split_at_space(arguments);
                let text = if is_blank(given) { None } else { Some(given) };
                Command::Top { count: parse_count(number)?, text }
            }
            "classify" => Command::Classify(arguments),
            "forecast" if TASKS => Command::Forecast(arguments),
            "next" if TASKS => {
                let (count, text) = split_count(arguments);
                Command::Next { count, text }
            }
            "say" if TASKS => {
                let (count, text) = split_count(arguments);
                Command::Say { count, text }
            }
            "set" if TASKS => {
                let (name, value) = split_at_space(trimmed);
                Command::Set(match name {
                    b"seed" => Setting::Seed(parse_number(value)?),
                    b"temperature" => Setting::Temperature(parse_temperature(value)?),
                    b"top-k" => Setting::TopK(parse_count(value).filter(|&k| k <= Sampling::MAX_CANDIDATES)?),
                    _ => return None,
                })
            }
            "echo" => Command::Echo(on_or_off(trimmed)?),
            "color" if COLORS && trimmed == b"auto" => Command::Color(None),
            "color" if COLORS => Command::Color(Some(on_or_off(trimmed)?)),
            "mode" => {
                Command::Mode([Form::Human, Form::Machine].into_iter().find(|form| form.word().as_bytes() == trimmed)?)
            }
            "log" if LOG => Command::Log(Level::from_word(trimmed)?),
            _ => return None,
        })
    }
}

/// The form of the answer to a line at the prompt that begins with these bytes.
pub fn form_of(line: &[u8]) -> Form {
    if line.starts_with(b"@") { Form::Machine } else { Form::Human }
}

/// Interprets a line at the prompt. `loaded` is the task of the loaded model.
pub fn parse(line: &[u8], loaded: Option<Task>) -> Line<'_> {
    if line.is_empty() {
        return Line::Empty;
    }
    if matches!(line.trim_ascii_end(), b"quit" | b"exit") {
        return Line::Command(Form::Human, Command::Quit);
    }
    match (form_of(line), request(line, loaded)) {
        // An unknown word makes the line a text even after `@`; a known one, only if a person typed it.
        (_, Line::Unknown) | (Form::Human, Line::WrongArguments(_)) => Line::Text(line),
        #[cfg(feature = "tasks")]
        (Form::Human, Line::WrongTask(..)) => Line::Text(line),
        (form, Line::Command(_, command)) => match command {
            // A program may send an empty text. A person who types only the word means the word as a text.
            Command::Classify(text) | Command::Next { text, .. } | Command::Forecast(text)
                if form == Form::Human && is_blank(text) =>
            {
                Line::Text(line)
            }
            command => Line::Command(form, command),
        },
        // Wrong arguments or a wrong task after `@`.
        (_, error) => error,
    }
}

/// Interprets a line in machine mode: a command, with `@` or without. `loaded` is the task of the loaded model. The
/// result is never [`Line::Empty`] or [`Line::Text`], and a command has [`Form::Machine`].
#[cfg_attr(not(feature = "tasks"), allow(unused_variables))]
pub fn request(line: &[u8], loaded: Option<Task>) -> Line<'_> {
    let (word, arguments) = split_at_space(line.strip_prefix(b"@").unwrap_or(line));
    let Some(info) = COMMANDS.iter().find(|info| info.word.as_bytes() == word) else { return Line::Unknown };
    #[cfg(feature = "tasks")]
    if let Some(task) = loaded
        && !info.is_for(loaded)
    {
        return Line::WrongTask(info, task);
    }
    match info.parse(arguments) {
        Some(command) => Line::Command(Form::Machine, command),
        None => Line::WrongArguments(info),
    }
}

/// Returns true if there are only spaces, or nothing.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == b' ')
}

/// Splits at the first space, which belongs to neither side. Without a space, the second side is empty.
pub fn split_at_space(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|&byte| byte == b' ') {
        Some(space) => (&line[..space], &line[space + 1..]),
        None => (line, &[]),
    }
}

/// Splits the arguments into an optional count and a text.
fn split_count(arguments: &[u8]) -> (Option<usize>, &[u8]) {
    let (first, text) = split_at_space(arguments);
    match parse_count(first) {
        Some(count) => (Some(count), text),
        None => (None, arguments),
    }
}

fn on_or_off(word: &[u8]) -> Option<bool> {
    match word {
        b"on" => Some(true),
        b"off" => Some(false),
        _ => None,
    }
}

/// Parses a decimal number from 0 to 4,294,967,295.
fn parse_number(digits: &[u8]) -> Option<u32> {
    let mut number = 0u32;
    for &digit in digits {
        let value = char::from(digit).to_digit(10)?;
        number = number.checked_mul(10)?.checked_add(value)?;
    }
    if digits.is_empty() { None } else { Some(number) }
}

/// Parses a decimal number from 1 to 9999, of at most four digits.
fn parse_count(digits: &[u8]) -> Option<usize> {
    let count = parse_number(digits)? as usize;
    if count > 0 && digits.len() <= 4 { Some(count) } else { None }
}

/// Parses a decimal from 0 to 100, such as `0.7`. Returns it in Q16.
fn parse_temperature(decimal: &[u8]) -> Option<u32> {
    let mut numbers = NumberParser::default();
    for &byte in decimal {
        // A byte that ends a number, such as a space or a comma, is wrong here.
        let Ok(None) = numbers.push(byte) else { return None };
    }
    let (numerator, denominator) = numbers.end(b' ').ok()??;
    let q16 = i64::from(numerator) * i64::from(Sampler::ONE) / i64::from(denominator.get());
    u32::try_from(q16).ok().filter(|&q16| q16 <= 100 * Sampler::ONE)
}

#[cfg(test)]
mod tests;
