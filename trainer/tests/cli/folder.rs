//! A temporary folder with data, in which the tests run the `tern` command.

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// The folder; it is deleted at the end of the test.
pub struct Folder(tempfile::TempDir);

/// The output of a command that succeeded.
pub struct Printed {
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    /// A folder with the table `messages.csv`: 60 texts of two classes.
    pub fn with_messages() -> Self {
        let folder = Folder::new();
        let mut table = "text,label\n".to_owned();
        for index in 0..60 {
            let (text, label) = match index % 2 {
                0 => (format!("win a free prize now, offer {index}!!"), "spam"),
                _ => (format!("see you at lunch, table {index}"), "ham"),
            };
            table += &format!("\"{text}\",{label}\n");
        }
        folder.write("messages.csv", table);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    /// The sorted names of the files in a subfolder, or in the folder itself for `.`.
    pub fn names(&self, subfolder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(subfolder)).unwrap_or_else(|error| panic!("{subfolder}: {error}"));
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The command `tern` with the arguments in `line`, separated by spaces; an argument in `'…'` may contain spaces.
    pub fn tern(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tern"));
        command.current_dir(self.0.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (index, part) in line.split('\'').enumerate() {
            // Every second part is inside quotation marks.
            if index % 2 == 1 {
                command.arg(part);
            } else {
                command.args(part.split_whitespace());
            }
        }
        command
    }

    /// Runs a command that must succeed.
    pub fn run(&self, line: &str) -> Printed {
        let output = self.tern(line).output().unwrap();
        assert!(output.status.success(), "{line}\n{}", stderr(&output));
        Printed { stderr: stderr(&output), stdout: String::from_utf8(output.stdout).unwrap() }
    }

    /// Runs a command that must succeed and print one JSON object.
    pub fn json(&self, line: &str) -> Value {
        parse(&self.run(line).stdout)
    }

    /// Runs a command that must end with this exit status, with `expected` in its messages and with nothing on stdout.
    /// Returns the messages.
    pub fn fails(&self, line: &str, status: i32, expected: &str) -> String {
        let output = self.tern(line).output().unwrap();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{line}\n{message}");
        assert!(message.contains(expected), "{line}: {expected:?} is missing in\n{message}");
        assert!(output.stdout.is_empty(), "{line}");
        message
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json:?}"))
}

/// The number of a key in a JSON object.
pub fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("{key} in {object}"))
}

/// The text of a small language, one sentence a line.
pub fn novel(lines: usize) -> String {
    let line = |index: usize| {
        format!("the {} drinks {} .\n", ["cat", "dog", "bird"][index % 3], ["milk", "rain"][index * 7 % 2])
    };
    (0..lines).map(line).collect()
}
