//! Reads the sections and symbols of an ELF file, the program that the compiler makes for a device.

use std::path::Path;

use anyhow::{Context, Result};
use object::elf::SHF_WRITE;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind};

use crate::repo;

/// The sections and symbols of an ELF file, and the memory that it takes.
pub struct Image {
    /// The path, for errors.
    name: String,
    symbols: Vec<Symbol>,
    /// The name and the length in bytes of each section.
    sections: Vec<(String, u64)>,
    /// Bytes of the program in flash.
    pub flash_bytes: u64,
    /// Bytes of static RAM, without the stack.
    pub ram_bytes: u64,
}

/// A function or a variable.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// The name.
    pub name: String,
    /// The address; for a symbol that a linker script sets to a number, the number.
    address: u64,
    /// The length in bytes.
    pub bytes: u64,
}

impl Image {
    /// Reads an ELF file.
    pub fn read(path: &Path) -> Result<Image> {
        let name = repo::shown(path);
        let bytes = std::fs::read(path).with_context(|| name.clone())?;
        let file = object::File::parse(&*bytes).with_context(|| format!("{name}: expected an ELF file"))?;
        let (mut flash_bytes, mut ram_bytes) = (0, 0);
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
            let is_allocated = sh_flags & u64::from(object::elf::SHF_ALLOC) != 0;
            // Sections for heap and stack only reserve the rest of the RAM; that of esp-hal reserves addresses of code.
            let is_reserved = matches!(section.name(), Ok(".heap" | ".stack" | ".rotext_dummy"));
            if !is_allocated || is_reserved {
                continue;
            }
            // Initialised variables take RAM, and flash for their values; uninitialised ones take only RAM.
            let is_uninitialised = section.kind() == SectionKind::UninitializedData;
            let is_writable = sh_flags & u64::from(SHF_WRITE) != 0;
            if !is_uninitialised {
                flash_bytes += section.size();
            }
            if is_uninitialised || is_writable {
                ram_bytes += section.size();
            }
        }
        let symbols = file.symbols().filter_map(|symbol| {
            let name = symbol.name().ok()?.to_owned();
            Some(Symbol { name, address: symbol.address(), bytes: symbol.size() })
        });
        let sections = file.sections().filter_map(|section| Some((section.name().ok()?.to_owned(), section.size())));
        Ok(Image { symbols: symbols.collect(), sections: sections.collect(), name, flash_bytes, ram_bytes })
    }

    /// Returns the length of a section in bytes, 0 if it does not exist.
    pub fn section_bytes(&self, name: &str) -> u64 {
        self.sections.iter().find(|(known, _)| known == name).map_or(0, |&(_, bytes)| bytes)
    }

    /// Returns all symbols with a length, the largest first, with demangled names.
    pub fn demangled(&self) -> Vec<Symbol> {
        let mut symbols: Vec<_> = self.symbols.iter().filter(|symbol| symbol.bytes > 0).cloned().collect();
        // An address can have several names; only the alphabetically first one is kept.
        symbols.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
        symbols.dedup_by_key(|symbol| symbol.address);
        for symbol in &mut symbols {
            // `#` leaves out the hash at the end of a name.
            symbol.name = format!("{:#}", rustc_demangle::demangle(&symbol.name));
        }
        symbols.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        symbols
    }

    /// Returns the address of a symbol, or the number that a linker script sets it to. Fails if it does not exist.
    pub fn symbol_value(&self, name: &str) -> Result<u64> {
        let symbol = self.symbols.iter().find(|symbol| symbol.name == name);
        Ok(symbol.with_context(|| format!("{}: expected the symbol {name}", self.name))?.address)
    }

    /// Returns the number of bytes from the symbol `start` to the symbol `end`. Fails if one does not exist, or `end`
    /// comes first.
    pub fn distance(&self, start: &str, end: &str) -> Result<u64> {
        let (from, to) = (self.symbol_value(start)?, self.symbol_value(end)?);
        to.checked_sub(from).with_context(|| format!("{}: {end} comes before {start}", self.name))
    }

    /// Returns the length in bytes of the static variable of this name in any module. Fails if it does not exist.
    pub fn variable_bytes(&self, name: &str) -> Result<u64> {
        // In a mangled name, each part comes after its length. Examples: `_RNvNv…4main7SCRATCH` or `_ZN…7SCRATCH17h…E`.
        let mangled = format!("{}{name}", name.len());
        let symbol = self.symbols.iter().find(|symbol| symbol.bytes > 0 && symbol.name.contains(&mangled));
        Ok(symbol.with_context(|| format!("{}: expected a variable {name}", self.name))?.bytes)
    }
}
