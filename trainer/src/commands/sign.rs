//! `tern sign`

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::{Failure, key, note, print};
use crate::device_file::DeviceFile;
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
    write(&args.output, &signed)?;
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

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = || format!("{}", path.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    file.write_all(bytes).with_context(failed)?;
    file.as_file().sync_all().with_context(failed)?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(file.path(), mode).with_context(failed)?;
    }
    file.persist(path).with_context(failed)?;
    Ok(())
}
