//! Types a few lines at the device's console and shows what comes back.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::messages::{Message, Messages};
use crate::process;
use crate::tern::Tern;

/// What is typed first: what the device is, then messages of every class. Some say the opposite in nearly the same words.
const LINES: [&str; 14] = [
    "info",
    "labels",
    "water everywhere on floor 2, please come",
    "P-3 trip flow 0 level 93% HIGH",
    "is the smoke detector in 3B tested?",
    "can we have heat in lab 2 on Friday? we work late",
    "no smoke in 3B, detector 4 normal",
    "AHU-3 temp 21.4C fan 60% ok",
    "free inspection offer for your fire alarm in 3B, call 0800 555 123 now",
    "fire drill yesterday went fine, we all stood in the rain",
    "old: no smoke in 3B, D4 normal / new: there is smoke in 3B, send someone now",
    "new: no smoke in 3B, D4 normal / old: there is smoke in 3B, send someone now",
    "top 3 stuck in traffic with Kim since 9 am, haha",
    "zzyzx",
];

/// So many messages of unseen templates are typed.
const UNSEEN: usize = 4;

/// Runs `tern console` on the emulator with [`LINES`], some messages of unseen templates, and `selftest`.
pub fn talk(tern: &Tern, device_file: &Path, elf: &Path, made: &Messages) -> Result<()> {
    let mut command = tern.command();
    command.arg("console").arg(device_file).arg("--qemu").arg("--firmware").arg(elf);
    let line = process::line(&command);
    eprintln!("$ {line} < script");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{line}` does not start"))?;
    let mut script = LINES.join("\n") + "\n";
    let unseen = unseen(made);
    script.extend(unseen.iter().map(|message| format!("{}\n", message.text)));
    script.push_str("selftest\n");
    // The script fits into a pipe's buffer, so this does not wait for the reader; end of file ends the session.
    let mut stdin = child.stdin.take().context("a piped child has no stdin")?;
    stdin.write_all(script.as_bytes()).with_context(|| format!("`{line}` does not read its input"))?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let transcript = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    println!("\n{}\n", transcript.trim_end());
    let meant: Vec<_> = unseen.iter().map(|message| message.label.name()).collect();
    println!(
        "The last {} messages are of templates that the model never saw; meant were {}.",
        meant.len(),
        meant.join(", ")
    );
    if !output.status.success() {
        bail!("`{line}` failed ({})", output.status);
    }
    check(&transcript)
}

/// The first messages of templates that the model never saw which are short enough to read.
fn unseen(made: &Messages) -> Vec<&Message> {
    let readable = |message: &&Message| (30..60).contains(&message.text.len()) && !message.text.contains('"');
    made.held_out.iter().filter(readable).take(UNSEEN).collect()
}

/// Every line must have had its answer.
fn check(transcript: &str) -> Result<()> {
    let answers = transcript.matches('%').count();
    if answers < LINES.len() - 4 {
        bail!("the console gave {answers} probabilities for {} messages", LINES.len() - 3);
    }
    Ok(())
}
