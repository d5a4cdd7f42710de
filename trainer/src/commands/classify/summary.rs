//! The output of `tern classify`, as JSON or as lines, from its [`Tally`] and the device's [`Info`].

use std::path::Path;

use serde_json::{Value, json};

use super::tally::{Answer, Difference, Rejection, Tally};
use crate::link::{INSTRUCTION_NS, Info};

/// The speed of a run.
struct Rates {
    /// Texts per second, from the first text sent to the last reply.
    texts_per_s: f64,
    /// Bytes of these texts per second.
    bytes_per_s: f64,
    /// Ticks of the device's clock for which the model runs; `None` if there was no token.
    ticks_per_token: Option<f64>,
    /// `None` if there was no token, and for a real device, whose ticks do not count instructions.
    instructions_per_token: Option<f64>,
}

/// Computes the rates over all replies. `is_emulated`: true if the device runs in QEMU.
fn rates(tally: &Tally, info: &Info, is_emulated: bool) -> Rates {
    // At least 1 ns, because the counts are divided by it.
    let seconds = tally.elapsed.as_secs_f64().max(1e-9);
    let ticks_per_token = (tally.tokens > 0).then(|| tally.model_ticks as f64 / tally.tokens as f64);
    let ns_per_tick = 1e9 / info.clock_hz.max(1) as f64;
    // In the emulator every instruction takes the same time.
    let instructions_per_token = match ticks_per_token {
        Some(ticks) if is_emulated => Some(ticks * (ns_per_tick / f64::from(INSTRUCTION_NS))),
        _ => None,
    };
    Rates {
        texts_per_s: tally.texts as f64 / seconds,
        bytes_per_s: tally.bytes as f64 / seconds,
        ticks_per_token,
        instructions_per_token,
    }
}

/// Returns the results as one JSON object. Not all keys are named as in this file: `refused` and `refusals` are
/// about the texts that the device rejected with an error, `answers_refused` counts those that the model refuses to
/// answer, and `without_label` those without a known token.
pub(super) fn to_json(tally: &Tally, info: &Info, is_emulated: bool) -> Value {
    let rates = rates(tally, info, is_emulated);
    json!({
        "examples": tally.texts,
        "accuracy": tally.accuracy(),
        "disagreements": tally.differences.len(),
        "refused": tally.rejections.len(),
        "without_label": tally.unknown_inputs,
        "answers_refused": tally.refused,
        "seconds": tally.elapsed.as_secs_f64(),
        "lines_per_s": rates.texts_per_s,
        "bytes_per_s": rates.bytes_per_s,
        "bytes": tally.bytes,
        "tokens": tally.tokens,
        "unknown": tally.unknown_tokens,
        "ticks": tally.model_ticks,
        "ticks_per_token": rates.ticks_per_token,
        "instructions_per_token": rates.instructions_per_token,
        "clock_hz": info.clock_hz,
        "board": info.board,
        "firmware": info.firmware,
        "differences": tally.differences,
        "refusals": tally.rejections,
    })
}

/// Returns the results as lines for a person. `data`: the path of the texts.
pub(super) fn to_text(tally: &Tally, info: &Info, is_emulated: bool, data: &Path) -> Vec<String> {
    let rates = rates(tally, info, is_emulated);
    let data = data.display();
    let mut lines = Vec::new();
    for Difference { line, text, device, host } in &tally.differences {
        lines.push(format!("{data}:{line}: {text:?}"));
        lines.push(format!("    device         {}", answer_line(device)));
        lines.push(format!("    this computer  {}", answer_line(host)));
    }
    for Rejection { line, text, error } in &tally.rejections {
        lines.push(format!("{data}:{line}: {text:?} rejected by the device: {error}"));
    }
    lines.push(format!("device         {} with firmware {}", info.board, info.firmware));
    lines.push(format!("texts          {}, {} of them without a known token", tally.texts, tally.unknown_inputs));
    if tally.refused > 0 {
        lines.push(format!("               {} refused by the model: no label fits", tally.refused));
    }
    lines.push(format!("accuracy       {:.4}", tally.accuracy()));
    let differing = tally.differences.len();
    lines.push(format!("disagreements  {differing} answers whose label or logits differ from this computer's"));
    lines.push(format!("rejected       {} texts, which the device answered with an error", tally.rejections.len()));
    lines.push(format!("speed          {:.1} texts/s, {:.0} bytes/s", rates.texts_per_s, rates.bytes_per_s));
    lines.push(format!("tokens         {}, {} of them unknown", tally.tokens, tally.unknown_tokens));
    if let Some(ticks) = rates.ticks_per_token {
        lines.push(match rates.instructions_per_token {
            Some(instructions) => format!("cost           {instructions:.0} instructions per token"),
            None => format!("cost           {ticks:.0} ticks per token, at {} ticks a second", info.clock_hz),
        });
    }
    lines
}

/// Formats an answer as one line.
fn answer_line(Answer { label, logits, tokens, unknown }: &Answer) -> String {
    let label = label.as_deref().unwrap_or("(no label)");
    format!("{label}, logits {logits:?} in units of 2^-16, {tokens} tokens, {unknown} unknown")
}
