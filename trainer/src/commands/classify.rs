//! `tern classify`

mod compare;
mod report;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use tern_runtime::{Config, Input, Model, Task};

use self::compare::{Sample, Tally};
use super::meter::Meter;
use super::table::TableArgs;
use super::{Failure, note, print};
use crate::classifier::Classifier;
use crate::data;
use crate::device_file::DeviceFile;
use crate::link::{Client, Emulation, Info, Link, LinkArgs, Reply, interrupt};

/// Texts under way at once where sending takes time, so that the next is there when an answer leaves.
const AHEAD: usize = 4;

/// Options of `tern classify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern classify spam.safetensors --data test.csv --qemu
  tern classify spam.safetensors --data test.csv --port /dev/ttyACM0 --json
  tern classify spam.safetensors --data test.csv --tcp 192.168.0.7:5555

Each text goes through the serial line. Label and logits that come back must be the integers that
this computer gets from the same file; the status is 1 where one differs or a text is refused.
Under QEMU, instructions are counted: those of the model, and of the interrupts that take in the
rest of the text meanwhile.")]
pub struct Args {
    /// Device file, the very one that the device runs
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Labelled texts: CSV, TSV or JSONL, a folder LABEL/*.txt, or hf:owner/name
    #[arg(long, value_name = "DATA.csv")]
    pub data: PathBuf,
    /// Layout of the table.
    #[command(flatten)]
    pub table: TableArgs,
    /// Print the figures as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// The device.
    #[command(flatten)]
    pub link: LinkArgs,
}

/// Classifies a table's texts on a device and compares every logit with the host's.
///
/// # Errors
///
/// Where a file cannot be read, the device cannot be reached, runs another file or stops answering, and where an answer
/// differs or a text is refused.
pub fn run(args: &Args) -> Result<(), Failure> {
    Ok(work(args)?)
}

fn work(args: &Args) -> anyhow::Result<()> {
    let file = DeviceFile::open(&args.file)?;
    check_kind(&args.file, file.model().config())?;
    let samples = samples(args, file.labels())?;
    let target = args.link.target(Some(&args.file))?;
    interrupt::catch();
    let mut client = Client::new(target.open()?, args.link.patience());
    let is_emulated = target.emulation().is_some();
    let outcome = (|| {
        client.synchronize()?;
        let info = client.info()?;
        check_model(&info, &args.file, file.bytes())?;
        // In an emulator bytes take no time. There, one text at a time counts least of what is not the model.
        let ahead = if is_emulated { 1 } else { AHEAD };
        let mut meter = Meter::new(samples.len(), "{bar:40} {pos} of {len} texts, {per_sec}, {eta} left");
        let tally = classify(&mut client, file.model(), &samples, ahead, |done| meter.show(done))?;
        anyhow::Ok((info, tally))
    })();
    client.release();
    let (info, tally) = outcome?;
    if args.json {
        print(report::to_json(&tally, &info, is_emulated))?;
    } else {
        report::to_text(&tally, &info, is_emulated, &args.data).iter().try_for_each(print)?;
    }
    if let Some(hint) = target.emulation().and_then(Emulation::log_hint) {
        note(hint);
    }
    let (differing, refused) = (tally.differences.len(), tally.refusals.len());
    if differing + refused > 0 {
        bail!("{differing} of {} answers differ from the host's, {refused} texts were refused", tally.examples);
    }
    Ok(())
}

/// Whether the file is for what this command does.
fn check_kind(path: &Path, config: &Config) -> anyhow::Result<()> {
    let path = path.display();
    let (kind, command) = match (config.task, config.input) {
        (Task::Classify, Input::Tokens) => return Ok(()),
        (Task::Classify, Input::Values) => ("a classifier of sequences of numbers", "classify NUMBERS"),
        (Task::LanguageModel, _) => ("a language model", "next TEXT` and `say TEXT"),
        (Task::Forecast, _) => ("a forecast", "forecast NUMBERS"),
    };
    bail!(
        "{path} is {kind}, expected a classifier of texts; on this computer `tern eval {path} DATA` runs it in the same integers, and \
         at the device's console (`tern console`) `{command}` asks it, and `selftest` compares its golden logits to the bit"
    )
}

fn samples(args: &Args, labels: &[String]) -> anyhow::Result<Vec<Sample>> {
    let rows = data::read(&args.data, &args.table.columns())?;
    let lines: Vec<u64> = rows.iter().map(|row| row.line).collect();
    let examples = data::number(rows, labels, &args.data.display().to_string())?;
    Ok(examples.into_iter().zip(lines).map(|(example, line)| Sample { example, line }).collect())
}

/// Whether the device runs this very file.
fn check_model(info: &Info, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let path = path.display();
    let (length, crc32) = (bytes.len() as u64, format!("{:08x}", crc32fast::hash(bytes)));
    match &info.model {
        None => bail!(
            "the device on {} runs no model: {}",
            info.board,
            info.model_error.as_deref().unwrap_or("it says not why")
        ),
        Some(found) if (found.bytes, &found.crc32) != (length, &crc32) => bail!(
            "the device on {} runs `{}`, {} bytes, crc32 {}; {path} has {length} bytes, crc32 {crc32}. Write {path} to the device, \
             or name the file that it runs",
            info.board,
            found.name,
            found.bytes,
            found.crc32,
        ),
        Some(_) => Ok(()),
    }
}

/// Sends all texts, at most `ahead` at once.
fn classify<L: Link>(
    client: &mut Client<L>,
    model: &Model<'_>,
    samples: &[Sample],
    ahead: usize,
    mut on_answer: impl FnMut(usize),
) -> anyhow::Result<Tally> {
    // A model that keeps its tokens gets room for all of the longest text: it has no more of them than bytes.
    let longest = samples.iter().map(|sample| sample.example.text.len()).max().unwrap_or(0);
    let mut scratch = vec![0; model.scratch_len_for(longest.max(1))];
    let mut session = model.session(&mut scratch).map_err(|error| anyhow!("{error}"))?;
    let mut tally = Tally::default();
    let start = Instant::now();
    let mut streaming = client.stream()?;
    let mut next = 0;
    while tally.examples < samples.len() {
        while next < samples.len() && streaming.outstanding() < ahead {
            streaming.send(samples[next].example.text.as_bytes())?;
            next += 1;
        }
        let sample = &samples[tally.examples];
        let reply = streaming.reply()?.context("a text was sent and has no reply")?;
        let is_lost = matches!(&reply, Reply::Refused(error) if error.code == "overflow");
        tally.add(sample, reply, model, &mut session);
        // The lost bytes may be those of the texts behind this one as well: their replies would be taken for others'.
        if is_lost && streaming.outstanding() > 0 {
            streaming.restart()?;
            next = tally.examples;
        }
        on_answer(tally.examples);
    }
    tally.elapsed = start.elapsed();
    streaming.leave()?;
    Ok(tally)
}
