//! `tern sign`: signs a device file with a private key.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::{Failure, key, note, print};
use crate::checksum::crc32_hex;
use crate::device_file::DeviceFile;
use crate::package::{self, Package};
use crate::write_file::write_file;

/// Options of `tern sign`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern sign device.safetensors --model-version 7 -o device.tern
  tern sign device.safetensors --key keys/product.key --model-version 7 -o device.tern --json

The signature covers every byte of the file and the version. Firmware with the public key built in accepts only
models that this key has signed, and none with a lower version than a model that it has run: use a higher
version for each model that you ship.")]
pub struct Args {
    /// Device file that `tern export` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Private key that `tern key new` made
    #[arg(long, value_name = "FILE", default_value = "tern.key")]
    pub key: PathBuf,
    /// Version of this model, at least 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub model_version: u32,
    /// Signed file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Signs a device file.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let (path, output) = (args.file.display(), args.output.display());
    if args.output == args.file {
        bail!(Failure::Usage(format!(
            "-o {output} would overwrite the device file; choose another name, such as device.tern"
        )));
    }
    let bytes = fs::read(&args.file).with_context(|| path.to_string())?;
    // An unsigned device file is a package without a signature.
    if let Some(signed) = Package::read(&bytes).with_context(|| path.to_string())?.signed {
        bail!("{path} is already signed ({signed}), expected the unsigned device file that `tern export` wrote");
    }
    // Only checks the file: its bytes are signed as they are.
    DeviceFile::from_bytes(&bytes).with_context(|| path.to_string())?;
    let package = package::sign(&bytes, args.model_version, &key::read(&args.key)?);
    write_file(&args.output, &package).with_context(|| output.to_string())?;
    let (version, length, crc32) = (args.model_version, package.len(), crc32_hex(&package));
    if args.json {
        return print(serde_json::json!({ "file": args.output, "version": version, "bytes": length, "crc32": crc32 }));
    }
    print(format_args!("{output}: version {version}, {length} bytes, crc32 {crc32}"))?;
    note(format_args!("next: send it to a device\n  tern push {output} --port /dev/ttyACM0"));
    Ok(())
}
