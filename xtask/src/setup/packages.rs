//! Installs programs from the packages of the operating system: QEMU, lrzsz, Chromium, Python, Node, MPI, compilers.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::{probe, program, run};
use crate::stage::note;

/// Each package manager that may be present, with the start of its install command.
const MANAGERS: [(&str, &str); 6] = [
    ("apt-get", "sudo apt-get install --no-install-recommends"),
    ("dnf", "sudo dnf install"),
    ("pacman", "sudo pacman -S"),
    ("zypper", "sudo zypper install"),
    ("apk", "sudo apk add"),
    ("brew", "brew install"),
];

/// A program and the package that contains it.
pub struct Package {
    /// The name of the program, or of its purpose, in messages.
    topic: &'static str,
    /// The possible names of the program; the first one that starts is used.
    programs: &'static [&'static str],
    /// The QEMU machines that must be supported; empty for other programs.
    machines: &'static [&'static str],
    /// The names of the packages for each manager of [`MANAGERS`]; several packages are separated by spaces.
    names: [&'static str; 6],
    /// The instruction for systems without any of these managers.
    elsewhere: &'static str,
}

const QEMU_ELSEWHERE: &str = "install QEMU 7 or newer, https://www.qemu.org/download";

/// QEMU for Cortex-M.
pub const QEMU_ARM: Package = Package {
    topic: "emulator",
    programs: &["qemu-system-arm"],
    machines: &["mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547", "netduinoplus2"],
    names: ["qemu-system-arm", "qemu-system-arm", "qemu-system-arm", "qemu-arm", "qemu-system-arm", "qemu"],
    elsewhere: QEMU_ELSEWHERE,
};

/// QEMU for 32-bit RISC-V.
pub const QEMU_RISCV: Package = Package {
    topic: "emulator",
    programs: &["qemu-system-riscv32"],
    machines: &["virt"],
    names: ["qemu-system-misc", "qemu-system-riscv", "qemu-system-riscv", "qemu-extra", "qemu-system-riscv32", "qemu"],
    elsewhere: QEMU_ELSEWHERE,
};

/// The program `sb` of lrzsz, which sends models to the emulated device in tests.
pub const LRZSZ: Package = Package {
    topic: "lrzsz",
    programs: &["sb"],
    machines: &[],
    names: ["lrzsz", "lrzsz", "lrzsz", "rzsz", "lrzsz", "lrzsz"],
    elsewhere: "install lrzsz, https://ohse.de/uwe/software/lrzsz.html",
};

/// Chromium, in which a test opens the report.
pub const CHROMIUM: Package = Package {
    topic: "browser",
    programs: &["chromium", "chromium-browser", "google-chrome"],
    machines: &[],
    names: ["chromium", "chromium", "chromium", "chromium", "chromium", "--cask chromium"],
    elsewhere: "install Chromium, https://www.chromium.org",
};

/// The C compiler for Cortex-M, which tests use.
pub const GCC_ARM: Package = Package {
    topic: "C compiler",
    programs: &["arm-none-eabi-gcc"],
    machines: &[],
    names: [
        "gcc-arm-none-eabi",
        "arm-none-eabi-gcc-cs",
        "arm-none-eabi-gcc",
        "cross-arm-none-gcc13",
        "gcc-arm-none-eabi",
        "arm-none-eabi-gcc",
    ],
    elsewhere: "install the Arm GNU toolchain, https://developer.arm.com",
};

/// The C compiler for RISC-V, which tests use.
pub const GCC_RISCV: Package = Package {
    topic: "C compiler",
    programs: &["riscv64-unknown-elf-gcc"],
    machines: &[],
    names: [
        "gcc-riscv64-unknown-elf",
        "gcc-riscv64-unknown-elf",
        "riscv64-elf-gcc",
        "cross-riscv64-elf-gcc13",
        "gcc-riscv-none-elf",
        "riscv64-elf-gcc",
    ],
    elsewhere: "install the RISC-V GNU toolchain, https://github.com/riscv-collab/riscv-gnu-toolchain",
};

/// The C++ compiler of this computer, which tests use.
pub const CXX: Package = Package {
    topic: "C++ compiler",
    programs: &["c++"],
    machines: &[],
    names: ["g++", "gcc-c++", "gcc", "gcc-c++", "g++", "gcc"],
    elsewhere: "install a C++ compiler",
};

/// CMake, which tests use.
pub const CMAKE: Package = Package {
    topic: "CMake",
    programs: &["cmake"],
    machines: &[],
    names: ["cmake"; 6],
    elsewhere: "install CMake, https://cmake.org",
};

/// Valgrind, in which tests run C programs.
pub const VALGRIND: Package = Package {
    topic: "Valgrind",
    programs: &["valgrind"],
    machines: &[],
    names: ["valgrind"; 6],
    elsewhere: "install Valgrind, https://valgrind.org",
};

/// Python with the module venv, for the reference implementation and for the libraries that read our files in tests.
pub const PYTHON: Package = Package {
    topic: "Python",
    programs: &["python3"],
    machines: &[],
    names: ["python3-venv", "python3", "python", "python3", "python3", "python3"],
    elsewhere: "install Python 3.9 or newer, https://www.python.org",
};

/// Open MPI, which shares a training among processes.
pub const OPEN_MPI: Package = Package {
    topic: "MPI",
    programs: &["mpicc"],
    machines: &[],
    names: ["openmpi-bin libopenmpi-dev", "openmpi-devel", "openmpi", "openmpi-devel", "openmpi-dev", "open-mpi"],
    elsewhere: "install Open MPI 4 or newer, https://www.open-mpi.org",
};

/// The library of Clang, with which the crate `mpi` reads MPI's header.
pub const CLANG: Package = Package {
    topic: "Clang",
    programs: &["clang"],
    machines: &[],
    names: ["clang libclang-dev", "clang-devel", "clang", "clang-devel", "clang-dev", "llvm"],
    elsewhere: "install Clang with its library, https://clang.llvm.org",
};

/// Node with npm, which runs the emulator of the Raspberry Pi Pico.
pub const NPM: Package = Package {
    topic: "Node",
    programs: &["npm"],
    machines: &[],
    names: ["npm", "npm", "npm", "npm", "npm", "node"],
    elsewhere: "install Node 18 or newer, https://nodejs.org",
};

/// Installs the package if none of its programs starts. Fails if the installation fails, or if the program is QEMU
/// without one of the machines.
pub fn ensure(package: &Package) -> Result<()> {
    if find(package).is_none() {
        install(package)?;
    }
    let (name, output) = find(package).with_context(|| {
        format!("`{} --version` still fails after the installation", package.programs.join(" --version` and `"))
    })?;
    let version = output.lines().next().unwrap_or_default();
    if !package.machines.is_empty() {
        let known = probe(program(name).args(["-machine", "help"])).unwrap_or_default();
        let is_known = |machine: &str| known.lines().any(|line| line.split(' ').next() == Some(machine));
        if let Some(machine) = package.machines.iter().find(|machine| !is_known(machine)) {
            bail!("{name} has no machine `{machine}` ({version}); install version 7 or newer with all machines");
        }
    }
    note(package.topic, &format!("found {version}"));
    Ok(())
}

/// Returns the first program of the package that starts, with the output of `PROGRAM --version`; `None` if none starts.
fn find(package: &Package) -> Option<(&'static str, String)> {
    for &name in package.programs {
        if let Some(output) = probe(program(name).arg("--version")) {
            return Some((name, output));
        }
    }
    None
}

/// Installs the package with apt-get if that needs no password; otherwise fails with the command to type.
pub fn install(package: &Package) -> Result<()> {
    let is_root = probe(program("id").arg("-u")).as_deref() == Some("0");
    let has_manager = |manager: &str| {
        ["/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(manager).exists())
    };
    // `-n` fails where sudo would ask for a password.
    let has_sudo = || probe(program("sudo").args(["-n", "true"])).is_some();
    if let Some(apt_get) = apt_get(has_manager("apt-get"), is_root, has_sudo) {
        return install_by_apt(package, apt_get);
    }
    let (name, line) = (package.programs[0], line_to_type(package, has_manager));
    bail!("{name} is not installed, and installing it needs your password; type `{line}`, then run this again")
}

/// Returns the beginning of the command that runs `apt-get` without a password; `None` if there is none.
fn apt_get(has_apt: bool, is_root: bool, has_sudo: impl Fn() -> bool) -> Option<&'static [&'static str]> {
    if has_apt && is_root {
        Some(&["apt-get"])
    } else if has_apt && has_sudo() {
        Some(&["sudo", "-n", "apt-get"])
    } else {
        None
    }
}

/// Returns the command that installs a package with the first manager for which `has_manager` is true.
fn line_to_type(package: &Package, has_manager: impl Fn(&str) -> bool) -> String {
    for ((manager, command), names) in MANAGERS.iter().zip(package.names) {
        if has_manager(manager) {
            return format!("{command} {names}");
        }
    }
    package.elsewhere.to_owned()
}

/// Installs the package by apt. `apt_get`: the beginning of the command, from [`apt_get`].
fn install_by_apt(package: &Package, apt_get: &[&str]) -> Result<()> {
    note("packages", &format!("installing {} by {}", package.names[0], apt_get.join(" ")));
    let command = |arguments: &[&str]| {
        let mut command = program(apt_get[0]);
        command.args(&apt_get[1..]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    let names = || package.names[0].split(' ');
    let install = || run(command(&["install", "-y", "-q", "--no-install-recommends"]).args(names()));
    // The installation fails without package lists, as on a new machine, or with outdated ones: they are fetched only
    // after a failure.
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
    fn apt_is_used_if_it_is_allowed() {
        assert_eq!(apt_get(true, true, || false), Some(&["apt-get"][..]));
        assert_eq!(apt_get(true, false, || true), Some(&["sudo", "-n", "apt-get"][..]));
        assert_eq!(apt_get(true, false, || false), None);
        assert_eq!(apt_get(false, true, || true), None);
    }

    #[test]
    fn each_system_gets_the_command_to_type() {
        for (manager, line) in [
            ("apt-get", "sudo apt-get install --no-install-recommends qemu-system-arm"),
            ("brew", "brew install qemu"),
            ("dnf", "sudo dnf install qemu-system-arm"),
            ("none", QEMU_ELSEWHERE),
        ] {
            assert_eq!(line_to_type(&QEMU_ARM, |name| name == manager), line);
        }
    }
}
