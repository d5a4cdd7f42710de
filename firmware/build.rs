//! Build script: passes the board's memory map to the linker, sets the log level, and embeds the key that models must
//! be signed with.

use std::path::PathBuf;
use std::{env, fs, io};

/// The file whose attributes select the file of each board by its feature.
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
    public_key()?;
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return Ok(());
    }
    println!("cargo::rerun-if-changed={MAIN}");
    let boards = boards(&fs::read_to_string(MAIN)?);
    let [(board, file)] = boards.as_slice() else {
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
    println!("cargo::rerun-if-changed={file}");
    let text = fs::read_to_string(file)?;
    let Some(map) = memory_map(&text, &format!("memory.x {board}")).or_else(|| memory_map(&text, "memory.x")) else {
        return fail(&format!("{file} has no block ```memory.x in the comment at its top; see docs/porting.md"));
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

/// Prints an error with this message, which makes the build fail.
fn fail(message: &str) -> io::Result<()> {
    println!("cargo::error={message}");
    Ok(())
}

/// Embeds `TERN_PUBLIC_KEY`: 64 hexadecimal digits, or the path of a file that contains only them.
fn public_key() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=TERN_PUBLIC_KEY");
    let given = env::var("TERN_PUBLIC_KEY").unwrap_or_default();
    let digits = "64 hexadecimal digits";
    if given.is_empty() {
        return match has_feature("signed") {
            true => fail(&format!(
                "the feature `signed` needs TERN_PUBLIC_KEY: {digits}, or a file with them from `tern key new`"
            )),
            false => Ok(()),
        };
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
fn boards(main: &str) -> Vec<(String, String)> {
    let mut boards = Vec::new();
    for line in main.lines().filter(|line| line.starts_with("#[cfg_attr(")) {
        let Some((_, path)) = line.split_once("path = \"board/") else { continue };
        let file = format!("src/board/{}", path.split('"').next().unwrap_or_default());
        let names = line.split("feature = \"").skip(1).filter_map(|rest| rest.split('"').next());
        boards.extend(names.filter(|name| has_feature(name)).map(|name| (name.to_owned(), file.clone())));
    }
    boards
}

fn has_feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{}", name.to_uppercase().replace('-', "_"))).is_some()
}

/// Extracts the block ```` ```TITLE ```` from the comment at the top of a board's file; `None` if there is no such
/// block.
fn memory_map(file: &str, title: &str) -> Option<String> {
    let comment: Vec<_> = file.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let start = comment.iter().position(|line| line.strip_prefix(" ```") == Some(title))? + 1;
    let length = comment[start..].iter().position(|line| *line == " ```")?;
    Some(comment[start..start + length].iter().map(|line| format!("{}\n", line.trim_start())).collect())
}
