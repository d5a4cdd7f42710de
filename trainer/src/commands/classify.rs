//! `tern classify`: classifies the texts of a table on a device and compares every logit with this computer's.
//!
//! The device answers in machine mode, the numbered and checksummed form of its console, which [`Client`] speaks over a
//! serial port, TCP or an emulator. A [`Tally`] counts the answers; `summary` prints it.

mod summary;
mod tally;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use tern_runtime::{Config, Input, Model, Task};

use self::tally::{Sample, Tally};
use super::progress_bar::DelayedBar;
use super::table::TableArgs;
use super::{note, open_device_file, print};
use crate::checksum::crc32_hex;
use crate::data;
use crate::device_file::DeviceFile;
use crate::link::{Client, Emulation, Info, Link, LinkArgs, Reply, catch_interrupts};

/// The largest number of texts that are sent to a real device before it has answered the first of them. Several are
/// sent ahead, so that the device need not wait for the next text.
const QUEUED_TEXTS: usize = 4;

/// Options of `tern classify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern classify spam.safetensors --data test.csv --qemu
  tern classify spam.safetensors --data test.csv --port /dev/ttyACM0 --json
  tern classify spam.tern --data test.csv --tcp 192.168.0.7:5555

Each text is sent to the device. The label and the logits of its answer must be the integers that this computer
computes from the same file; the exit status is 1 if one differs or the device rejects a text. Under QEMU instructions
are counted: those of the model, and those of the interrupts that receive the rest of the text meanwhile.")]
pub struct Args {
    /// Device file that the device runs, signed or not
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Labelled texts: CSV, TSV or JSONL, a folder LABEL/*.txt, or hf:owner/name
    #[arg(long, value_name = "DATA.csv")]
    pub data: PathBuf,
    #[command(flatten)]
    pub table: TableArgs,
    /// Print the results as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub link: LinkArgs,
}

/// Classifies the texts of a table on a device and compares every logit with this computer's.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let file = open_device_file(&args.file)?;
    check_task(&args.file, file.model().config())?;
    let samples = samples(args, &file.config.labels)?;
    let target = args.link.target(Some(&args.file))?;
    catch_interrupts();
    let mut client = Client::new(target.open()?, args.link.timeout());
    let is_emulated = target.emulation().is_some();
    let outcome = connect_and_classify(&mut client, &args.file, &file, &samples, is_emulated);
    // The device returns from machine mode to its prompt, even after an error.
    client.release();
    let (info, tally) = outcome?;
    if args.json {
        print(summary::to_json(&tally, &info, is_emulated))?;
    } else {
        summary::to_text(&tally, &info, is_emulated, &args.data).iter().try_for_each(print)?;
    }
    if let Some(hint) = target.emulation().and_then(Emulation::log_hint) {
        note(hint);
    }
    let (differing, rejected) = (tally.differences.len(), tally.rejections.len());
    if differing + rejected > 0 {
        let texts = tally.texts;
        bail!("{differing} of {texts} answers differ from this computer's, the device rejected {rejected} texts");
    }
    Ok(())
}

/// Brings the device into machine mode, checks that it runs `file`, which was read from `path`, and classifies the
/// samples. `is_emulated`: true if the device runs in QEMU and is just starting.
fn connect_and_classify<L: Link>(
    client: &mut Client<L>,
    path: &Path,
    file: &DeviceFile,
    samples: &[Sample],
    is_emulated: bool,
) -> anyhow::Result<(Info, Tally)> {
    if is_emulated {
        client.synchronize_after_start()?;
    } else {
        client.synchronize()?;
    }
    let info = client.info()?;
    check_model(&info, path, file.bytes())?;
    // In an emulator sending takes no time, and the instructions that receive texts sent ahead would be counted.
    let max_unanswered = if is_emulated { 1 } else { QUEUED_TEXTS };
    let bar = DelayedBar::new(samples.len(), "{bar:30} {pos} of {len} texts, {per_sec}, {eta} left");
    let tally = classify(client, file.model(), samples, max_unanswered, |replies| bar.show(replies))?;
    Ok((info, tally))
}

/// Fails if the model is not a classifier of texts.
fn check_task(path: &Path, config: &Config) -> anyhow::Result<()> {
    let path = path.display();
    let (found, command) = match (config.task, config.input) {
        (Task::Classify, Input::Tokens) => return Ok(()),
        (Task::Classify, Input::Values) => ("a classifier of sequences of numbers", "classify NUMBERS"),
        (Task::LanguageModel, _) => ("a language model", "next TEXT` or `say TEXT"),
        (Task::Forecast, _) => ("a forecast", "forecast NUMBERS"),
    };
    bail!(
        "{path} is {found}, expected a classifier of texts. Measure it with `tern eval {path} --data DATA`, which computes \
         the same integers as a device; on the device, type `{command}` or `selftest` at its console (`tern console`)"
    )
}

/// Reads the labelled texts. Fails if one has a label that the model lacks.
fn samples(args: &Args, labels: &[String]) -> anyhow::Result<Vec<Sample>> {
    let rows = data::read(&args.data, &args.table.columns())?;
    let lines: Vec<u64> = rows.iter().map(|row| row.line).collect();
    let examples = data::labels_to_indices(rows, labels, &args.data)?;
    Ok(examples.into_iter().zip(lines).map(|(example, line)| Sample { example, line }).collect())
}

/// Fails if the device does not run the device file `bytes`, which was read from `path`.
fn check_model(info: &Info, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let (path, board) = (path.display(), &info.board);
    let Some(found) = &info.model else {
        let reason = info.model_error.as_deref().unwrap_or("it gives no reason");
        bail!("the device on {board} runs no model: {reason}");
    };
    let (length, crc32) = (bytes.len() as u64, crc32_hex(bytes));
    if found.bytes == length && found.crc32 == crc32 {
        return Ok(());
    }
    bail!(
        "the device on {board} runs `{}`, {} bytes, crc32 {}; {path} has {length} bytes, crc32 {crc32}. Send {path} to \
         the device with `tern push`, or name the file that it runs",
        found.name,
        found.bytes,
        found.crc32,
    )
}

/// Classifies all texts on the device and on this computer. At most `max_unanswered` texts are sent ahead of their
/// replies at any time. `on_reply` is called after each reply with the number of replies so far.
fn classify<L: Link>(
    client: &mut Client<L>,
    model: &Model<'_>,
    samples: &[Sample],
    max_unanswered: usize,
    mut on_reply: impl FnMut(usize),
) -> anyhow::Result<Tally> {
    // A bidirectional model keeps all tokens of a text in its scratch; a text has no more tokens than bytes.
    let longest_text = samples.iter().map(|sample| sample.example.text.len()).max().unwrap_or(0);
    let mut scratch = vec![0; model.scratch_len_for(longest_text.max(1))];
    let mut session = model.text_session(&mut scratch).map_err(|error| anyhow!("{error}"))?;
    let mut tally = Tally::default();
    let start = Instant::now();
    // The cost of the model determines how long an answer is awaited.
    let mut streaming = client.stream(model.cost().macs_per_token)?;
    // The index of the next sample whose text is sent.
    let mut next_to_send = 0;
    while tally.texts < samples.len() {
        while next_to_send < samples.len() && streaming.outstanding() < max_unanswered {
            streaming.send(samples[next_to_send].example.text.as_bytes())?;
            next_to_send += 1;
        }
        // Replies come in the order of the texts, and `tally.texts` is the number of replies so far.
        let sample = &samples[tally.texts];
        let reply = streaming.reply()?.context("a text was sent and has no reply")?;
        let has_lost_bytes = matches!(&reply, Reply::Rejected(error) if error.code == "overflow");
        tally.add(sample, reply, model, &mut session);
        // A device whose receive buffer overflowed may also have lost bytes of the texts sent ahead, so these are sent
        // again.
        if has_lost_bytes && streaming.outstanding() > 0 {
            streaming.restart()?;
            next_to_send = tally.texts;
        }
        on_reply(tally.texts);
    }
    tally.elapsed = start.elapsed();
    streaming.leave()?;
    Ok(tally)
}
