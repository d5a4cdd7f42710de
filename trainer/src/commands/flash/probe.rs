//! Writes a file to a chip with the program probe-rs.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::Image;
use crate::commands::note;

const PROGRAM: &str = "probe-rs";

/// Writes the file to the chip and resets it.
pub fn write(file: &Path, image: &Image, chip: &str, probe: Option<&str>) -> anyhow::Result<()> {
    let connected = connected_probes()?;
    if probe.is_none() && connected.is_empty() {
        bail!(
            "probe-rs finds no debug probe: connect the board's debugger by USB (on Linux, its udev rules give you access: \
             https://probe.rs/docs/getting-started/probe-setup), and check that no other program uses it"
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

/// The connected debug probes, one line of `probe-rs list` each.
fn connected_probes() -> anyhow::Result<Vec<String>> {
    let output = Command::new(PROGRAM).arg("list").stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "probe-rs, which writes to a board's flash, was not found in PATH; install it with \
             `cargo install --locked probe-rs-tools` or as described at https://probe.rs. --qemu does not need it"
        ),
        Err(error) => return Err(error).context("probe-rs does not start"),
    };
    if !output.status.success() {
        bail!("`probe-rs list` failed ({}); see its messages above", output.status);
    }
    // `[0]: J-Link -- 1366:1015:000683339517 (J-Link)`
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(lines.lines().filter(|line| line.trim_start().starts_with('[')).map(str::to_owned).collect())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let line = words.join(" ".as_ref()).to_string_lossy().into_owned();
    note(format_args!("$ {line}"));
    // Its progress goes to stderr, since stdout is for the result of `tern flash`.
    let stdout = std::io::stderr();
    let status = command.stdin(Stdio::null()).stdout(stdout).status().context("probe-rs does not start")?;
    if !status.success() {
        bail!("`{line}` failed ({status}); see its messages above");
    }
    Ok(())
}
