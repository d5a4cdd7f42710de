//! probe-rs, as a program.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::Image;
use crate::commands::note;

const PROGRAM: &str = "probe-rs";

/// Writes the file to the chip and resets it.
pub fn write(file: &Path, image: &Image, chip: &str, probe: Option<&str>) -> anyhow::Result<()> {
    let found = found()?;
    if probe.is_none() && found.is_empty() {
        bail!(
            "probe-rs finds no debug probe: connect the board's debugger by USB (on Linux, its udev rules give you access: \
             https://probe.rs/docs/getting-started/probe-setup), and see that no other program uses it"
        );
    }
    let options = |subcommand: &str| {
        let mut command = Command::new(PROGRAM);
        command.args([subcommand, "--non-interactive", "--chip", chip]);
        if let Some(probe) = probe {
            command.args(["--probe", probe]);
        }
        command
    };
    let mut download = options("download");
    match image {
        Image::Firmware => download.args(["--binary-format", "elf"]),
        Image::Model { slot, .. } => {
            download.args(["--binary-format", "bin", "--base-address"]).arg(format!("{:#010x}", slot.address))
        }
    };
    run(download.arg("--verify").arg(file))?;
    run(&mut options("reset"))
}

/// The probes that are connected, a line each.
fn found() -> anyhow::Result<Vec<String>> {
    let output = Command::new(PROGRAM).arg("list").stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "probe-rs is not there, expected it in PATH: it writes to a board's flash. Install it by \
             `cargo install --locked probe-rs-tools` or as https://probe.rs says; --qemu needs none"
        ),
        Err(error) => return Err(error).context("probe-rs does not start"),
    };
    if !output.status.success() {
        bail!("`probe-rs list` failed ({}); its own lines above say why", output.status);
    }
    // `[0]: J-Link -- 1366:1015:000683339517 (J-Link)`
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(lines.lines().filter(|line| line.trim_start().starts_with('[')).map(str::to_owned).collect())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let line = words.join(" ".as_ref()).to_string_lossy().into_owned();
    note(format_args!("$ {line}"));
    // What it tells of its progress must not be taken for our result.
    let stdout = std::io::stderr();
    let status = command.stdin(Stdio::null()).stdout(stdout).status().context("probe-rs does not start")?;
    if !status.success() {
        bail!("`{line}` failed ({status}); its own lines above say why");
    }
    Ok(())
}
