//! `tern new`: makes a project with sample data, a recipe (the settings of a training) and firmware that runs the
//! model. Most of its files are built into `tern` from `trainer/starter`; the sample data of sensors are computed.

mod motion;

use super::{Failure, note, print};
use crate::recipe::InputKind;
use crate::write_file::write_file;
use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Options of `tern new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern new spam                      a classifier of messages
  tern new steps --input values      a classifier of an accelerometer's stream

The project trains as it is, on synthetic sample data, and its firmware runs in QEMU. Its README has the commands.")]
pub struct Args {
    /// Folder to make; its last part is the name of the project
    #[arg(value_name = "NAME")]
    pub folder: PathBuf,
    /// Input of the model: texts, or sequences of numbers
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    pub input: InputKind,
}

/// A file of a project: its path and its text.
type File = (&'static str, &'static str);

/// Files in which `NAME` and `VERSION` are replaced by the name of the project and the version of Tern.
const TEMPLATES: [&str; 3] = ["README.md", "recipe.toml", "firmware/Cargo.toml"];

/// The files that every project has.
const COMMON: [File; 6] = [
    (".gitignore", include_str!("../../starter/gitignore")),
    ("firmware/Cargo.toml", include_str!("../../starter/firmware.toml")),
    ("firmware/.cargo/config.toml", include_str!("../../starter/cargo_config.toml")),
    ("firmware/build.rs", include_str!("../../starter/build.rs")),
    ("firmware/memory.x", include_str!("../../starter/memory.x")),
    ("firmware/src/board.rs", include_str!("../../starter/board.rs")),
];

/// The files of a project with texts.
const TEXT: [File; 4] = [
    ("README.md", include_str!("../../starter/text/README.md")),
    ("recipe.toml", include_str!("../../starter/text/recipe.toml")),
    ("data/messages.csv", include_str!("../../starter/text/messages.csv")),
    ("firmware/src/main.rs", include_str!("../../starter/text/main.rs")),
];

/// The files of a project with sequences of numbers, besides its data.
const VALUES: [File; 3] = [
    ("README.md", include_str!("../../starter/values/README.md")),
    ("recipe.toml", include_str!("../../starter/values/recipe.toml")),
    ("firmware/src/main.rs", include_str!("../../starter/values/main.rs")),
];

/// Makes the project.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let folder = &args.folder;
    let name = project_name(folder)?;
    if folder.exists() {
        bail!("{}: exists already, expected a new name", folder.display());
    }
    // All files are written to a temporary folder beside `folder`, which is then renamed, so that no incomplete project
    // remains after an error.
    let temporary = folder.with_file_name(format!(".{name}.tmp"));
    if temporary.exists() {
        fs::remove_dir_all(&temporary).with_context(|| temporary.display().to_string())?;
    }
    for (path, mut text) in files(args.input) {
        if TEMPLATES.contains(&path) {
            text = text.replace("NAME", name).replace("VERSION", env!("CARGO_PKG_VERSION"));
        }
        let file = temporary.join(path);
        let parent = file.parent().unwrap_or(&temporary);
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        write_file(&file, text.as_bytes()).with_context(|| file.display().to_string())?;
    }
    fs::rename(&temporary, folder).with_context(|| folder.display().to_string())?;
    print(format_args!("made {}", folder.display()))?;
    // The firmware reads a stream of numbers from its standard input. That for texts waits for typed lines.
    let redirection = if args.input == InputKind::Values { " < ../data/stream.csv" } else { "" };
    note(format_args!(
        "to go on:\n  cd {}\n  tern train recipe.toml -o model\n  tern export model -o firmware/model.safetensors\n  \
         cd firmware && cargo run --release{redirection}",
        folder.display()
    ));
    Ok(())
}

/// Returns the name of the project: the last part of `folder`. Fails unless it is a lower-case letter followed by
/// lower-case letters, digits, `-` or `_`, since it is also the name of a Cargo package.
fn project_name(folder: &Path) -> Result<&str, Failure> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
    match is_name {
        true => Ok(name),
        false => Err(Failure::Usage(format!(
            "the name of the project is {name:?}, expected a lower-case letter and then lower-case letters, digits, `-` or `_`"
        ))),
    }
}

/// Returns the paths and texts of all files of a project.
fn files(input: InputKind) -> Vec<(&'static str, String)> {
    let of_input = match input {
        InputKind::Text => &TEXT[..],
        InputKind::Values => &VALUES[..],
    };
    let mut files = Vec::new();
    for (path, text) in COMMON.iter().chain(of_input) {
        files.push((*path, (*text).to_owned()));
    }
    if input == InputKind::Values {
        files.push(("data/motion.csv", motion::recordings()));
        files.push(("data/stream.csv", motion::stream()));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_packages() {
        assert_eq!(project_name(Path::new("a/spam-2")).unwrap(), "spam-2");
        for bad in ["Spam", "2", "a b", "..", "a/é"] {
            assert!(project_name(Path::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn all_files_with_placeholders_are_templates() {
        for input in [InputKind::Text, InputKind::Values] {
            for (path, text) in files(input) {
                let has_placeholder = text.contains("NAME") || text.contains("VERSION");
                assert!(!has_placeholder || TEMPLATES.contains(&path), "{path}");
            }
        }
    }
}
