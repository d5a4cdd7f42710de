//! Measures the peak memory of a training: the most resident memory that the process had at any time.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::{line as shown, program};
use crate::repo;

/// The target for a training on the IMDb reviews: the peak must be lower.
const TARGET_BYTES: u64 = 1_000_000_000;

/// Trains one epoch on the table `data` with the program in the folder `release`, and returns the peak of resident
/// memory in bytes. Works on Linux only, because the peak is read from /proc.
pub fn peak_of_a_training(release: &Path, folder: &Path, data: &Path) -> Result<u64> {
    let data = data.canonicalize().with_context(|| format!("cannot read {}", data.display()))?;
    let recipe = folder.join("memory.toml");
    // The debug format of a path is a quoted string with escapes, as TOML has them.
    let text = format!(
        "[data]\ntrain = {data:?}\n[model]\nembedding_dim = 20\nhidden_size = 64\nngram_buckets = 0\n[training]\nepochs = 1\nbatch_size = 32\nthreads = 2\n"
    );
    repo::write(&recipe, text)?;
    let output = folder.join("memory-model");
    if output.exists() {
        fs::remove_dir_all(&output).with_context(|| format!("cannot remove {}", output.display()))?;
    }
    let mut command = program(&release.join("tern").to_string_lossy());
    command.arg("train").arg(&recipe).arg("-o").arg(&output);
    eprintln!("$ {}", shown(&command));
    let mut child =
        command.stdout(Stdio::null()).spawn().with_context(|| format!("cannot start `{}`", shown(&command)))?;
    let proc_status = Path::new("/proc").join(child.id().to_string()).join("status");
    // The kernel keeps the peak so far, but shows it only while the process runs: the last value read counts.
    let mut peak = 0;
    let exit_status = loop {
        if let Ok(text) = fs::read_to_string(&proc_status) {
            peak = peak_of(&text).unwrap_or(0).max(peak);
        }
        if let Some(exit_status) = child.try_wait()? {
            break exit_status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if !exit_status.success() {
        bail!("`{}` failed", shown(&command));
    }
    if peak == 0 {
        bail!("{} has no VmHWM: the peak of memory is measured on Linux only", proc_status.display());
    }
    Ok(peak)
}

/// Returns the peak of resident memory in bytes, from the line `VmHWM:  123 kB` of /proc/PID/status; `None` if there is
/// no such line.
fn peak_of(proc_status: &str) -> Option<u64> {
    let line = proc_status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Returns the peak as a line of text and as a JSON object.
pub fn row(data: &Path, peak: u64) -> (String, Value) {
    let (data, megabytes) = (data.display().to_string(), peak as f64 * 1e-6);
    let verdict = if peak < TARGET_BYTES { "✓" } else { "✗" };
    let line = format!("\npeak memory of an epoch on {data}: {megabytes:.0} MB, target below 1,000 {verdict}");
    (line, json!({ "program": "tern", "data": data, "peak_bytes": peak, "target": TARGET_BYTES }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_vmhwm_is_read_in_bytes() {
        assert_eq!(peak_of("VmPeak:\t 10 kB\nVmHWM:\t   123 kB\nVmRSS:\t 5 kB\n"), Some(125_952));
        assert_eq!(peak_of("VmPeak:\t 10 kB\n"), None);
    }
}
