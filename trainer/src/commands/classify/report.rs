//! What `tern classify` prints.

use std::path::Path;

use serde_json::{Value, json};

use super::compare::{Difference, Refusal, Tally, Verdict};
use crate::link::{INSTRUCTION_NS, Info};

/// How much of a text is shown.
const START: usize = 60;

/// Figures drawn from a tally.
struct Figures {
    lines_per_s: f64,
    bytes_per_s: f64,
    /// None if there was no token.
    ticks_per_token: Option<f64>,
    /// None if instructions are not what ticks count.
    instructions_per_token: Option<f64>,
}

fn figures(tally: &Tally, info: &Info, is_emulated: bool) -> Figures {
    let seconds = tally.elapsed.as_secs_f64().max(1e-9);
    let ticks_per_token = (tally.tokens > 0).then(|| tally.ticks as f64 / tally.tokens as f64);
    let instructions_per_tick = is_emulated.then(|| 1e9 / info.clock_hz.max(1) as f64 / f64::from(INSTRUCTION_NS));
    Figures {
        lines_per_s: tally.examples as f64 / seconds,
        bytes_per_s: tally.bytes as f64 / seconds,
        ticks_per_token,
        instructions_per_token: ticks_per_token.zip(instructions_per_tick).map(|(ticks, each)| ticks * each),
    }
}

/// One object.
pub(super) fn to_json(tally: &Tally, info: &Info, is_emulated: bool) -> Value {
    let figures = figures(tally, info, is_emulated);
    json!({
        "examples": tally.examples,
        "accuracy": tally.accuracy(),
        "disagreements": tally.differences.len(),
        "refused": tally.refusals.len(),
        "without_label": tally.without_label,
        "seconds": tally.elapsed.as_secs_f64(),
        "lines_per_s": figures.lines_per_s,
        "bytes_per_s": figures.bytes_per_s,
        "bytes": tally.bytes,
        "tokens": tally.tokens,
        "unknown": tally.unknown,
        "ticks": tally.ticks,
        "ticks_per_token": figures.ticks_per_token,
        "instructions_per_token": figures.instructions_per_token,
        "clock_hz": info.clock_hz,
        "board": info.board,
        "firmware": info.firmware,
        "differences": tally.differences.iter().map(difference_json).collect::<Value>(),
        "refusals": tally.refusals.iter().map(refusal_json).collect::<Value>(),
    })
}

fn difference_json(difference: &Difference) -> Value {
    let Difference { line, text, device, host } = difference;
    json!({ "line": line, "text": start(text), "device": device, "host": host })
}

fn refusal_json(refusal: &Refusal) -> Value {
    let Refusal { line, text, error } = refusal;
    json!({ "line": line, "text": start(text), "error": error.code, "message": error.message })
}

/// Lines for a person.
pub(super) fn to_text(tally: &Tally, info: &Info, is_emulated: bool, data: &Path) -> Vec<String> {
    let figures = figures(tally, info, is_emulated);
    let data = data.display();
    let mut lines = Vec::new();
    for Difference { line, text, device, host } in &tally.differences {
        lines.push(format!("{data}:{line}: {:?}", start(text)));
        lines.push(format!("    device  {}", verdict(device)));
        lines.push(format!("    host    {}", verdict(host)));
    }
    for Refusal { line, text, error } in &tally.refusals {
        lines.push(format!("{data}:{line}: {:?} refused: {error}", start(text)));
    }
    lines.push(format!("device         {} with firmware {}", info.board, info.firmware));
    lines.push(format!("examples       {}, {} of them without a known word", tally.examples, tally.without_label));
    lines.push(format!("accuracy       {:.4}", tally.accuracy()));
    lines.push(format!("disagreements  {}: labels and all logits against this computer's", tally.differences.len()));
    lines.push(format!("refused        {}", tally.refusals.len()));
    lines.push(format!("speed          {:.1} lines/s, {:.0} bytes/s", figures.lines_per_s, figures.bytes_per_s));
    lines.push(format!("tokens         {}, {} of them unknown", tally.tokens, tally.unknown));
    if let Some(ticks) = figures.ticks_per_token {
        lines.push(match figures.instructions_per_token {
            Some(instructions) => format!("cost           {instructions:.0} instructions a token"),
            None => format!("cost           {ticks:.0} ticks of {} Hz a token", info.clock_hz),
        });
    }
    lines
}

fn verdict(verdict: &Verdict) -> String {
    let Verdict { label, logits, tokens, unknown } = verdict;
    format!("{} {logits:?}, {tokens} tokens, {unknown} unknown", label.as_deref().unwrap_or("(no label)"))
}

fn start(text: &str) -> String {
    let mut start: String = text.chars().take(START).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}
