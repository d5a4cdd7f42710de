//! QEMU for ARM, from the system's packages.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::say;
use crate::process::{probe, program, run};

const QEMU: &str = "qemu-system-arm";
/// The machine with the Cortex-M4 that the demo and the tests run on.
const MACHINE: &str = "mps2-an386";

/// How the emulator can come to this machine.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// `apt-get` as we are.
    Apt,
    /// `apt-get` by `sudo` that asks nothing.
    SudoApt,
    /// Not by us: the line to type.
    Tell(&'static str),
}

/// Sees that the emulator is there and has the machine.
pub fn ensure() -> Result<()> {
    if version().is_none() {
        install()?;
    }
    let version = version().with_context(|| format!("`{QEMU} --version` still fails after the installation"))?;
    let machines = probe(program(QEMU).args(["-machine", "help"])).unwrap_or_default();
    if !machines.lines().any(|line| line.starts_with(MACHINE)) {
        bail!("{QEMU} {version} has no machine `{MACHINE}`; it needs version 7 or newer with all ARM machines");
    }
    say("emulator", &format!("{QEMU} {version} is there"));
    Ok(())
}

/// The installed version, such as `7.2.17`.
fn version() -> Option<String> {
    let text = probe(program(QEMU).arg("--version"))?;
    Some(text.split_whitespace().nth(3).unwrap_or("of unknown version").to_owned())
}

fn install() -> Result<()> {
    let is_root = probe(program("id").arg("-u")).as_deref() == Some("0");
    let has_sudo = || probe(program("sudo").args(["-n", "true"])).is_some();
    let has = |tool: &str| {
        ["/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(tool).exists())
    };
    match way(has, is_root, has_sudo) {
        Way::Apt => apt(&["apt-get"]),
        Way::SudoApt => apt(&["sudo", "-n", "apt-get"]),
        Way::Tell(line) => {
            bail!("{QEMU} is not installed and only you can install it; type `{line}`, then run this again")
        }
    }
}

fn way(has: impl Fn(&str) -> bool, is_root: bool, has_sudo: impl Fn() -> bool) -> Way {
    if has("apt-get") {
        if is_root {
            return Way::Apt;
        }
        if has_sudo() {
            return Way::SudoApt;
        }
    }
    let lines = [
        ("apt-get", "sudo apt-get install --no-install-recommends qemu-system-arm"),
        ("dnf", "sudo dnf install qemu-system-arm"),
        ("pacman", "sudo pacman -S qemu-system-arm"),
        ("zypper", "sudo zypper install qemu-arm"),
        ("apk", "sudo apk add qemu-system-arm"),
        ("brew", "brew install qemu"),
    ];
    let line = lines.iter().find(|(tool, _)| has(tool));
    Way::Tell(line.map_or("install QEMU 7 or newer, https://www.qemu.org/download", |(_, line)| line))
}

fn apt(apt_get: &[&str]) -> Result<()> {
    say("emulator", &format!("installing {QEMU} by {}", apt_get.join(" ")));
    let command = |arguments: &[&str]| {
        let mut command = program(apt_get[0]);
        command.args(&apt_get[1..]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let install = || run(&mut command(&["install", "-y", "-q", "--no-install-recommends", QEMU]));
    // A fresh machine has no package lists, an old one stale lists: fetch them only then.
    if install().is_err() {
        run(&mut command(&["update", "-q"]))?;
        install()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_is_used_where_it_is_allowed() {
        let apt = |tool: &str| tool == "apt-get";
        assert_eq!(way(apt, true, || false), Way::Apt);
        assert_eq!(way(apt, false, || true), Way::SudoApt);
        let Way::Tell(line) = way(apt, false, || false) else { panic!("installs without being allowed to") };
        assert!(line.starts_with("sudo apt-get install "), "{line}");
    }

    #[test]
    fn elsewhere_the_line_to_type_is_told() {
        assert_eq!(way(|tool| tool == "brew", false, || true), Way::Tell("brew install qemu"));
        assert_eq!(way(|tool| tool == "dnf", true, || true), Way::Tell("sudo dnf install qemu-system-arm"));
        let Way::Tell(line) = way(|_| false, true, || true) else { panic!("installs by no means") };
        assert!(line.contains("https://www.qemu.org"), "{line}");
    }
}
