//! `cargo xtask web`: builds the page that runs device files in a browser: one file with the library in WebAssembly,
//! the scripts of `web/`, and some models of the repository.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::setup::toolchain;
use crate::{c_library, repo};

/// The models of the page: the name in `models/`, a description, and the text that is classified first.
const MODELS: [(&str, &str, &str); 4] = [
    ("building", "messages in a building, 5 labels", "there is a fire in my room"),
    ("sms_spam", "unwanted SMS, 2 labels", "WINNER! You have been chosen for a free prize, call now"),
    ("snips", "commands, 7 labels", "play some jazz from the eighties"),
    ("clinc150", "commands to an assistant, 150 labels", "how do you say good morning in french"),
];

/// Writes `target/web/index.html` and returns its path.
pub fn build() -> Result<PathBuf> {
    toolchain::ensure_targets(&[c_library::WASM])?;
    let library = c_library::build_wasm()?;
    let source = |name: &str| repo::read(&repo::root().join("web").join(name));
    let models = MODELS.map(|(name, description, example)| {
        let path = repo::root().join("models").join(name).join(format!("{name}.safetensors"));
        let file = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(json!({ "name": name, "description": description, "example": example, "file": STANDARD.encode(file) }))
    });
    let models = models.into_iter().collect::<Result<Vec<_>>>()?;
    let data = format!("const TERN_WASM = {:?};\nconst TERN_MODELS = {};", STANDARD.encode(&library), json!(models));
    let mut scripts = String::new();
    for script in [data, source("tern.js")?, source("page.js")?, source("board.js")?] {
        ensure!(!script.contains("</script"), "a script of web/ contains `</script`, which would end it");
        scripts += &format!("<script>\n{script}\n</script>\n");
    }
    let page = source("index.html")?;
    let (head, tail) =
        page.split_once("<!-- SCRIPTS -->\n").context("web/index.html: `<!-- SCRIPTS -->` is missing")?;
    let folder = repo::root().join("target").join("web");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join("index.html");
    repo::write(&path, format!("{head}{scripts}{tail}"))?;
    Ok(path)
}

/// Runs `cargo xtask web`.
pub fn run() -> Result<()> {
    let path = build()?;
    println!("{}: open it in a browser, or put it on any web server", repo::shown(&path));
    Ok(())
}
