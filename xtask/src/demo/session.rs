//! A session at the console of the emulated device, its command line: sends some fixed lines and some held-out
//! messages, and prints the transcript. The templates of held-out messages are not used in the training data.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use tern_messages::{Message, Messages};

use crate::process;
use crate::tern::Tern;

/// The lines that the session types: two commands; messages of every class, some of them pairs with opposite meanings;
/// `top 3 TEXT`, which prints the three most probable classes; and a word that is not in the vocabulary.
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

/// The number of messages of held-out templates that follow [`LINES`].
const HELD_OUT: usize = 4;

/// The number of answers with probabilities: one for each held-out message and for each line of [`LINES`] but `info`,
/// `labels` and the unknown word.
const ANSWERS: usize = LINES.len() - 3 + HELD_OUT;

/// Runs `tern console` on the emulator with [`LINES`], some messages of held-out templates, and `selftest`.
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
    let held_out = held_out(messages);
    script.extend(held_out.iter().map(|message| format!("{}\n", message.text)));
    script.push_str("selftest\n");
    // The script fits the pipe's buffer, so this does not block; the end of input ends the session.
    let mut stdin = child.stdin.take().context("the child process has no stdin pipe")?;
    stdin.write_all(script.as_bytes()).with_context(|| format!("`{command_line}` does not read its input"))?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let transcript = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    println!("\n{}\n", transcript.trim_end());
    let labels: Vec<_> = held_out.iter().map(|message| message.label.name()).collect();
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

/// Returns the first [`HELD_OUT`] held-out messages of 30 to 59 bytes without quotation marks, for a readable
/// transcript.
fn held_out(messages: &Messages) -> Vec<&Message> {
    let readable = |message: &&Message| (30..60).contains(&message.text.len()) && !message.text.contains('"');
    messages.held_out.iter().filter(readable).take(HELD_OUT).collect()
}

/// Checks that the messages were answered: fails unless the transcript has [`ANSWERS`] answers with probabilities. Such
/// an answer ends with a line like `7 tokens, 0 unknown, 193778 ticks`.
fn check(transcript: &str) -> Result<()> {
    let ends_answer =
        |line: &&str| line.contains(" unknown, ") && line.ends_with(" ticks") && !line.starts_with("unknown input");
    let answers = transcript.lines().filter(ends_answer).count();
    if answers != ANSWERS {
        bail!("the console answered {answers} messages with probabilities, expected {ANSWERS}: see the transcript");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_with_probabilities_count() {
        let answer = "> AHU-3 fan 60% ok\nstatus   99.3 %\nalarm     0.3 %\n8 tokens, 0 unknown, 222091 ticks\n";
        let others = "> zzyzx\nunknown input   1 token, 1 unknown, 29220 ticks\n> selftest\nselftest ok: 10 of 10 golden \
                      examples exact, 3512580 ticks\n";
        assert!(check(&(answer.repeat(ANSWERS) + others)).is_ok());
        let error = check(&(answer.repeat(ANSWERS - 1) + others)).unwrap_err().to_string();
        assert!(error.contains("answered 16 messages with probabilities, expected 17"), "{error}");
    }
}
