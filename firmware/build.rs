//! Build script: passes the memory map of the board, which a Cargo feature selects, to the linker; sets the log level;
//! and embeds the public key that checks the signatures of models.

use std::path::PathBuf;
use std::{env, fs, io};

/// The file with an attribute for each board, which names the board's feature and its file.
const MAIN: &str = "src/main.rs";

/// Linker symbols: the bounds of the flash partitions, which the program reads, and the sizes of flash and RAM, which
/// the table of boards in the documentation shows.
const SYMBOLS: &str = "
__slot_a_start = ORIGIN(SLOT_A);
__slot_a_end = ORIGIN(SLOT_A) + LENGTH(SLOT_A);
__slot_b_start = ORIGIN(SLOT_B);
__slot_b_end = ORIGIN(SLOT_B) + LENGTH(SLOT_B);
__record_start = ORIGIN(RECORD);
__record_end = ORIGIN(RECORD) + LENGTH(RECORD);
__flash_bytes = LENGTH(FLASH);
__ram_bytes = LENGTH(RAM);
";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEFMT_LOG");
    embed_public_key()?;
    // A build for a computer, such as that of the tests, has no board.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return Ok(());
    }
    println!("cargo::rerun-if-changed={MAIN}");
    let boards = enabled_boards(&fs::read_to_string(MAIN)?);
    let [(board, board_file)] = boards.as_slice() else {
        let found = if boards.is_empty() { "none".to_owned() } else { format!("{boards:?}") };
        return fail(&format!(
            "expected the feature of one board in {MAIN}, found {found}; type `cargo xtask firmware --board NAME`"
        ));
    };
    println!("cargo::rustc-check-cfg=cfg(armv6m)");
    if env::var("TARGET").is_ok_and(|target| target.starts_with("thumbv6m")) {
        println!("cargo::rustc-cfg=armv6m");
    }
    // Without this variable, defmt logs nothing.
    if env::var_os("DEFMT_LOG").is_none() {
        println!("cargo::rustc-env=DEFMT_LOG=info");
    }
    println!("cargo::rustc-env=TERN_BOARD={board}");
    println!("cargo::rerun-if-changed={board_file}");
    let board_source = fs::read_to_string(board_file)?;
    // A file for several boards may have a block for one of them, and a block for the others.
    let own_map = memory_map(&board_source, &format!("memory.x {board}"));
    let Some(map) = own_map.or_else(|| memory_map(&board_source, "memory.x")) else {
        return fail(&format!("{board_file} has no block ```memory.x in the comment at its top; see docs/porting.md"));
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("memory.x"), map + SYMBOLS)?;
    if has_feature("registers") {
        // cortex-m-rt requires this file; the interrupt vectors are defined in the board's file.
        fs::write(out.join("device.x"), "")?;
    }
    println!("cargo::rustc-link-search={}", out.display());
    let script = if has_feature("esp32-c3") { "-Tlinkall.x" } else { "-Tlink.x" };
    // `--nmagic` does not align sections to pages; `--icf=all` links functions with the same code once.
    for argument in ["--nmagic", "--icf=all", script] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    if has_feature("log") {
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    }
    Ok(())
}

/// Prints an error with this message. Cargo then lets the build fail, although the script itself succeeds.
fn fail(message: &str) -> io::Result<()> {
    println!("cargo::error={message}");
    Ok(())
}

/// Embeds the key that the environment variable `TERN_PUBLIC_KEY` gives: 64 hexadecimal digits, or the path of a file
/// that contains only them and white space around them. Without the variable no key is embedded, and the feature
/// `signed`, which requires one, makes the build fail.
fn embed_public_key() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=TERN_PUBLIC_KEY");
    let given = env::var("TERN_PUBLIC_KEY").unwrap_or_default();
    let digits = "64 hexadecimal digits";
    if given.is_empty() {
        if has_feature("signed") {
            return fail(&format!(
                "the feature `signed` needs TERN_PUBLIC_KEY: {digits}, or a file with them from `tern key new`"
            ));
        }
        return Ok(());
    }
    let is_key = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hex = if is_key(&given) {
        given
    } else {
        println!("cargo::rerun-if-changed={given}");
        match fs::read_to_string(&given) {
            Ok(text) if is_key(text.trim()) => text.trim().to_owned(),
            Ok(_) => {
                return fail(&format!(
                    "TERN_PUBLIC_KEY: {given} does not contain {digits}, as `tern key new` writes them"
                ));
            }
            Err(error) => {
                return fail(&format!("TERN_PUBLIC_KEY: expected {digits} or a file with them; {given}: {error}"));
            }
        }
    };
    println!("cargo::rustc-env=TERN_PUBLIC_KEY_HEX={hex}");
    Ok(())
}

/// Returns the boards whose features are enabled, each with its file, from the lines above `mod board` in [`MAIN`]:
/// `#[cfg_attr(feature = "NAME", path = "board/FILE.rs")]`, or several names in `any(…)`.
fn enabled_boards(main: &str) -> Vec<(String, String)> {
    let mut boards = Vec::new();
    for line in main.lines().filter(|line| line.starts_with("#[cfg_attr(")) {
        let Some((_, after_folder)) = line.split_once("path = \"board/") else { continue };
        let file = format!("src/board/{}", up_to_quote(after_folder));
        for name in line.split("feature = \"").skip(1).map(up_to_quote) {
            if has_feature(name) {
                boards.push((name.to_owned(), file.clone()));
            }
        }
    }
    boards
}

/// Returns the text before the first quotation mark.
fn up_to_quote(text: &str) -> &str {
    text.split('"').next().unwrap_or_default()
}

/// Returns true if Cargo builds with this feature, which it reports in an environment variable.
fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{}", name.to_uppercase().replace('-', "_"))).is_some()
}

/// Returns the lines between ```` ```TITLE ```` and ```` ``` ```` in the comment at the top of a board's file, without
/// their indentation; `None` if there is no such block.
fn memory_map(board_source: &str, title: &str) -> Option<String> {
    let mut comment = board_source.lines().map_while(|line| line.strip_prefix("//!"));
    comment.find(|line| line.strip_prefix(" ```") == Some(title))?;
    let mut map = String::new();
    for line in comment {
        if line == " ```" {
            return Some(map);
        }
        map.push_str(line.trim_start());
        map.push('\n');
    }
    None
}
