//! `cargo xtask size`: measures the flash that the code of a small classifier takes, in the ELF file of the image
//! (program) `classifier` of `firmware/proof`. The features are those of the package `tern-runtime`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::elf::{Image, Symbol};
use crate::process::{self, cargo};
use crate::repo::{self, FIRMWARE_TARGET};
use crate::setup::{self, Purpose, RUNTIME_TARGETS};

/// The limit in bytes for the image on [`FIRMWARE_TARGET`].
const IMAGE_LIMIT: u64 = 12 * 1024;
/// The limit in bytes for the LSTM path: the symbols of [`LSTM_PATH`].
const LSTM_LIMIT: u64 = 3 * 1024;

/// The modules of the runtime that an LSTM step uses.
const LSTM_PATH: [&str; 4] = ["layers::lstm", "kernel", "activation", "fixed"];

/// The number of symbols that the listing shows.
const SHOWN: usize = 20;

/// The sizes of one image in bytes, and its symbols.
struct Size {
    /// The section of code.
    text: u64,
    /// The section of constants.
    rodata: u64,
    /// The LSTM path, a part of `text` and `rodata`.
    lstm: u64,
    /// The symbols, the largest first.
    symbols: Vec<Symbol>,
}

impl Size {
    /// Returns the flash that the image takes.
    fn total(&self) -> u64 {
        self.text + self.rodata
    }

    /// Prints the row of a target.
    fn print(&self, target: &str, as_json: bool) {
        let Size { text, rodata, lstm, .. } = self;
        if as_json {
            println!("{}", json!({"target": target, "text_bytes": text, "rodata_bytes": rodata, "lstm_bytes": lstm}));
        } else {
            println!("{target:<32}{text:>8}{rodata:>8}{:>8}{lstm:>12}", self.total());
        }
    }
}

/// Runs `cargo xtask size`. `json`: prints one JSON object for each row. `features`: adds a table with the size of each
/// feature of the runtime.
pub fn run(json: bool, features: bool) -> Result<()> {
    setup::run(Purpose::Lint)?;
    let with_limits = measure(FIRMWARE_TARGET, &features_of(FIRMWARE_TARGET))?;
    if !json {
        print!("{}", listing(&with_limits));
        println!("\n{:<32}{:>8}{:>8}{:>8}{:>12}", "target", "text", "rodata", "both", "LSTM path");
    }
    with_limits.print(FIRMWARE_TARGET, json);
    for target in RUNTIME_TARGETS.into_iter().filter(|target| *target != FIRMWARE_TARGET && !target.contains("wasm")) {
        measure(target, &features_of(target))?.print(target, json);
    }
    if features {
        print_features(&with_limits, json)?;
    }
    check_limits(&with_limits)
}

/// Measures the image that has limits, and checks the limits.
pub fn check() -> Result<()> {
    let size = measure(FIRMWARE_TARGET, &features_of(FIRMWARE_TARGET))?;
    println!("code of a classifier: {} bytes, of which LSTM path {}", size.total(), size.lstm);
    check_limits(&size)
}

/// Fails if the image on [`FIRMWARE_TARGET`] is over a limit.
fn check_limits(size: &Size) -> Result<()> {
    for (part, bytes, limit) in [("the image", size.total(), IMAGE_LIMIT), ("the LSTM path", size.lstm, LSTM_LIMIT)] {
        if bytes > limit {
            bail!(
                "{part} takes {bytes} bytes on {FIRMWARE_TARGET}, at most {limit}; `cargo xtask size` shows the largest symbols"
            );
        }
    }
    Ok(())
}

/// Returns the features of the runtime in the smallest image for a target: one packing, the one that suits the core.
fn features_of(target: &str) -> Vec<String> {
    let packing = if target.starts_with("thumbv7em") { "paired16" } else { "interleaved4" };
    vec![packing.to_owned()]
}

/// Prints the bytes that each default feature of the runtime adds to the smallest image, which is `smallest`.
fn print_features(smallest: &Size, as_json: bool) -> Result<()> {
    if !as_json {
        println!("\n{:<16}{:>14}", "feature", "bytes more");
    }
    let base = features_of(FIRMWARE_TARGET);
    for feature in default_features()?.into_iter().filter(|feature| !base.contains(feature)) {
        let mut with_feature = base.clone();
        with_feature.push(feature.clone());
        let more = measure(FIRMWARE_TARGET, &with_feature)?.total() as i64 - smallest.total() as i64;
        if as_json {
            println!("{}", json!({"feature": feature, "bytes_more": more}))
        } else {
            println!("{feature:<16}{more:>14}")
        }
    }
    Ok(())
}

/// Returns the default features of the runtime.
pub fn default_features() -> Result<Vec<String>> {
    let manifest = fs::read_to_string(repo::root().join("runtime").join("Cargo.toml"))?;
    let list = manifest.split_once("\ndefault = [").and_then(|(_, after)| after.split_once(']'));
    let (list, _) = list.context("runtime/Cargo.toml: expected a list `default` of features")?;
    // Every second part between quotation marks is a name.
    Ok(list.split('"').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Builds the image for a target with these features of the runtime, and measures it. Fails if a size is 0, which would
/// mean that the image or the names of its symbols have changed.
fn measure(target: &str, features: &[String]) -> Result<Size> {
    let image = Image::read(&build(target, features)?)?;
    let (text, rodata) = (image.section_bytes(".text"), image.section_bytes(".rodata"));
    let symbols = image.demangled();
    let lstm = symbols.iter().filter(|symbol| is_of_lstm(&symbol.name)).map(|symbol| symbol.bytes).sum();
    if text == 0 || rodata == 0 || lstm == 0 {
        bail!("{target}: text {text}, rodata {rodata}, LSTM path {lstm} bytes; none of them may be 0");
    }
    Ok(Size { text, rodata, lstm, symbols })
}

/// Builds the image and returns its path.
fn build(target: &str, features: &[String]) -> Result<PathBuf> {
    let folder = repo::firmware().join("target");
    let features: Vec<_> = features.iter().map(|feature| format!("tern-runtime/{feature}")).collect();
    let mut command = cargo(&repo::firmware());
    command.args(["build", "--quiet", "--profile", "small", "-p", "tern-proof", "--bin", "classifier"]);
    command.args(["--target", target, "--no-default-features", "--features", &features.join(",")]);
    command.arg("--target-dir").arg(&folder);
    process::run(&mut command)?;
    Ok(folder.join(target).join("small").join("classifier"))
}

/// Returns true for a symbol in a module of [`LSTM_PATH`], such as `tern_runtime::layers::lstm::…`, or a method of a
/// type in such a module.
fn is_of_lstm(name: &str) -> bool {
    // The name of a method begins with its type: `<tern_runtime::layers::lstm::…>::step`.
    let Some(path) = name.trim_start_matches('<').strip_prefix("tern_runtime::") else { return false };
    LSTM_PATH.iter().any(|module| path.starts_with(&format!("{module}::")))
}

/// Returns a list of the largest symbols.
fn listing(size: &Size) -> String {
    let mut text = format!("{FIRMWARE_TARGET}: the largest of {} symbols; * LSTM path\n", size.symbols.len());
    for symbol in size.symbols.iter().take(SHOWN) {
        let mark = if is_of_lstm(&symbol.name) { '*' } else { ' ' };
        text += &format!("{:>8} {mark} {}\n", symbol.bytes, symbol.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_the_lstm_path_are_recognised() {
        for name in ["tern_runtime::kernel::dsp::run", "<tern_runtime::layers::lstm::paired::Paired>::step"] {
            assert!(is_of_lstm(name), "{name}");
        }
        for name in ["memcpy", "tern_runtime::load::read", "<tern_runtime::kernels::X>::a", "other::lstm"] {
            assert!(!is_of_lstm(name), "{name}");
        }
    }

    #[test]
    fn an_image_over_its_limit_is_an_error() {
        let size = |text, lstm| Size { text, rodata: 0, lstm, symbols: Vec::new() };
        assert!(check_limits(&size(IMAGE_LIMIT, LSTM_LIMIT)).is_ok());
        let error = check_limits(&size(IMAGE_LIMIT + 1, 0)).unwrap_err().to_string();
        assert!(error.starts_with("the image takes"), "{error}");
        let error = check_limits(&size(0, LSTM_LIMIT + 1)).unwrap_err().to_string();
        assert!(error.starts_with("the LSTM path takes"), "{error}");
    }

    #[test]
    fn the_default_features_of_the_runtime_are_read() {
        assert!(default_features().unwrap().iter().any(|feature| feature == "folding"));
    }
}
