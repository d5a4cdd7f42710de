//! The rows of `bench train` as JSON and as text.

use serde_json::{Value, json};

use super::plan::{MAX_LENGTH, Network, Program};

/// Returns the heading of the table.
pub fn heading() -> String {
    format!(
        "whole training steps on random texts with lengths like those of IMDb reviews, cut at {MAX_LENGTH}; \
         ratio: Tern's speed / the program's\n\
         {:<18}{:<8}{:>5}{:>5}{:>7}{:>9}{:>12}{:>8}{:>9}",
        "program", "cell", "E", "H", "batch", "threads", "tokens/s", "ratio", "target"
    )
}

/// Returns a row as a JSON object. `ratio` is Tern's speed divided by the program's; `None` for Tern itself.
pub fn row(program: Program, network: &Network, tokens_per_s: f64, ratio: Option<f64>) -> Value {
    let mut row = json!({
        "program": program.name(),
        "cell": network.cell,
        "embedding": network.embedding,
        "hidden": network.hidden,
        "batch": network.batch,
        "threads": network.threads,
        "tokens_per_s": tokens_per_s.round(),
        "bidirectional": network.bidirectional,
    });
    if let Some(ratio) = ratio {
        row["ratio"] = json!((ratio * 100.0).round() / 100.0);
    }
    if let Some(target) = network.target(program) {
        row["target"] = json!(target);
    }
    row
}

/// Formats a [`row`] as text.
pub fn line(row: &Value) -> String {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    let number = |key: &str| row[key].as_f64();
    let cell = format!("{}{}", if row["bidirectional"] == true { "bi" } else { "" }, text("cell"));
    let mut line = format!("{:<18}{cell:<8}", text("program"));
    for (key, width) in [("embedding", 5), ("hidden", 5), ("batch", 7), ("threads", 9), ("tokens_per_s", 12)] {
        line += &format!("{:>width$.0}", number(key).unwrap_or_default());
    }
    if let Some(ratio) = number("ratio") {
        line += &format!("{ratio:>8.2}");
        if let Some(target) = number("target") {
            line += &format!("{target:>7.1}{}", if ratio >= target { " ✓" } else { " ✗" });
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::plan::SMALL_LSTM;
    use super::*;

    #[test]
    fn a_row_has_the_expected_keys() {
        let theirs = row(Program::PyTorch, &SMALL_LSTM, 99_000.4, Some(4.126));
        let expected = json!({
            "program": "pytorch", "cell": "lstm", "embedding": 20, "hidden": 64, "batch": 32, "threads": 1,
            "tokens_per_s": 99_000.0, "bidirectional": false, "ratio": 4.13, "target": 4.0,
        });
        assert_eq!(theirs, expected);
        assert!(line(&theirs).ends_with("      99000    4.13    4.0 ✓"), "{}", line(&theirs));
        assert_eq!(row(Program::PyTorch, &SMALL_LSTM, 99_000.4, None).get("ratio"), None);
    }
}
