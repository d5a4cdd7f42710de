//! `cargo xtask data`: writes the messages as CSV files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::cli::DataOptions;
use crate::messages::baselines::Baselines;
use crate::messages::{Message, Messages, generate};
use crate::repo;

/// Does what the command line says.
pub fn run(options: &DataOptions) -> Result<()> {
    let folder = options.output.clone().unwrap_or_else(repo::demo);
    let made = write(&folder, options.seed)?;
    if options.baselines {
        print_baselines(&made);
    }
    Ok(())
}

/// Writes `train.csv` and `heldout.csv` into `folder`, a line of output for each.
pub fn write(folder: &Path, seed: u64) -> Result<Messages> {
    let made = generate(seed)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (name, messages) in [("train.csv", &made.train), ("heldout.csv", &made.held_out)] {
        let path = folder.join(name);
        let text = csv(messages);
        fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        let (lines, sum) = (messages.len(), checksum(text.as_bytes()));
        eprintln!("{}: {lines} messages, checksum {sum:016x}", repo::shown(&path));
    }
    Ok(made)
}

/// A line of the table of baselines.
type Row = (&'static str, fn(&Baselines) -> f64);

/// Prints what rules without a model reach.
fn print_baselines(made: &Messages) {
    let train = Baselines::measure(&made.train, &made.train);
    let held_out = Baselines::measure(&made.train, &made.held_out);
    let rows: [Row; 4] = [
        ("largest class", |b| b.majority),
        ("one keyword a class", |b| b.keyword_per_class),
        ("most indicative token", |b| b.best_token),
        ("naive Bayes, all tokens", |b| b.naive_bayes),
    ];
    println!("\n{:<28}{:>8}{:>11}", "rule, learned on train.csv", "train", "held out");
    for (name, of) in rows {
        println!("{name:<28}{:>7.1}%{:>10.1}%", 100.0 * of(&train), 100.0 * of(&held_out));
    }
}

/// `text,label` and a line a message, quoted as RFC 4180 has it; lines end in LF.
pub fn csv(messages: &[Message]) -> String {
    let mut csv = String::from("text,label\n");
    for Message { text, label } in messages {
        if text.contains(['"', ',', '\n', '\r']) {
            csv.push_str(&format!("\"{}\"", text.replace('"', "\"\"")));
        } else {
            csv.push_str(text);
        }
        csv.push_str(&format!(",{}\n", label.name()));
    }
    csv
}

/// FNV-1a of 64 bits: tells whether two files differ, no more.
pub fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Label;

    #[test]
    fn commas_and_quotes_are_quoted() {
        let message = |text: &str| Message { text: text.into(), label: Label::Alarm };
        let text = csv(&[message("smoke"), message("go, now"), message("the \"big\" one")]);
        assert_eq!(text, "text,label\nsmoke,alarm\n\"go, now\",alarm\n\"the \"\"big\"\" one\",alarm\n");
    }

    #[test]
    fn checksum_is_fnv1a() {
        assert_eq!(checksum(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(checksum(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
