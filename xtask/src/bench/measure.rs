//! Builds the measuring firmware, `firmware/bench`, for a core and runs it in QEMU over a workload: a model and the
//! token ids that it reads.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::workload::Workload;
use crate::cores::Core;
use crate::process::{capture_quietly, cargo, line, program, run_quietly};
use crate::repo;

/// The output of the measuring firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Instructions executed by all steps together; 0 if an id of the workload ends a text, because the firmware then
    /// computes only the hash.
    pub instructions: u64,
    /// Bytes of stack that a step takes, with all functions that it calls; 0 if `instructions` is.
    pub stack_bytes: u64,
    /// Bytes of code and constants in the program.
    pub image_bytes: u64,
    /// Hash of the states after every step, and of the logits after every text.
    pub hash: u32,
}

/// The work that a measuring firmware does, and for which it links code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Loads the model and does nothing else.
    Load,
    /// Loads the model and runs a step for each token id.
    Step,
    /// Loads the model and runs token ids and bytes of texts, for which it links the tokenizers.
    Read,
}

/// The measuring firmware, built for one core.
pub struct MeasuringFirmware {
    core: Core,
    elf: PathBuf,
    verbose: bool,
}

impl MeasuringFirmware {
    /// Builds the measuring firmware with the release profile of the firmware's workspace, so with the optimisations of
    /// the firmware for boards. `verbose`: print the commands that build and run it.
    pub fn build(core: Core, work: Work, verbose: bool) -> Result<Self> {
        let (work_feature, file_name) = match work {
            Work::Load => ("", "tern-bench-bare"),
            Work::Step => ("steps", "tern-bench-steps"),
            Work::Read => ("bytes", "tern-bench-bytes"),
        };
        let features = [work_feature, core.feature].join(" ");
        let target_folder = repo::firmware().join("target");
        let mut command = cargo(&repo::firmware());
        command.args(["build", "--quiet", "--release", "-p", "tern-bench", "--target", core.target]);
        command.arg("--target-dir").arg(&target_folder).args(["--features", &features]);
        run_quietly(&mut command, verbose)?;
        // Cargo writes all variants to the same path, so each is copied to another path.
        let built = target_folder.join(core.target).join("release/tern-bench");
        let elf = built.with_file_name(file_name);
        fs::copy(&built, &elf).with_context(|| format!("cannot copy {}", built.display()))?;
        Ok(MeasuringFirmware { core, elf, verbose })
    }

    /// Runs the firmware over the workload.
    pub fn measure(&self, workload: &Workload) -> Result<Measured> {
        let Core { emulator, arguments, model_address, ids_address, .. } = self.core;
        let mut command = program(emulator);
        command.args(arguments).args(["-display", "none", "-monitor", "none", "-serial", "none"]);
        // The firmware prints by semihosting, which QEMU writes to its stdout. It reads the model and the ids from
        // fixed addresses, where QEMU loads the files.
        command.args(["-chardev", "stdio,id=out", "-semihosting-config", "enable=on,target=native,chardev=out"]);
        for (file, address) in [(&workload.model, model_address), (&workload.ids, ids_address)] {
            let file = file.display();
            command.args(["-device", &format!("loader,file={file},addr={address:#x},force-raw=on")]);
        }
        command.arg("-kernel").arg(&self.elf);
        let text = capture_quietly(&mut command, self.verbose).context("the measuring firmware stopped early")?;
        Measured::read(&text, workload.id_count)
            .with_context(|| format!("`{}` printed `{}`", line(&command), text.trim()))
    }
}

impl Measured {
    /// Parses the firmware's output, `steps 256 instructions 1 stack_bytes 2 image_bytes 3 hash 0000abcd`. Fails unless
    /// the firmware ran `steps` steps.
    fn read(text: &str, steps: usize) -> Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let value = |name: &str| {
            let pair = words.chunks_exact(2).find(|pair| pair[0] == name);
            pair.map(|pair| pair[1]).with_context(|| format!("`{name}` is missing"))
        };
        let number = |name: &str| -> Result<u64> { Ok(value(name)?.parse()?) };
        let found = number("steps")?;
        if found != steps as u64 {
            bail!("{found} steps, expected {steps}; are the ids at the address that the firmware reads?");
        }
        Ok(Measured {
            instructions: number("instructions")?,
            stack_bytes: number("stack_bytes")?,
            image_bytes: number("image_bytes")?,
            hash: u32::from_str_radix(value("hash")?, 16)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_the_firmware_is_read() {
        let line = "steps 256 instructions 12 stack_bytes 34 image_bytes 56 hash 0000abcd\n";
        let measured = Measured { instructions: 12, stack_bytes: 34, image_bytes: 56, hash: 0xabcd };
        assert_eq!(Measured::read(line, 256).unwrap(), measured);
        assert!(Measured::read("stopped: no model", 256).is_err());
        assert!(Measured::read(&line.replace("256", "0"), 256).is_err());
    }
}
