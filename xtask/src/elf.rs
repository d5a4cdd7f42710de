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
    /// Bytes of flash that the program takes.
    pub flash_bytes: u64,
    /// Bytes of RAM that are taken before the stack.
    pub ram_bytes: u64,
}

struct Symbol {
    name: String,
    address: u64,
    bytes: u64,
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
        Ok(Image { symbols: symbols.collect(), name, flash_bytes, ram_bytes })
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
