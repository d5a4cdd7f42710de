//! A model for the tests, trained and exported once in each test process, and helpers to run `tern`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use tern_messages::{SEED, generate, to_csv};

use crate::programs::{root, stdout_of, tern};

/// The number of messages in the table that the model is trained on.
const MESSAGES: usize = 1500;

/// A trained model, its device file, and the output of the export.
#[derive(Debug)]
pub struct Trained {
    /// The model directory.
    pub directory: PathBuf,
    /// The device file.
    pub file: PathBuf,
    /// The validation rows.
    pub validation: PathBuf,
    /// The output of `tern export --json`.
    pub export: Value,
}

/// Returns an empty folder `target/path-tests/NAME` for a test. Panics if the folder cannot be emptied or created.
pub fn folder(name: &str) -> PathBuf {
    let folder = root().join("target/path-tests").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the folder of an earlier run can be removed");
    }
    fs::create_dir_all(&folder).expect("a folder can be created below target/");
    folder
}

/// Returns the path of a committed device file, an LSTM; the file has 2,306 bytes and the CRC-32 7cc8eafe.
pub fn committed() -> PathBuf {
    root().join("runtime/tests/golden/lstm.safetensors")
}

/// Returns the first `lines` training messages of the demo as CSV. Panics if the generator fails.
pub fn table(lines: usize) -> String {
    to_csv(&generate(SEED).expect("the grammar of the generator is well-formed").train[..lines])
}

/// Runs `tern` and returns the JSON object that it prints. Panics if the exit status is not 0 or stdout is not one JSON
/// object.
#[track_caller]
pub fn json(arguments: &[&str]) -> Value {
    let stdout = stdout_of(tern().args(arguments));
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("tern {arguments:?}: {error}\n{stdout}"))
}

/// Checks the output of `tern classify --json`. Panics unless the device has answered every text with the logits of the
/// host.
#[track_caller]
pub fn assert_same_logits(output: &Value) {
    assert!(output["disagreements"] == 0 && output["refused"] == 0, "{output}");
}

/// Returns a path as an argument. Panics if the path is not UTF-8.
pub fn argument(path: &Path) -> &str {
    path.to_str().expect("the path of the repository is UTF-8")
}

/// Runs `tern train DATA -o DIRECTORY OPTIONS`. Panics if the training fails.
#[track_caller]
pub fn train(data: &Path, directory: &Path, options: &[&str]) {
    stdout_of(tern().arg("train").arg(data).arg("-o").arg(directory).args(options));
}

/// Returns the model that most tests share. Panics if training or export fails.
pub fn trained() -> &'static Trained {
    static TRAINED: OnceLock<Trained> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let folder = folder("shared");
        let (data, directory) = (folder.join("messages.csv"), folder.join("model"));
        fs::write(&data, table(MESSAGES)).expect("the table can be written");
        let options = ["--embedding-dim", "16", "--hidden-size", "32", "--epochs", "8", "--seed", "1"];
        train(&data, &directory, &options);
        let file = folder.join("device.safetensors");
        let export = json(&["export", argument(&directory), "-o", argument(&file), "--json"]);
        Trained { validation: directory.join("validation.csv"), directory, file, export }
    })
}
