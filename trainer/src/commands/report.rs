//! `tern report`: writes `report.html`, the page about a model.

use super::{note, print};
use crate::float_model::{FloatModel, files};
use crate::report::ReportInputs;
use crate::tasks;
use crate::write_file::write_file;
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// Options of `tern report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern report models/spam --open
  tern report models/spam -o spam.html

The report is one HTML page without scripts or other files: learning curves, confusion matrix, metrics by
class, calibration, accuracy by length, influential words, the most confident mistakes, and after an export the
accuracy in integers. `tern train` and `tern export` write it as DIR/report.html. It shows texts of the
validation split: consider that before you publish it.")]
pub struct Args {
    /// Model directory
    #[arg(value_name = "DIR")]
    pub model: PathBuf,
    /// Page to write [default: DIR/report.html]
    #[arg(short, long, value_name = "FILE.html")]
    pub output: Option<PathBuf>,
    /// Open the page in the browser
    #[arg(long)]
    pub open: bool,
}

/// Writes the page about a model directory, and opens it with `--open`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let output = args.output.clone().unwrap_or_else(|| args.model.join(files::REPORT));
    let bytes = write_page(&args.model, &output)?;
    if args.open {
        open::that_detached(&output).with_context(|| {
            format!("{} was written, but no browser could be started; open it yourself", output.display())
        })?;
    }
    note(format_args!("{} KB", bytes.div_ceil(1000)));
    print(output.display())
}

/// Writes the page about the model directory `directory` to the file `output`, and returns its length in bytes.
pub fn write_page(directory: &Path, output: &Path) -> anyhow::Result<usize> {
    check_output(output)?;
    let model = FloatModel::load(directory)?;
    let validation = tasks::handler_of(&model).validate(&model, directory)?;
    let page = ReportInputs::read(directory, &model, validation)?.page();
    write_file(output, page.as_bytes()).with_context(|| output.display().to_string())?;
    Ok(page.len())
}

/// Fails if `path` is a directory or a file that is neither empty nor an HTML page, so that no other file is
/// overwritten.
fn check_output(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        bail!("{}: this is a directory, expected the name of a file such as report.html", path.display());
    }
    let Ok(bytes) = std::fs::read(path) else { return Ok(()) };
    // An HTML page has its first tag within the first 64 bytes.
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).trim_start().to_lowercase();
    if !bytes.is_empty() && !start.starts_with("<!doctype html") && !start.starts_with("<html") {
        bail!("{}: this file exists and is not an HTML page; choose another name with -o", path.display());
    }
    Ok(())
}
