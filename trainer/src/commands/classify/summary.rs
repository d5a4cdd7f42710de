//! The output of `tern classify`, as JSON or as lines, from its [`Tally`] and the device's [`Info`].

use std::path::Path;

use serde_json::{Value, json};

use super::tally::{Computed, Difference, Refusal, Tally};
use crate::link::{INSTRUCTION_NS, Info};

/// Figures per second and per token.
struct Rates {
    lines_per_s: f64,
    bytes_per_s: f64,
    /// `None` if there was no token.
    ticks_per_token: Option<f64>,
    /// `None` outside of the emulator, where ticks do not count instructions.
    instructions_per_token: Option<f64>,
}

/// The rates of all answers together.
fn rates(tally: &Tally, info: &Info, is_emulated: bool) -> Rates {
    let seconds = tally.elapsed.as_secs_f64().max(1e-9);
    let ticks_per_token = (tally.tokens > 0).then(|| tally.ticks as f64 / tally.tokens as f64);
    let ns_per_tick = 1e9 / info.clock_hz.max(1) as f64;
    let instructions_per_tick = is_emulated.then(|| ns_per_tick / f64::from(INSTRUCTION_NS));
    Rates {
        lines_per_s: tally.examples as f64 / seconds,
        bytes_per_s: tally.bytes as f64 / seconds,
        ticks_per_token,
        instructions_per_token: ticks_per_token.zip(instructions_per_tick).map(|(ticks, factor)| ticks * factor),
    }
}

/// The results as one JSON object.
pub(super) fn to_json(tally: &Tally, info: &Info, is_emulated: bool) -> Value {
    let rates = rates(tally, info, is_emulated);
    json!({
        "examples": tally.examples,
        "accuracy": tally.accuracy(),
        "disagreements": tally.differences.len(),
        "refused": tally.refusals.len(),
        "without_label": tally.without_label,
        "answers_refused": tally.answers_refused,
        "seconds": tally.elapsed.as_secs_f64(),
        "lines_per_s": rates.lines_per_s,
        "bytes_per_s": rates.bytes_per_s,
        "bytes": tally.bytes,
        "tokens": tally.tokens,
        "unknown": tally.unknown,
        "ticks": tally.ticks,
        "ticks_per_token": rates.ticks_per_token,
        "instructions_per_token": rates.instructions_per_token,
        "clock_hz": info.clock_hz,
        "board": info.board,
        "firmware": info.firmware,
        "differences": tally.differences,
        "refusals": tally.refusals,
    })
}

/// The results as lines for a person.
pub(super) fn to_text(tally: &Tally, info: &Info, is_emulated: bool, data: &Path) -> Vec<String> {
    let rates = rates(tally, info, is_emulated);
    let data = data.display();
    let mut lines = Vec::new();
    for Difference { line, text, device, host } in &tally.differences {
        lines.push(format!("{data}:{line}: {text:?}"));
        lines.push(format!("    device         {}", computed(device)));
        lines.push(format!("    this computer  {}", computed(host)));
    }
    for Refusal { line, text, error } in &tally.refusals {
        lines.push(format!("{data}:{line}: {text:?} refused: {error}"));
    }
    lines.push(format!("device         {} with firmware {}", info.board, info.firmware));
    lines.push(format!("examples       {}, {} of them without a known word", tally.examples, tally.without_label));
    if tally.answers_refused > 0 {
        lines.push(format!("               {} refused by the model: no label fits", tally.answers_refused));
    }
    lines.push(format!("accuracy       {:.4}", tally.accuracy()));
    lines.push(format!("disagreements  {} answers with another label or logit here", tally.differences.len()));
    lines.push(format!("refused        {}", tally.refusals.len()));
    lines.push(format!("speed          {:.1} lines/s, {:.0} bytes/s", rates.lines_per_s, rates.bytes_per_s));
    lines.push(format!("tokens         {}, {} of them unknown", tally.tokens, tally.unknown));
    if let Some(ticks) = rates.ticks_per_token {
        lines.push(match rates.instructions_per_token {
            Some(instructions) => format!("cost           {instructions:.0} instructions a token"),
            None => format!("cost           {ticks:.0} ticks of the device's {} Hz clock a token", info.clock_hz),
        });
    }
    lines
}

/// Formats an answer in one line.
fn computed(Computed { label, logits, tokens, unknown }: &Computed) -> String {
    format!("{} {logits:?}, {tokens} tokens, {unknown} unknown", label.as_deref().unwrap_or("(no label)"))
}
