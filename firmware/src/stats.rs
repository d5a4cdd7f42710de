//! The counters since the start, and the answers to the commands `stats` and `bench`: as text for a person, or as a
//! JSON object for a program.

use core::fmt::{self, Write};

use crate::boot_count::BootCount;
use crate::display::{Counted, Form, Long};
use crate::engine::Answer;
use crate::golden::Bench;
use crate::port::Stack;

/// Counters since the start, which wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The lines that were interpreted: complete and neither empty nor rejected.
    pub lines: u32,
    /// The rejected lines and texts: lines that were too long, and lines and texts of which bytes were lost.
    pub rejected: u32,
    /// The texts that the model has read to their end.
    pub texts: u32,
    /// The tokens of these texts.
    pub tokens: u64,
    /// The tokens of these texts that are not in the vocabulary.
    pub unknown: u64,
    /// The received bytes that were lost.
    pub dropped: u64,
}

impl Stats {
    /// Counts a text with this answer.
    pub fn add(&mut self, answer: &Answer) {
        self.texts = self.texts.wrapping_add(1);
        self.tokens = self.tokens.wrapping_add(answer.tokens.into());
        self.unknown = self.unknown.wrapping_add(answer.unknown.into());
    }
}

/// Writes the answer to `stats`. `stack` and `boots` are `None` if the board cannot tell them.
pub fn stats(
    stats: &Stats,
    stack: Option<Stack>,
    boots: Option<BootCount>,
    form: Form,
    out: &mut dyn Write,
) -> fmt::Result {
    let Stats { lines, rejected, texts, tokens, unknown, dropped } = *stats;
    // Unknown tokens per 1000 tokens, to print a percentage with one decimal.
    let permille = (unknown * 1000).checked_div(tokens).unwrap_or(0) as u32;
    if form == Form::Machine {
        // In the protocol, the key of the rejected lines and texts is `refused`.
        let (tokens, unknown, dropped) = (Long(tokens), Long(unknown), Long(dropped));
        write!(out, r#"{{"lines":{lines},"refused":{rejected},"texts":{texts},"tokens":{tokens},"#)?;
        write!(out, r#""unknown":{unknown},"dropped":{dropped},"stack_used":"#)?;
        match stack {
            Some(Stack { used, size }) => write!(out, r#"{used},"stack_size":{size}"#)?,
            None => write!(out, r#"null,"stack_size":null"#)?,
        }
        let Some(BootCount { reason, resets, .. }) = boots else {
            return write!(out, r#","last_reset":null,"resets":null}}"#);
        };
        write!(out, r#","last_reset":"{reason}","resets":{{"#)?;
        let mut separator = "";
        for (reason, count) in resets.iter() {
            write!(out, r#"{separator}"{reason}":{count}"#)?;
            separator = ",";
        }
        return out.write_str("}}");
    }
    write!(out, "lines       {lines}, {rejected} rejected\r\n")?;
    write!(out, "texts       {texts}\r\n")?;
    write!(out, "tokens      {}, {}.{} % unknown\r\n", Long(tokens), permille / 10, permille % 10)?;
    write!(out, "dropped     {}\r\n", Counted(dropped, "byte"))?;
    match stack {
        Some(Stack { used, size }) => write!(out, "stack       at most {used} of {size} bytes\r\n")?,
        None => write!(out, "stack       not known on this board\r\n")?,
    }
    match boots {
        Some(BootCount { reason, resets, .. }) => {
            write!(out, "resets      {resets} since power-on\r\nlast reset  {reason}")
        }
        None => write!(out, "last reset  not known on this board"),
    }
}

/// Writes the answer to `bench`. `instructions` is the number of instructions of all tokens, and `worst_instructions`
/// that of the slowest token; both are `None` if the board cannot tell them.
pub fn bench(
    bench: &Bench,
    instructions: Option<u64>,
    worst_instructions: Option<u64>,
    form: Form,
    out: &mut dyn Write,
) -> fmt::Result {
    let Bench { texts, tokens, ticks, worst, answers } = *bench;
    let per_token = |sum: u64| Long(sum.checked_div(tokens).unwrap_or(0));
    let (ticks_per_token, instructions_per_token) = (per_token(ticks), instructions.map(per_token));
    // A bidirectional model computes everything at the end of a text. Its `worst` is 0, and its `ticks` include the
    // answers, so neither a slowest token nor an answer is shown.
    let tokens_are_timed = worst > 0;
    let worst_ticks = tokens_are_timed.then(|| Long(worst.into()));
    let worst_instructions = worst_instructions.filter(|_| tokens_are_timed).map(Long);
    let answer_ticks = answers.checked_div(texts.into()).filter(|_| tokens_are_timed).map(Long);
    if form == Form::Machine {
        let (tokens, ticks) = (Long(tokens), Long(ticks));
        write!(out, r#"{{"texts":{texts},"tokens":{tokens},"ticks":{ticks},"ticks_per_token":{ticks_per_token},"#)?;
        write!(out, r#""worst_ticks":{},"answer_ticks":{},"#, OrNull(worst_ticks), OrNull(answer_ticks))?;
        write!(out, r#""instructions_per_token":{},"#, OrNull(instructions_per_token))?;
        return write!(out, r#""worst_instructions":{}}}"#, OrNull(worst_instructions));
    }
    write!(out, "{}, {}\r\n", Counted(texts.into(), "golden example"), Counted(tokens, "token"))?;
    write!(out, "ticks         {ticks_per_token} a token")?;
    if let Some(worst) = worst_ticks {
        write!(out, ", {worst} at worst")?;
    }
    if let Some(answer) = answer_ticks {
        write!(out, ", {answer} an answer")?;
    }
    if let Some(mean) = instructions_per_token {
        write!(out, "\r\ninstructions  {mean} a token")?;
        if let Some(worst) = worst_instructions {
            write!(out, ", {worst} at worst")?;
        }
    }
    Ok(())
}

/// Displays a number, or `null` for `None`.
struct OrNull(Option<Long>);

impl fmt::Display for OrNull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::ResetReason;
    use std::string::String;

    #[test]
    fn counters_are_printed_in_both_forms() {
        let seen = Stats { lines: 3, rejected: 1, texts: 2, tokens: 8, unknown: 1, dropped: 1 };
        let shown = |stack, reset: Option<_>, form| {
            let boots = reset.map(|reason| BootCount::next(&BootCount::FIRST.to_words(), reason));
            let mut out = String::new();
            stats(&seen, stack, boots, form, &mut out).unwrap();
            out
        };
        let stack = Some(Stack { used: 5000, size: 65536 });
        let human = shown(stack, Some(ResetReason::Watchdog), Form::Human);
        assert!(human.starts_with("lines       3, 1 rejected\r\n"), "{human}");
        assert!(human.contains("tokens      8, 12.5 % unknown\r\ndropped     1 byte\r\n"), "{human}");
        assert!(human.ends_with("stack       at most 5000 of 65536 bytes\r\nresets      1: 1 watchdog since power-on\r\nlast reset  watchdog"), "{human}");
        let counters = r#"{"lines":3,"refused":1,"texts":2,"tokens":8,"unknown":1,"dropped":1,"#;
        let known = shown(stack, Some(ResetReason::Pin), Form::Machine);
        assert_eq!(
            known,
            std::format!(
                r#"{counters}"stack_used":5000,"stack_size":65536,"last_reset":"pin","resets":{{"pin":1,"brownout":0,"watchdog":0,"command":0,"panic":0}}}}"#
            )
        );
        let unknown = shown(None, None, Form::Machine);
        assert_eq!(
            unknown,
            std::format!(r#"{counters}"stack_used":null,"stack_size":null,"last_reset":null,"resets":null}}"#)
        );
    }

    #[test]
    fn costs_are_printed_in_both_forms() {
        let seen = Bench { texts: 1, tokens: 4, ticks: 10, worst: 5, answers: 3 };
        let shown = |bench: &Bench, known: bool, form| {
            let mut out = String::new();
            super::bench(bench, known.then_some(6), known.then_some(3), form, &mut out).unwrap();
            out
        };
        let human = shown(&seen, true, Form::Human);
        let lines = "1 golden example, 4 tokens\r\nticks         2 a token, 5 at worst, 3 an answer";
        assert_eq!(human, std::format!("{lines}\r\ninstructions  1 a token, 3 at worst"));
        assert_eq!(shown(&seen, false, Form::Human), lines);
        let bidirectional = Bench { worst: 0, ..seen };
        let machine = r#"{"texts":1,"tokens":4,"ticks":10,"ticks_per_token":2,"worst_ticks":null,"answer_ticks":null,"instructions_per_token":null,"worst_instructions":null}"#;
        assert_eq!(shown(&bidirectional, false, Form::Machine), machine);
    }
}
