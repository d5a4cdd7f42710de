//! What came since the start, and what became of it.

use core::fmt::{self, Write};

use crate::classifier::{Answer, Bench};
use crate::command::Form;
use crate::port::Stack;
use crate::starts::Starts;
use crate::text::Counted;

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Lines that were complete and not empty.
    pub lines: u32,
    /// Lines and texts refused: too long, or cut.
    pub refused: u32,
    /// Texts answered.
    pub texts: u32,
    /// Their tokens.
    pub tokens: u64,
    /// Those not in the vocabulary.
    pub unknown: u64,
    /// Bytes dropped.
    pub dropped: u64,
}

impl Stats {
    /// Counts a text.
    pub fn add(&mut self, answer: &Answer) {
        self.texts = self.texts.wrapping_add(1);
        self.tokens = self.tokens.saturating_add(answer.tokens.into());
        self.unknown = self.unknown.saturating_add(answer.unknown.into());
    }
}

/// The answer to `stats`.
pub fn stats(
    stats: &Stats,
    stack: Option<Stack>,
    starts: Option<Starts>,
    form: Form,
    out: &mut dyn Write,
) -> fmt::Result {
    let Stats { lines, refused, texts, tokens, unknown, dropped } = *stats;
    let permille = (unknown * 1000).checked_div(tokens).unwrap_or(0);
    if form == Form::Machine {
        write!(out, r#"{{"lines":{lines},"refused":{refused},"texts":{texts},"tokens":{tokens},"unknown":{unknown},"#)?;
        write!(out, r#""dropped":{dropped},"stack_used":"#)?;
        match stack {
            Some(Stack { used, size }) => write!(out, r#"{used},"stack_size":{size}"#)?,
            None => write!(out, r#"null,"stack_size":null"#)?,
        }
        let Some(Starts { reason, resets, .. }) = starts else {
            return write!(out, r#","last_reset":null,"resets":null}}"#);
        };
        write!(out, r#","last_reset":"{reason}","resets":{{"#)?;
        let mut comma = "";
        for (reason, count) in resets.iter() {
            write!(out, r#"{comma}"{reason}":{count}"#)?;
            comma = ",";
        }
        return out.write_str("}}");
    }
    write!(out, "lines       {lines}, {refused} refused\r\n")?;
    write!(out, "texts       {texts}\r\n")?;
    write!(out, "tokens      {tokens}, {}.{} % unknown\r\n", permille / 10, permille % 10)?;
    write!(out, "dropped     {}\r\n", Counted(dropped, "byte"))?;
    match stack {
        Some(Stack { used, size }) => write!(out, "stack       {used} of {size} bytes at most\r\n")?,
        None => write!(out, "stack       this board does not tell\r\n")?,
    }
    match starts {
        Some(Starts { reason, resets, .. }) => {
            write!(out, "resets      {resets}, since power came\r\nlast reset  {reason}")
        }
        None => write!(out, "last reset  this board does not tell"),
    }
}

/// The answer to `bench`, with the instructions that all ticks and the worst took, where they are known.
pub fn bench(
    bench: &Bench,
    instructions: Option<u64>,
    worst_instructions: Option<u64>,
    form: Form,
    out: &mut dyn Write,
) -> fmt::Result {
    let Bench { texts, tokens, ticks, worst, answers } = *bench;
    let mean = |sum: u64| sum.checked_div(tokens).unwrap_or(0);
    let worst = Some(worst).filter(|&worst| worst > 0).map(u64::from);
    let worst_instructions = worst.and(worst_instructions);
    // Of a bidirectional model all is in the tokens.
    let answer = answers.checked_div(texts.into()).filter(|_| worst.is_some());
    if form == Form::Machine {
        write!(out, r#"{{"texts":{texts},"tokens":{tokens},"ticks":{ticks},"ticks_per_token":{},"#, mean(ticks))?;
        write!(out, r#""worst_ticks":{},"answer_ticks":{},"#, OrNull(worst), OrNull(answer))?;
        write!(out, r#""instructions_per_token":{},"#, OrNull(instructions.map(mean)))?;
        return write!(out, r#""worst_instructions":{}}}"#, OrNull(worst_instructions));
    }
    write!(out, "{}, {}\r\n", Counted(texts.into(), "golden text"), Counted(tokens, "token"))?;
    write!(out, "ticks         {} a token", mean(ticks))?;
    if let Some(worst) = worst {
        write!(out, ", {worst} at worst")?;
    }
    if let Some(answer) = answer {
        write!(out, ", {answer} an answer")?;
    }
    if let Some(sum) = instructions {
        write!(out, "\r\ninstructions  {} a token", mean(sum))?;
        if let Some(worst) = worst_instructions {
            write!(out, ", {worst} at worst")?;
        }
    }
    Ok(())
}

struct OrNull(Option<u64>);

impl fmt::Display for OrNull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => write!(f, "{number}"),
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
    fn both_forms() {
        let seen = Stats { lines: 3, refused: 1, texts: 2, tokens: 8, unknown: 1, dropped: 1 };
        let shown = |stack, reset: Option<_>, form| {
            let starts = reset.map(|reason| Starts::next(&Starts::FIRST.words(), reason));
            let mut out = String::new();
            stats(&seen, stack, starts, form, &mut out).unwrap();
            out
        };
        let stack = Some(Stack { used: 5000, size: 65536 });
        let human = shown(stack, Some(ResetReason::Watchdog), Form::Human);
        assert!(human.contains("tokens      8, 12.5 % unknown\r\ndropped     1 byte\r\n"), "{human}");
        assert!(human.ends_with("stack       5000 of 65536 bytes at most\r\nresets      1: 1 watchdog, since power came\r\nlast reset  watchdog"), "{human}");
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
    fn costs() {
        let seen = Bench { texts: 1, tokens: 4, ticks: 10, worst: 5, answers: 3 };
        let shown = |bench: &Bench, known: bool, form| {
            let mut out = String::new();
            super::bench(bench, known.then_some(6), known.then_some(3), form, &mut out).unwrap();
            out
        };
        let human = shown(&seen, true, Form::Human);
        let lines = "1 golden text, 4 tokens\r\nticks         2 a token, 5 at worst, 3 an answer";
        assert_eq!(human, std::format!("{lines}\r\ninstructions  1 a token, 3 at worst"));
        assert_eq!(shown(&seen, false, Form::Human), lines);
        let both_ways = Bench { worst: 0, ..seen };
        let machine = r#"{"texts":1,"tokens":4,"ticks":10,"ticks_per_token":2,"worst_ticks":null,"answer_ticks":null,"instructions_per_token":null,"worst_instructions":null}"#;
        assert_eq!(shown(&both_ways, false, Form::Machine), machine);
    }
}
