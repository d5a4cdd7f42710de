//! A session at the device's console: some fixed lines and some unseen messages, with the device's answers.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use tern_messages::{Message, Messages};

use crate::process;
use crate::tern::Tern;

/// The first lines: two commands, then messages of every class, some of which mean the opposite in nearly the same
/// words. `top 3` asks for three classes of its message, and the model does not know the last word.
const LINES: [&str; 16] = [
    "info",
    "labels",
    "there is a fire in my room",
    "my baby is not breathing",
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

/// The number of messages among [`LINES`] that are classified: all lines but `info`, `labels`, `top 3 …` and the
/// unknown word.
const MESSAGES: usize = LINES.len() - 4;

/// The number of messages from unseen templates.
const UNSEEN: usize = 4;

/// Runs `tern console` on the emulator with [`LINES`], some messages of unseen templates, and `selftest`.
pub fn run(tern: &Tern, device_file: &Path, elf: &Path, messages: &Messages) -> Result<()> {
    let mut command = tern.command();
    command.arg("console").arg(device_file).arg("--qemu").arg("--firmware").arg(elf);
    let command_line = process::line(&command);
    eprintln!("$ {command_line} < script");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{command_line}`"))?;
    let mut script = LINES.join("\n") + "\n";
    let unseen = unseen(messages);
    script.extend(unseen.iter().map(|message| format!("{}\n", message.text)));
    script.push_str("selftest\n");
    // The script fits the pipe's buffer, so this does not block; the end of input ends the session.
    let mut stdin = child.stdin.take().context("a child with a piped stdin has one")?;
    stdin.write_all(script.as_bytes()).with_context(|| format!("`{command_line}` does not read its input"))?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let transcript = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    println!("\n{}\n", transcript.trim_end());
    let labels: Vec<_> = unseen.iter().map(|message| message.label.name()).collect();
    println!(
        "The last {} messages are from templates that the model was not trained on; their labels are {}.",
        labels.len(),
        labels.join(", ")
    );
    if !output.status.success() {
        bail!("`{command_line}` failed ({})", output.status);
    }
    check(&transcript)
}

/// Returns the first held-out messages of one short line without quotation marks, which read well in the transcript.
fn unseen(messages: &Messages) -> Vec<&Message> {
    let readable = |message: &&Message| (30..60).contains(&message.text.len()) && !message.text.contains('"');
    messages.held_out.iter().filter(readable).take(UNSEEN).collect()
}

/// Checks coarsely that the messages were answered: fails if the transcript has fewer percentages than [`MESSAGES`].
fn check(transcript: &str) -> Result<()> {
    let answers = transcript.matches('%').count();
    if answers < MESSAGES {
        bail!("the console printed {answers} probabilities for {MESSAGES} messages");
    }
    Ok(())
}
