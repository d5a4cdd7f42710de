//! Chromium, in which a test looks at the report. Where it may not be installed, that test is skipped and says so.

use super::emulator::{self, Emulator};
use super::say;
use crate::process::{probe, program};

/// The browser's packages. It is no emulator, but comes the same way.
const CHROMIUM: Emulator = Emulator {
    program: "chromium",
    machines: &[],
    package: "chromium",
    lines: [
        ("apt-get", "sudo apt-get install --no-install-recommends chromium"),
        ("dnf", "sudo dnf install chromium"),
        ("pacman", "sudo pacman -S chromium"),
        ("zypper", "sudo zypper install chromium"),
        ("apk", "sudo apk add chromium"),
        ("brew", "brew install --cask chromium"),
    ],
    elsewhere: "install Chromium, https://www.chromium.org",
};

/// Installs the browser where that is allowed and none is there.
pub fn ensure() {
    let version = |name: &str| probe(program(name).arg("--version"));
    let found = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(version);
    if found().is_none()
        && let Err(error) = emulator::install(&CHROMIUM)
    {
        return say("browser", &format!("none, so the test that looks at reports is skipped: {error:#}"));
    }
    match found() {
        Some(version) => say("browser", &format!("{} is there", version.trim())),
        None => say("browser", "it was installed but does not start, so the test that looks at reports is skipped"),
    }
}
