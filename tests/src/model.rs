//! A model for the tests: trained and exported once a test process, by the commands that a user types.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use xtask::messages;

use crate::programs::{root, tern, text_of};

/// What the tests train on: this many messages of the demo's generator.
const MESSAGES: usize = 1500;

/// A trained model, its device file, and what the commands said of them.
#[derive(Debug)]
pub struct Trained {
    /// The model directory.
    pub directory: PathBuf,
    /// The device file.
    pub file: PathBuf,
    /// The rows that were held out.
    pub validation: PathBuf,
    /// What `tern export --json` printed.
    pub export: Value,
}

/// A fresh folder for a test under the target folder. What an earlier run left there is removed.
///
/// # Panics
///
/// Where the system refuses.
pub fn folder(name: &str) -> PathBuf {
    let folder = root().join("target/path-tests").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an earlier run's folder can be removed");
    }
    fs::create_dir_all(&folder).expect("a folder can be made below target/");
    folder
}

/// A committed device file of 2,306 bytes, whose CRC-32 is 7cc8eafe: what it says changes with firmware, format and arithmetic alone.
pub fn committed() -> PathBuf {
    root().join("runtime/tests/golden/lstm.safetensors")
}

/// Messages of the demo's generator as a table.
///
/// # Panics
///
/// Where the generator fails.
pub fn table(lines: usize) -> String {
    let all = messages::generate(messages::SEED).expect("the generator's own grammar is good");
    let mut table = String::from("text,label\n");
    for message in all.train.iter().take(lines) {
        table += &format!("\"{}\",{}\n", message.text.replace('"', "\"\""), message.label.name());
    }
    table
}

/// What a command printed with `--json`, after it ended well.
///
/// # Panics
///
/// Where its status is not 0, or its stdout is anything but one JSON object.
pub fn json(arguments: &[&str]) -> Value {
    let (status, stdout, stderr) = text_of(tern().args(arguments));
    assert_eq!(status, Some(0), "tern {arguments:?}\n{stderr}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("tern {arguments:?}: {error}\n{stdout}"))
}

/// A path as an argument.
///
/// # Panics
///
/// Where it is not UTF-8.
pub fn argument(path: &Path) -> &str {
    path.to_str().expect("the repository lies at a path in UTF-8")
}

/// The model that most tests share.
///
/// # Panics
///
/// Where training or export fails.
pub fn trained() -> &'static Trained {
    static TRAINED: OnceLock<Trained> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let folder = folder("shared");
        let (data, directory) = (folder.join("messages.csv"), folder.join("model"));
        fs::write(&data, table(MESSAGES)).expect("the table can be written");
        let options = ["--embedding", "16", "--hidden", "32", "--epochs", "8", "--seed", "1"];
        let (status, _, log) = text_of(tern().arg("train").arg(&data).arg("-o").arg(&directory).args(options));
        assert_eq!(status, Some(0), "{log}");
        let file = folder.join("device.safetensors");
        let export = json(&["export", argument(&directory), "-o", argument(&file), "--json"]);
        Trained { validation: directory.join("validation.csv"), directory, file, export }
    })
}
