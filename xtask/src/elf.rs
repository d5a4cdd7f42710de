//! What a firmware's ELF file tells of its size.

use std::path::Path;

use anyhow::{Context, Result};
use object::elf::SHF_WRITE;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind};

use crate::repo;

/// An ELF file, read.
pub struct Image {
    name: String,
    symbols: Vec<Symbol>,
    sections: Vec<(String, u64)>,
    /// Bytes of flash that the program takes.
    pub flash_bytes: u64,
    /// Bytes of RAM that are taken before the stack.
    pub ram_bytes: u64,
}

/// A function or a variable.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// What it is called.
    pub name: String,
    address: u64,
    /// Its length.
    pub bytes: u64,
}

impl Image {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Image> {
        let name = repo::shown(path);
        let bytes = std::fs::read(path).with_context(|| name.clone())?;
        let file = object::File::parse(&*bytes).with_context(|| format!("{name}: expected an ELF file"))?;
        let (mut flash_bytes, mut ram_bytes) = (0, 0);
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
            let is_allocated = sh_flags & u64::from(object::elf::SHF_ALLOC) != 0;
            // What a linker script sets aside for heap and stack is no more than what is left.
            let is_rest = matches!(section.name(), Ok(".heap" | ".stack"));
            if !is_allocated || is_rest {
                continue;
            }
            let is_empty = section.kind() == SectionKind::UninitializedData;
            flash_bytes += if is_empty { 0 } else { section.size() };
            ram_bytes += if is_empty || sh_flags & u64::from(SHF_WRITE) != 0 { section.size() } else { 0 };
        }
        let symbols = file.symbols().filter_map(|symbol| {
            let name = symbol.name().ok()?.to_owned();
            Some(Symbol { name, address: symbol.address(), bytes: symbol.size() })
        });
        let sections = file.sections().filter_map(|section| Some((section.name().ok()?.to_owned(), section.size())));
        Ok(Image { symbols: symbols.collect(), sections: sections.collect(), name, flash_bytes, ram_bytes })
    }

    /// Bytes of the section of this name; 0 where there is none.
    pub fn section(&self, name: &str) -> u64 {
        self.sections.iter().find(|(known, _)| known == name).map_or(0, |&(_, bytes)| bytes)
    }

    /// All symbols that have a length, the largest first, by the names that the source has.
    pub fn demangled(&self) -> Vec<Symbol> {
        let mut symbols: Vec<_> = self.symbols.iter().filter(|symbol| symbol.bytes > 0).cloned().collect();
        // One place can have several names.
        symbols.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
        symbols.dedup_by_key(|symbol| symbol.address);
        symbols.iter_mut().for_each(|symbol| symbol.name = format!("{:#}", rustc_demangle::demangle(&symbol.name)));
        symbols.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        symbols
    }

    /// Address of a symbol.
    pub fn symbol(&self, name: &str) -> Result<u64> {
        let symbol = self.symbols.iter().find(|symbol| symbol.name == name);
        Ok(symbol.with_context(|| format!("{}: expected the symbol {name}", self.name))?.address)
    }

    /// What lies between two symbols.
    pub fn length(&self, start: &str, end: &str) -> Result<u64> {
        let (from, to) = (self.symbol(start)?, self.symbol(end)?);
        to.checked_sub(from).with_context(|| format!("{}: {end} comes before {start}", self.name))
    }

    /// Length of the static variable of this name, wherever in the program it stands.
    pub fn variable(&self, name: &str) -> Result<u64> {
        // As `_RNvNv…4main7SCRATCH` or `_ZN…7SCRATCH17h…E`, by the compiler's scheme.
        let mangled = format!("{}{name}", name.len());
        let symbol = self.symbols.iter().find(|symbol| symbol.bytes > 0 && symbol.name.contains(&mangled));
        Ok(symbol.with_context(|| format!("{}: expected a variable {name}", self.name))?.bytes)
    }
}
