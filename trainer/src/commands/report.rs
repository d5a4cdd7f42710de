//! `tern report`

use super::{Failure, note, print};
use crate::export::write_file;
use crate::float_model::files;
use crate::report::Sources;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// Options of `tern report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern report models/spam --open
  tern report models/spam -o spam.html

One page that needs nothing else: learning curves, confusion, figures by class, calibration,
accuracy by length, the words that decided, the most confident mistakes, and after an export what
quantising cost. `tern train` and `tern export` write it as DIR/report.html. It shows held-out texts:
think of that before you give it away.")]
pub struct Args {
    /// Model directory
    #[arg(value_name = "DIR")]
    pub model: PathBuf,
    /// Page to write [default: DIR/report.html]
    #[arg(short, long, value_name = "FILE.html")]
    pub output: Option<PathBuf>,
    /// Show it in the browser
    #[arg(long)]
    pub open: bool,
}

/// Writes the page of a model directory.
///
/// # Errors
///
/// Where the directory cannot be read, or the page cannot be written or shown.
pub fn run(args: &Args) -> Result<(), Failure> {
    Ok(work(args)?)
}

fn work(args: &Args) -> anyhow::Result<()> {
    let output = args.output.clone().unwrap_or_else(|| args.model.join(files::REPORT));
    check_output(&output)?;
    let page = Sources::read(&args.model)?.page();
    write_file(&output, page.as_bytes()).with_context(|| output.display().to_string())?;
    if args.open {
        open::that_detached(&output).with_context(|| {
            format!("{}: written, but no browser could be started: open it yourself", output.display())
        })?;
    }
    note(format_args!("{} KB", page.len().div_ceil(1000)));
    print(output.display())
}

/// Whether a page may be written at `path`: nothing is there, or an older page.
fn check_output(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        bail!("{}: is a directory, expected the name of a file such as report.html", path.display());
    }
    let Ok(bytes) = std::fs::read(path) else { return Ok(()) };
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).trim_start().to_lowercase();
    if !bytes.is_empty() && !start.starts_with("<!doctype html") && !start.starts_with("<html") {
        bail!("{}: exists and is not an HTML page; nothing was overwritten, choose another -o", path.display());
    }
    Ok(())
}
