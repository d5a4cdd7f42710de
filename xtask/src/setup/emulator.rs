//! QEMU, from the system's packages.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::say;
use crate::process::{probe, program, run};

/// An emulator: a program, the machines that we need of it, and the packages that hold it.
pub struct Emulator {
    pub(super) program: &'static str,
    pub(super) machines: &'static [&'static str],
    /// Debian's package and others' install lines by their tools.
    pub(super) package: &'static str,
    pub(super) lines: [(&'static str, &'static str); 6],
    /// What to do where there is none of these tools.
    pub(super) elsewhere: &'static str,
}

/// Cortex-M: the demo's, the boards that tests run on, and those that measurements run on.
pub const ARM: Emulator = Emulator {
    program: "qemu-system-arm",
    machines: &["mps2-an385", "mps2-an386", "netduinoplus2"],
    package: "qemu-system-arm",
    lines: [
        ("apt-get", "sudo apt-get install --no-install-recommends qemu-system-arm"),
        ("dnf", "sudo dnf install qemu-system-arm"),
        ("pacman", "sudo pacman -S qemu-system-arm"),
        ("zypper", "sudo zypper install qemu-arm"),
        ("apk", "sudo apk add qemu-system-arm"),
        ("brew", "brew install qemu"),
    ],
    elsewhere: "install QEMU 7 or newer, https://www.qemu.org/download",
};

/// 32-bit RISC-V, for tests and measurements.
pub const RISCV: Emulator = Emulator {
    program: "qemu-system-riscv32",
    machines: &["virt"],
    package: "qemu-system-misc",
    lines: [
        ("apt-get", "sudo apt-get install --no-install-recommends qemu-system-misc"),
        ("dnf", "sudo dnf install qemu-system-riscv"),
        ("pacman", "sudo pacman -S qemu-system-riscv"),
        ("zypper", "sudo zypper install qemu-extra"),
        ("apk", "sudo apk add qemu-system-riscv32"),
        ("brew", "brew install qemu"),
    ],
    elsewhere: "install QEMU 7 or newer, https://www.qemu.org/download",
};

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

/// Sees that the emulator is there and has the machines.
pub fn ensure(emulator: &Emulator) -> Result<()> {
    let Emulator { program: name, machines, .. } = emulator;
    if version(name).is_none() {
        install(emulator)?;
    }
    let version = version(name).with_context(|| format!("`{name} --version` still fails after the installation"))?;
    let known = probe(program(name).args(["-machine", "help"])).unwrap_or_default();
    let is_known = |machine: &str| known.lines().any(|line| line.split(' ').next() == Some(machine));
    if let Some(machine) = machines.iter().find(|machine| !is_known(machine)) {
        bail!("{name} {version} has no machine `{machine}`; it needs version 7 or newer with all machines");
    }
    say("emulator", &format!("{name} {version} is there"));
    Ok(())
}

/// The installed version, such as `7.2.17`.
fn version(name: &str) -> Option<String> {
    let text = probe(program(name).arg("--version"))?;
    Some(text.split_whitespace().nth(3).unwrap_or("of unknown version").to_owned())
}

/// Installs the packages, or says what to type.
pub(super) fn install(emulator: &Emulator) -> Result<()> {
    let is_root = probe(program("id").arg("-u")).as_deref() == Some("0");
    let has_sudo = || probe(program("sudo").args(["-n", "true"])).is_some();
    let has = |tool: &str| {
        ["/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(tool).exists())
    };
    match way(emulator, has, is_root, has_sudo) {
        Way::Apt => apt(emulator, &["apt-get"]),
        Way::SudoApt => apt(emulator, &["sudo", "-n", "apt-get"]),
        Way::Tell(line) => {
            let name = emulator.program;
            bail!("{name} is not installed and only you can install it; type `{line}`, then run this again")
        }
    }
}

fn way(emulator: &Emulator, has: impl Fn(&str) -> bool, is_root: bool, has_sudo: impl Fn() -> bool) -> Way {
    if has("apt-get") {
        if is_root {
            return Way::Apt;
        }
        if has_sudo() {
            return Way::SudoApt;
        }
    }
    let line = emulator.lines.iter().find(|(tool, _)| has(tool));
    Way::Tell(line.map_or(emulator.elsewhere, |(_, line)| line))
}

fn apt(emulator: &Emulator, apt_get: &[&str]) -> Result<()> {
    say("packages", &format!("installing {} by {}", emulator.program, apt_get.join(" ")));
    let command = |arguments: &[&str]| {
        let mut command = program(apt_get[0]);
        command.args(&apt_get[1..]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let install = || run(&mut command(&["install", "-y", "-q", "--no-install-recommends", emulator.package]));
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
        assert_eq!(way(&ARM, apt, true, || false), Way::Apt);
        assert_eq!(way(&ARM, apt, false, || true), Way::SudoApt);
        let Way::Tell(line) = way(&ARM, apt, false, || false) else { panic!("installs without being allowed to") };
        assert!(line.starts_with("sudo apt-get install "), "{line}");
    }

    #[test]
    fn elsewhere_the_line_to_type_is_told() {
        assert_eq!(way(&ARM, |tool| tool == "brew", false, || true), Way::Tell("brew install qemu"));
        assert_eq!(way(&ARM, |tool| tool == "dnf", true, || true), Way::Tell("sudo dnf install qemu-system-arm"));
        let Way::Tell(line) = way(&ARM, |_| false, true, || true) else { panic!("installs by no means") };
        assert!(line.contains("https://www.qemu.org"), "{line}");
    }
}
