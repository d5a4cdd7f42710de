//! The rows of `bench train` as text and as JSON.

use serde_json::{Value, json};

use super::plan::Row;

/// Returns the heading of the table.
pub fn heading() -> String {
    format!(
        "whole training steps on random texts with the lengths of reviews, cut at {}; ratio: times tern's speed\n\
         {:<18}{:<8}{:>5}{:>5}{:>7}{:>9}{:>12}{:>8}{:>9}",
        super::plan::CUT,
        "program",
        "cell",
        "E",
        "H",
        "batch",
        "threads",
        "tokens/s",
        "ratio",
        "target"
    )
}

/// Returns a row as text.
pub fn line(row: &Row<'_>) -> String {
    let Row { program, network, tokens_per_s, ratio } = row;
    let cell = format!("{}{}", if network.bidirectional { "bi" } else { "" }, network.cell);
    let mut line = format!(
        "{:<18}{cell:<8}{:>5}{:>5}{:>7}{:>9}{tokens_per_s:>12.0}",
        program.name(),
        network.embedding,
        network.hidden,
        network.batch,
        network.threads
    );
    if let Some(ratio) = ratio {
        line.push_str(&format!("{ratio:>8.2}"));
        if let Some(target) = network.target(*program) {
            line.push_str(&format!("{target:>7.1}{}", if *ratio >= target { " ✓" } else { " ✗" }));
        }
    }
    line
}

/// Returns a row as a JSON object.
pub fn json(row: &Row<'_>) -> Value {
    let Row { program, network, tokens_per_s, ratio } = row;
    let mut json = json!({
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
        json["ratio"] = json!((ratio * 100.0).round() / 100.0);
    }
    if let Some(target) = network.target(*program) {
        json["target"] = json!(target);
    }
    json
}

/// Returns the row for texts of one length.
pub fn length_line(length: usize, tokens_per_s: f64) -> String {
    format!("{length:>6} tokens a text{tokens_per_s:>12.0} tokens/s{:>8.2} µs a token", 1e6 / tokens_per_s)
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Program, TEXTBOOK};
    use super::*;

    #[test]
    fn a_row_has_the_documented_keys() {
        let row = Row { program: Program::PyTorch, network: &TEXTBOOK, tokens_per_s: 99_000.4, ratio: Some(4.126) };
        let expected = json!({
            "program": "pytorch", "cell": "lstm", "embedding": 20, "hidden": 64, "batch": 32, "threads": 1,
            "tokens_per_s": 99_000.0, "bidirectional": false, "ratio": 4.13, "target": 4.0,
        });
        assert_eq!(json(&row), expected);
        assert!(line(&row).ends_with("4.13    4.0 ✓"), "{}", line(&row));
        let ours = Row { program: Program::Tern, ratio: None, ..row };
        assert_eq!(json(&ours).get("ratio"), None);
    }
}
