//! `cargo xtask boards`: builds the firmware and prints two tables from the ELF files: the flash and RAM that the
//! firmware of each board takes, and the flash that each feature of the console, its command line, takes.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tern_boards::{BOARDS, Board, DEFAULT, Features};

use crate::elf::Image;
use crate::stage::grouped;
use crate::{firmware, repo};

/// The line before a table in `docs/boards.md`.
const BEGIN: &str = "<!-- cargo xtask boards --write -->\n";
/// The line after a table.
const END: &str = "<!-- end -->\n";
/// The name of the board that the tests run in the emulator rp2040js.
const RP2040JS_BOARD: &str = "pico";

/// Builds the firmware of all boards and prints the tables. With `write` they are also written into `docs/boards.md`.
pub fn run(write: bool) -> Result<()> {
    let tables = [table_of_boards()?, table_of_features()?];
    print!("{}", tables.join("\n"));
    if write { write_into_page(&tables) } else { Ok(()) }
}

/// Replaces the tables in `docs/boards.md`, where they are in the order of `tables`.
fn write_into_page(tables: &[String]) -> Result<()> {
    let page = page();
    let mut text = fs::read_to_string(&page)?;
    let mut end_of_previous = 0;
    for table in tables {
        let old_table = range_of_table(&text, end_of_previous)?;
        end_of_previous = old_table.start + table.len();
        text.replace_range(old_table, table);
    }
    // An interrupted command leaves the old page.
    let new_page = page.with_extension("tmp");
    fs::write(&new_page, text)?;
    fs::rename(new_page, page)?;
    Ok(())
}

/// Returns the path of the page with the tables.
fn page() -> PathBuf {
    repo::root().join("docs/boards.md")
}

/// Returns the byte range of the first table in the page after the byte `from`. Fails if there is none.
fn range_of_table(text: &str, from: usize) -> Result<std::ops::Range<usize>> {
    let find = |mark: &str, from: usize| {
        let found = text[from..].find(mark).with_context(|| format!("docs/boards.md: expected a line {mark}"));
        found.map(|index| from + index)
    };
    let start = find(BEGIN, from)? + BEGIN.len();
    Ok(start..find(END, start)?)
}

/// Returns the table of boards.
fn table_of_boards() -> Result<String> {
    let mut table = String::from(
        "| board | processor | program / its flash | reserved RAM / RAM | scratch | model slot | run |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for board in BOARDS {
        let image = Image::read(&firmware::build(board)?)?;
        table += &row_of_board(board, &image)?;
    }
    Ok(table)
}

/// Returns the table of the console's features: the flash of the firmware for the default board with all features but
/// `signed`, the flash that leaving out each of them saves, and the flash that `signed` adds; and for boards with
/// little flash the size of the firmware without features.
fn table_of_features() -> Result<String> {
    let features = firmware::features()?;
    let full: Vec<_> =
        features.iter().map(|(name, _)| name.as_str()).filter(|name| *name != firmware::SIGNED).collect();
    let full_bytes = firmware::size_with(DEFAULT, &full)?.flash_bytes;
    let mut table = format!(
        "| feature | purpose | flash in bytes |\n|---|---|---|\n| `full` | all features but `signed` | {} in total |\n",
        grouped(full_bytes)
    );
    for (name, purpose) in &features {
        if name == firmware::SIGNED {
            let with_signed = [&full[..], &[firmware::SIGNED]].concat();
            let more = firmware::size_with(DEFAULT, &with_signed)?.flash_bytes.saturating_sub(full_bytes);
            table += &format!("| `{name}`, not in `full` | {purpose} | {} more with it |\n", grouped(more));
            continue;
        }
        let mut others: Vec<_> = full.iter().copied().filter(|other| other != name).collect();
        if name == "models" {
            // The recurrent cells belong to `models`; without it, the build needs the cell of `minimal`.
            others.push("minimal");
        }
        let less = full_bytes.saturating_sub(firmware::size_with(DEFAULT, &others)?.flash_bytes);
        table += &format!("| `{name}` | {purpose} | {} less without it |\n", grouped(less));
    }
    for board in BOARDS.iter().filter(|board| board.features == Features::Minimal) {
        let bytes = grouped(firmware::size_with(board, &["minimal"])?.flash_bytes);
        table += &format!("| `minimal` | no feature, on `{}` | {bytes} in total |\n", board.name);
    }
    Ok(table)
}

/// Returns the row of a board. The symbols `__flash_bytes` and `__ram_bytes` are the sizes of its memories, from its
/// linker script.
fn row_of_board(board: &Board, image: &Image) -> Result<String> {
    let Board { name, processor, slot, .. } = *board;
    let (flash, ram) = (kb(image.symbol_value("__flash_bytes")?), kb(image.symbol_value("__ram_bytes")?));
    let (used_flash, static_ram) = (grouped(image.flash_bytes), grouped(image.ram_bytes));
    let (scratch, slot) = (kb(image.variable_bytes("SCRATCH")?), kb(slot.bytes.into()));
    let run = match board.emulator {
        Some(_) => "in QEMU, by the tests",
        None if name == RP2040JS_BOARD => "in rp2040js, by the tests",
        None => "built only, never run",
    };
    Ok(format!(
        "| `{name}` | {processor} | {used_flash} / {flash} | {static_ram} / {ram} | {scratch} | {slot} | {run} |\n"
    ))
}

/// Formats a number of bytes in units of 1024 bytes, rounded down.
fn kb(bytes: u64) -> String {
    format!("{} KB", bytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_every_board() {
        let text = fs::read_to_string(page()).unwrap();
        let table = &text[range_of_table(&text, 0).unwrap()];
        let listed: Vec<_> = table.lines().skip(2).filter_map(|line| line.split('`').nth(1)).collect();
        assert_eq!(
            listed,
            BOARDS.iter().map(|board| board.name).collect::<Vec<_>>(),
            "`cargo xtask boards --write` makes the table"
        );
    }

    #[test]
    fn the_page_lists_every_feature() {
        let text = fs::read_to_string(page()).unwrap();
        let after_boards = range_of_table(&text, 0).unwrap().end;
        let table = &text[range_of_table(&text, after_boards).unwrap()];
        for (name, purpose) in firmware::features().unwrap() {
            assert!(
                table.contains(&format!("| `{name}`")) && table.contains(&format!("| {purpose} |")),
                "{name}: `cargo xtask boards --write`"
            );
        }
    }

    #[test]
    fn every_board_has_a_feature_and_a_file() {
        let manifest = fs::read_to_string(repo::firmware().join("Cargo.toml")).unwrap();
        let main = fs::read_to_string(repo::firmware().join("src/main.rs")).unwrap();
        for Board { name, .. } in BOARDS {
            assert!(manifest.contains(&format!("\n{name} = [")), "{name} in firmware/Cargo.toml");
            assert!(main.contains(&format!("feature = \"{name}\"")), "{name} in firmware/src/main.rs");
        }
    }
}
