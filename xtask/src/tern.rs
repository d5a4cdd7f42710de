//! Builds the `tern` command for release and runs it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{Command, capture, cargo, program, run};
use crate::repo;

/// The `tern` command of this checkout, by the path of its executable.
pub struct Tern(PathBuf);

impl Tern {
    /// Builds the command.
    pub fn build() -> Result<Self> {
        Tern::build_with(&[])
    }

    /// Builds the command with more arguments for cargo.
    pub fn build_with(arguments: &[&str]) -> Result<Self> {
        let root = repo::root();
        let build = ["build", "--release", "--package", "tern-trainer", "--bin", "tern"];
        run(cargo(&root).args(build).args(arguments))?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Ok(Tern(root.join(target).join("release").join(format!("tern{}", std::env::consts::EXE_SUFFIX))))
    }

    /// Returns the path of the command.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns a command that runs `tern` without arguments.
    pub fn command(&self) -> Command {
        program(&self.0.to_string_lossy())
    }

    /// Runs `tern ARGUMENTS --json` and returns the object that it prints.
    pub fn json<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<Value> {
        let text = capture(self.command().args(arguments).arg("--json"))?;
        last_object(&text).with_context(|| format!("`tern --json` printed no JSON object: {text}"))
    }
}

/// Returns the last JSON object of a text that may contain other lines.
fn last_object(text: &str) -> Option<Value> {
    let object = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    // An object that takes several lines must be the whole text.
    object(text).or_else(|| text.lines().rev().find_map(object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_object_is_found_among_other_lines() {
        assert_eq!(last_object("{\"a\":\n1}"), Some(json!({"a": 1})));
        assert_eq!(last_object("note\n{\"a\":1}\n{\"a\":2}\n\n"), Some(json!({"a": 2})));
        assert_eq!(last_object("3\n"), None);
    }
}
