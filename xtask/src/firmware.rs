//! Builds the firmware, which is a workspace of its own.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process::{cargo, run};
use crate::repo;

/// Builds the release firmware; the path of its ELF file.
pub fn build() -> Result<PathBuf> {
    run(cargo(&repo::firmware()).args(["build", "--release", "--target", repo::FIRMWARE_TARGET]))?;
    let elf = repo::firmware_elf();
    if !elf.is_file() {
        bail!("the build went well, but {} is not there; is the binary still called `tern-firmware`?", elf.display());
    }
    Ok(elf)
}
