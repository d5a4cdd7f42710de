//! `cargo xtask boards`: a table of the flash and RAM that the firmware of each board takes, from the ELF files.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tern_boards::{BOARDS, Board};

use crate::elf::Image;
use crate::stage::grouped;
use crate::{firmware, repo};

/// The lines around the table in `docs/boards.md`.
const BEGIN: &str = "<!-- cargo xtask boards --write -->\n";
const END: &str = "<!-- end -->\n";

/// Builds the firmware of all boards and prints the table. With `write` it is also written into `docs/boards.md`.
pub fn run(write: bool) -> Result<()> {
    let table = table()?;
    print!("{table}");
    if !write {
        return Ok(());
    }
    let page = page();
    let text = fs::read_to_string(&page)?;
    let (before, _, after) = parts(&text)?;
    let new = page.with_extension("tmp");
    fs::write(&new, format!("{before}{BEGIN}{table}{END}{after}"))?;
    fs::rename(new, page)?;
    Ok(())
}

fn page() -> PathBuf {
    repo::root().join("docs/boards.md")
}

/// The page before its table, the table, and the page after it.
fn parts(text: &str) -> Result<(&str, &str, &str)> {
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("docs/boards.md: expected a line {BEGIN}"))?;
    let (table, after) = rest.split_once(END).with_context(|| format!("docs/boards.md: expected a line {END}"))?;
    Ok((before, table, after))
}

fn table() -> Result<String> {
    let mut table = String::from(
        "| board | processor | program, of its flash | RAM before the stack, of | scratch in it | model slot | run |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for board in &BOARDS {
        table += &row(board, &Image::read(&firmware::build(board)?)?)?;
    }
    Ok(table)
}

fn row(board: &Board, image: &Image) -> Result<String> {
    let Board { name, processor, slot, .. } = board;
    let (flash, ram) = (kb(image.symbol("__flash_bytes")?), kb(image.symbol("__ram_bytes")?));
    let (used_flash, static_ram) = (grouped(image.flash_bytes), grouped(image.ram_bytes));
    let (scratch, slot) = (kb(image.variable("SCRATCH")?), kb(slot.bytes.into()));
    let run = if board.emulator.is_some() { "in QEMU, by the tests" } else { "built only" };
    Ok(format!(
        "| `{name}` | {processor} | {used_flash}, {flash} | {static_ram}, {ram} | {scratch} | {slot} | {run} |\n"
    ))
}

fn kb(bytes: u64) -> String {
    format!("{} KB", bytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_every_board() {
        let text = fs::read_to_string(page()).unwrap();
        let (_, table, _) = parts(&text).unwrap();
        let listed: Vec<_> = table.lines().skip(2).filter_map(|line| line.split('`').nth(1)).collect();
        assert_eq!(listed, BOARDS.each_ref().map(|board| board.name), "`cargo xtask boards --write` makes the table");
    }

    #[test]
    fn every_board_has_a_feature_and_a_file() {
        let manifest = fs::read_to_string(repo::firmware().join("Cargo.toml")).unwrap();
        let main = fs::read_to_string(repo::firmware().join("src/main.rs")).unwrap();
        for Board { name, .. } in &BOARDS {
            assert!(manifest.contains(&format!("\n{name} = [")), "{name} in firmware/Cargo.toml");
            assert!(main.contains(&format!("feature = \"{name}\"")), "{name} in firmware/src/main.rs");
        }
    }
}
