//! `tern push`: sends a model to a device over its console, and checks that the device runs it.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::progress_bar::DelayedBar;
use super::{note, print};
use crate::checksum::crc32_hex;
use crate::link::{Client, Link, LinkArgs, catch_interrupts};
use crate::package::Package;

/// Options of `tern push`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern push device.tern --port /dev/ttyACM0
  tern push device.safetensors --tcp 192.168.0.7:5555 --json
  tern push device.tern --port /dev/ttyACM0 --only-load
  tern push device.safetensors --qemu --board riscv32-virt --flash board.flash

The file is sent by YMODEM into the model slot that is not in use. The device checks it, restarts with it on
trial, and keeps it once it has reached the prompt; otherwise it returns to the model before. A file that the
device refuses changes nothing: the running model stays in use.")]
pub struct Args {
    /// Device file, signed by `tern sign` or not
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only load the file: do not activate it and do not restart the device
    #[arg(long)]
    pub only_load: bool,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub link: LinkArgs,
}

/// Sends a model to a device, and checks that the device runs it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let path = args.file.display();
    let bytes = fs::read(&args.file).with_context(|| path.to_string())?;
    if bytes.is_empty() {
        bail!("{path}: the file is empty, expected a device file (`tern export`)");
    }
    // Needed only for the checksum of the device file. A file with a damaged signature trailer is sent as it is: the
    // device refuses it.
    let device_file = Package::read(&bytes).map_or(&bytes[..], |package| package.device_file);
    let target = args.link.target(None)?;
    catch_interrupts();
    let mut client = Client::new(target.open()?, args.link.timeout());
    // An emulated device starts with the connection.
    let synchronized =
        if target.emulation().is_some() { client.synchronize_after_start() } else { client.synchronize() };
    let pushed = synchronized.map_err(Into::into).and_then(|()| push(&mut client, args, &bytes, device_file));
    client.release();
    let pushed = pushed?;
    if args.json {
        return print(pushed);
    }
    let (slot, state) = (pushed["slot"].as_str().unwrap_or_default(), pushed["state"].as_str().unwrap_or("?"));
    print(format_args!("slot {slot}: {state}{}", if pushed["serving"] == true { ", in use" } else { "" }))?;
    let device = args.link.command_line();
    note(if args.only_load {
        format!("next: activate it at the console with `activate` and `reset`\n  tern console {device}")
    } else {
        format!("next: try it\n  tern console {device}")
    });
    Ok(())
}

/// Sends the file, activates it unless `--only-load` is given, and returns the result as a JSON object. `bytes`: the
/// content of the file; `device_file`: its bytes without the signature trailer.
fn push<L: Link>(client: &mut Client<L>, args: &Args, bytes: &[u8], device_file: &[u8]) -> anyhow::Result<Value> {
    // Called only because it fails if the device uses another version of the protocol.
    client.info()?;
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let start = Instant::now();
    let bar = DelayedBar::new(bytes.len(), "{bar:40} {bytes} of {total_bytes}, {eta} left");
    let loaded = client.load(&name, bytes, |sent| bar.show(sent))?;
    drop(bar);
    let seconds = start.elapsed().as_secs_f64();
    let (slot, version) = (loaded["loaded"].clone(), loaded["version"].clone());
    let (slot_name, crc32) = (slot.as_str().unwrap_or_default(), crc32_hex(bytes));
    if loaded["crc32"] != crc32.as_str() {
        bail!("the device received bytes with crc32 {}, expected {crc32}; send the file again", loaded["crc32"]);
    }
    note(format_args!("slot {slot_name}: {} bytes in {seconds:.1} s, version {version}", bytes.len()));
    if !args.only_load {
        client.request("activate")?;
        note(format_args!("slot {slot_name}: all checks passed; the device restarts"));
        restart(client, device_file)?;
    }
    let models = client.request("models")?;
    // The device's description of the slot that was written.
    let described = models["slots"].as_array().into_iter().flatten().find(|described| described["slot"] == slot);
    let described = described.unwrap_or(&Value::Null);
    Ok(json!({
        "slot": slot,
        "version": version,
        "bytes": bytes.len(),
        "crc32": crc32,
        "state": described["state"],
        "serving": described["serving"] == true,
        "seconds": seconds,
    }))
}

/// Restarts the device and checks that it then runs the model that was sent: `device_file`.
fn restart<L: Link>(client: &mut Client<L>, device_file: &[u8]) -> anyhow::Result<()> {
    client.reset()?;
    client.synchronize_after_start()?;
    let info = client.info()?;
    let expected = crc32_hex(device_file);
    match info.model {
        Some(model) if model.crc32 == expected => Ok(()),
        Some(model) => bail!(
            "the device returned to another model: it runs `{}`, crc32 {}, expected {expected}; its first lines after a \
             reset, and `models` at its console, give the reason",
            model.name,
            model.crc32
        ),
        None => bail!("the device runs no model: {}", info.model_error.as_deref().unwrap_or("it gives no reason")),
    }
}
