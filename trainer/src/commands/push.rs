//! `tern push`

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::meter::Meter;
use super::{Failure, note, print};
use crate::link::{Client, Link, LinkArgs, interrupt};
use crate::package;

/// Options of `tern push`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern push device.tern --port /dev/ttyACM0
  tern push device.safetensors --tcp 192.168.0.7:5555 --json
  tern push device.tern --port /dev/ttyACM0 --only-load
  tern push device.safetensors --qemu --board riscv32-virt --flash board.flash

The file goes by YMODEM into the slot of the device that does not serve. The device checks it, starts anew with
it on trial, and keeps it when its prompt stands; otherwise the model before serves. Whatever is refused, the
running model serves on. A FILE is a device file, or one that `tern sign` signed.")]
pub struct Args {
    /// Device file, or a signed one
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Load only: neither activate nor reset
    #[arg(long)]
    pub only_load: bool,
    /// Print the outcome as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    /// The device.
    #[command(flatten)]
    pub link: LinkArgs,
}

/// Brings a model to a device, and sees it serve.
///
/// # Errors
///
/// Where the file cannot be read, the device cannot be reached, refuses the model, or falls back to the one before.
pub fn run(args: &Args) -> Result<(), Failure> {
    Ok(work(args)?)
}

fn work(args: &Args) -> anyhow::Result<()> {
    let bytes = fs::read(&args.file).with_context(|| format!("{}", args.file.display()))?;
    let target = args.link.target(None)?;
    interrupt::catch();
    let mut client = Client::new(target.open()?, args.link.patience());
    let outcome = push(&mut client, args, &bytes);
    client.release();
    let (summary, slot) = outcome?;
    if args.json { print(summary) } else { print(slot) }
}

/// What was done, for a program and for a person.
fn push<L: Link>(client: &mut Client<L>, args: &Args, bytes: &[u8]) -> anyhow::Result<(Value, String)> {
    client.synchronize()?;
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let start = Instant::now();
    let mut meter = Meter::new(bytes.len(), "{bar:40} {bytes} of {total_bytes}, {eta} left");
    let loaded = client.load(&name, bytes, |sent| meter.show(sent))?;
    drop(meter);
    let seconds = start.elapsed().as_secs_f64();
    let (slot, version) = (loaded["loaded"].clone(), loaded["version"].clone());
    let (slot_name, crc32) = (slot.as_str().unwrap_or_default(), format!("{:08x}", crc32fast::hash(bytes)));
    if loaded["crc32"] != crc32.as_str() {
        bail!("the device received bytes with crc32 {}, expected {crc32}; send the file again", loaded["crc32"]);
    }
    note(format_args!("slot {slot_name}: {} bytes in {seconds:.1} s, version {version}", bytes.len()));
    if !args.only_load {
        client.request("activate")?;
        note(format_args!("slot {slot_name}: all checks passed; the device starts anew"));
        restart(client, bytes)?;
    }
    let models = client.request("models")?;
    let found = models["slots"].as_array().and_then(|slots| slots.iter().find(|found| found["slot"] == slot));
    let state = found.map_or(Value::Null, |found| found["state"].clone());
    let serving = found.is_some_and(|found| found["serving"] == true);
    let summary = json!({
        "slot": slot, "version": version, "bytes": bytes.len(), "crc32": crc32, "state": state, "serving": serving, "seconds": seconds,
    });
    let said = format!("slot {slot_name}: {}{}", state.as_str().unwrap_or("?"), if serving { ", serving" } else { "" });
    Ok((summary, said))
}

/// Starts the device anew and sees that it serves what was pushed.
fn restart<L: Link>(client: &mut Client<L>, bytes: &[u8]) -> anyhow::Result<()> {
    client.reset()?;
    client.synchronize()?;
    let info = client.info()?;
    let expected = format!("{:08x}", crc32fast::hash(package::device_file(bytes)));
    match info.model {
        Some(model) if model.crc32 == expected => Ok(()),
        Some(model) => bail!(
            "the device fell back: it serves `{}`, crc32 {}, expected {expected}; its first lines after a reset, and `models` at its \
             console, say why",
            model.name,
            model.crc32
        ),
        None => bail!("the device serves no model: {}", info.model_error.as_deref().unwrap_or("it says not why")),
    }
}
