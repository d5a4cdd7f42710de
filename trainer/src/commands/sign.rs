//! `tern sign`

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::{Failure, key, note, print};
use crate::device_file::DeviceFile;
use crate::export::write_file;
use crate::package;

/// Options of `tern sign`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern sign device.safetensors --model-version 7 -o device.tern
  tern sign device.safetensors --key keys/product.key --model-version 7 -o device.tern --json

The signature holds every byte of the file and the version. Firmware with the public key built in takes only
what is signed, and nothing older than what it has run: count the version up with each model that you ship.")]
pub struct Args {
    /// Device file, of `tern export`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Private key, of `tern key new`
    #[arg(long, value_name = "FILE", default_value = "tern.key")]
    pub key: PathBuf,
    /// Version counter of this model
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub model_version: u32,
    /// Where the signed file goes
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print what was signed as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Signs a device file.
///
/// # Errors
///
/// Where the file is none, the key cannot be used, or the result cannot be written.
pub fn run(args: &Args) -> Result<(), Failure> {
    if args.output == args.file {
        return Err(Failure::Usage(format!(
            "{}: -o names the device file itself, which would be lost; choose another name, such as device.tern",
            args.output.display()
        )));
    }
    Ok(work(args)?)
}

fn work(args: &Args) -> anyhow::Result<()> {
    let path = args.file.display();
    let bytes = fs::read(&args.file).with_context(|| format!("{path}"))?;
    if package::device_file(&bytes).len() != bytes.len() {
        bail!("{path} is signed already; sign the device file that `tern export` wrote");
    }
    DeviceFile::open(&args.file)?;
    let signed = package::sign(&bytes, args.model_version, &key::read(&args.key)?);
    write_file(&args.output, &signed).with_context(|| args.output.display().to_string())?;
    let crc32 = format!("{:08x}", crc32fast::hash(&signed));
    if args.json {
        let (version, bytes) = (args.model_version, signed.len());
        return print(serde_json::json!({ "file": args.output, "version": version, "bytes": bytes, "crc32": crc32 }));
    }
    print(format_args!(
        "{}: version {}, {} bytes, crc32 {crc32}",
        args.output.display(),
        args.model_version,
        signed.len()
    ))?;
    note(format_args!("tern push {} --port PORT    brings it to a device", args.output.display()));
    Ok(())
}
