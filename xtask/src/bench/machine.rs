//! The cores, the machines of the emulator that stand for them, and the measuring firmware on them.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use tern_runtime::Packing;

use super::workload::Workload;
use crate::process::{Command, capture, cargo, line, program, run};
use crate::repo;

/// A core that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Core {
    /// Its name in the table.
    pub name: &'static str,
    /// What its code is compiled for.
    pub target: &'static str,
    /// The packing that is made for it.
    pub packing: Packing,
    /// The emulator and its arguments: the machine, and how long an instruction takes, which `firmware/bench` counts by.
    emulator: &'static str,
    arguments: &'static [&'static str],
    /// Where the model and the ids lie, as in the linker scripts of `firmware/bench`.
    model: u32,
    ids: u32,
}

const fn arm(name: &'static str, target: &'static str, packing: Packing, arguments: &'static [&'static str]) -> Core {
    Core { name, target, packing, emulator: "qemu-system-arm", arguments, model: 0x20_0000, ids: 0x38_0000 }
}

const M3: &[&str] = &["-M", "mps2-an385", "-icount", "shift=6"];
const M4: &[&str] = &["-M", "mps2-an386", "-icount", "shift=6"];

/// All cores, in the order of the table. No machine has a Cortex-M0+ and enough memory: its code, which uses a subset of the
/// instructions, runs on a Cortex-M3.
pub const CORES: [Core; 4] = [
    arm("cortex-m4", repo::FIRMWARE_TARGET, Packing::Paired16, M4),
    arm("cortex-m3", "thumbv7m-none-eabi", Packing::Interleaved4, M3),
    arm("cortex-m0plus", "thumbv6m-none-eabi", Packing::Interleaved4, M3),
    Core {
        name: "rv32imac",
        target: "riscv32imac-unknown-none-elf",
        packing: Packing::Interleaved4,
        emulator: "qemu-system-riscv32",
        arguments: &["-M", "virt", "-bios", "none", "-icount", "shift=0"],
        model: 0x8020_0000,
        ids: 0x8038_0000,
    },
];

/// What the firmware says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Executed by all steps together.
    pub instructions: u64,
    /// Depth of the stack below the loop over the steps.
    pub stack_bytes: u64,
    /// The program's code and constants.
    pub image_bytes: u64,
    /// Over the states after every step.
    pub hash: u32,
}

/// The measuring firmware, built for one core.
pub struct Firmware {
    core: Core,
    elf: PathBuf,
}

impl Firmware {
    /// Builds it with the profile that firmware ships with; without `steps` it does all but step and answer.
    pub fn build(core: Core, steps: bool) -> Result<Self> {
        let kind = if steps { "steps" } else { "bare" };
        let folder = repo::firmware().join("target").join("bench").join(kind);
        let mut command = cargo(&repo::firmware());
        command.args(["build", "--quiet", "--release", "-p", "tern-bench", "--target", core.target, "--target-dir"]);
        command.arg(&folder);
        if steps {
            command.args(["--features", "steps"]);
        }
        run(&mut command)?;
        Ok(Firmware { core, elf: folder.join(core.target).join("release").join("tern-bench") })
    }

    /// Runs it over the workload.
    pub fn measure(&self, workload: &Workload) -> Result<Measured> {
        let Core { emulator, arguments, model, ids, .. } = self.core;
        let mut command = program(emulator);
        command.args(arguments).args(["-display", "none", "-monitor", "none", "-serial", "none"]);
        command.args(["-chardev", "stdio,id=out", "-semihosting-config", "enable=on,target=native,chardev=out"]);
        for (file, address) in [(&workload.model, model), (&workload.ids, ids)] {
            let file = file.display();
            command.args(["-device", &format!("loader,file={file},addr={address:#x},force-raw=on")]);
        }
        command.arg("-kernel").arg(&self.elf);
        let text = run_and_read(&mut command)?;
        Measured::read(&text, workload.tokens).with_context(|| format!("`{}` said `{}`", line(&command), text.trim()))
    }
}

fn run_and_read(command: &mut Command) -> Result<String> {
    capture(command).context("the measuring firmware did not come to its end")
}

impl Measured {
    /// Reads `steps 256 instructions 1 stack_bytes 2 image_bytes 3 hash 0000abcd`.
    fn read(text: &str, steps: usize) -> Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let word = |name: &str| {
            let pair = words.chunks_exact(2).find(|pair| pair[0] == name);
            pair.map(|pair| pair[1]).with_context(|| format!("there is no `{name}`"))
        };
        let number = |name: &str| Ok::<u64, anyhow::Error>(word(name)?.parse()?);
        if number("steps")? != steps as u64 {
            bail!("the number of steps is wrong; did the ids lie where the firmware looks?");
        }
        Ok(Measured {
            instructions: number("instructions")?,
            stack_bytes: number("stack_bytes")?,
            image_bytes: number("image_bytes")?,
            hash: u32::from_str_radix(word("hash")?, 16)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmware_is_understood() {
        let line = "steps 256 instructions 12 stack_bytes 34 image_bytes 56 hash 0000abcd\n";
        let measured = Measured { instructions: 12, stack_bytes: 34, image_bytes: 56, hash: 0xabcd };
        assert_eq!(Measured::read(line, 256).unwrap(), measured);
        assert!(Measured::read("stopped: no model", 256).is_err());
        assert!(Measured::read(&line.replace("256", "0"), 256).is_err());
    }
}
