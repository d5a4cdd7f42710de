//! lrzsz, whose `sb` sends models to the emulated device in a test.

use anyhow::Result;

use super::emulator::{self, Emulator};
use super::say;
use crate::process::{probe, program};

/// Its package. It is no emulator, but comes the same way.
const LRZSZ: Emulator = Emulator {
    program: "sb",
    machines: &[],
    package: "lrzsz",
    lines: [
        ("apt-get", "sudo apt-get install --no-install-recommends lrzsz"),
        ("dnf", "sudo dnf install lrzsz"),
        ("pacman", "sudo pacman -S lrzsz"),
        ("zypper", "sudo zypper install rzsz"),
        ("apk", "sudo apk add lrzsz"),
        ("brew", "brew install lrzsz"),
    ],
    elsewhere: "install lrzsz, https://ohse.de/uwe/software/lrzsz.html",
};

/// Sees that `sb` is there.
pub fn ensure() -> Result<()> {
    let version = || probe(program(LRZSZ.program).arg("--version"));
    if version().is_none() {
        emulator::install(&LRZSZ)?;
    }
    say("lrzsz", &format!("{} is there", version().unwrap_or_default().trim()));
    Ok(())
}
