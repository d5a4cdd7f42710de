//! Sets a `cfg` for each instruction set that has its own kernels, because stable Rust has none for these instruction
//! sets.

use std::env;

/// The cores of the architecture Armv8-M Mainline with the DSP extension, as `-Ctarget-cpu` names them.
const CORES_WITH_DSP: [&str; 4] = ["cortex-m33", "cortex-m35p", "cortex-m55", "cortex-m85"];
/// The cores among [`CORES_WITH_DSP`] that also have the vector extension Helium.
const CORES_WITH_HELIUM: [&str; 2] = ["cortex-m55", "cortex-m85"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    println!("cargo::rustc-check-cfg=cfg(thumb1, armv7m, dsp, cortex_m33, helium, rv32)");
    let target = env::var("TARGET").unwrap_or_default();
    // Cortex-M0, M0+, M1 and M23: none of them has 64-bit products or the wide load LDRD.
    if target.starts_with("thumbv6m") || target.starts_with("thumbv8m.base") {
        println!("cargo::rustc-cfg=thumb1");
    }
    // Cortex-M4 and M7.
    if target.starts_with("thumbv7em") {
        println!("cargo::rustc-cfg=dsp");
    }
    // Cortex-M33 and later cores: their DSP extension is an option of the chip, which the target's name does not tell.
    // Without it they run the portable kernels.
    if target.starts_with("thumbv8m.main") {
        let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
        // Returns true if the core has an extension, because the flags say so or because the Cargo feature asks for it.
        // `feature`: the name of the Cargo feature in environment variables.
        let has = |cores: &[&str], extension: &str, feature: &str| {
            let is_asked_for = env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
            let in_flags = extension_in_flags(&flags, cores, extension);
            if in_flags == Some(false) && is_asked_for {
                println!(
                    "cargo::error=the feature `{}` needs an extension of the core, which `-{extension}` in \
                     -Ctarget-feature denies; remove one of them",
                    feature.to_lowercase().replace('_', "-")
                );
            }
            in_flags.unwrap_or(is_asked_for)
        };
        // On a target without hardware floats, start code leaves the vector unit switched off, whatever the core is.
        let cores_with_helium: &[&str] = if target.ends_with("hf") { &CORES_WITH_HELIUM } else { &[] };
        let helium = has(cores_with_helium, "mve", "CORTEX_M55_HELIUM");
        if helium {
            println!("cargo::rustc-cfg=helium");
        }
        // Every core with Helium has the DSP instructions.
        if has(&CORES_WITH_DSP, "dsp", "CORTEX_M33_DSP") || helium {
            println!("cargo::rustc-cfg=dsp\ncargo::rustc-cfg=cortex_m33");
        }
    }
    // Cortex-M3, the core of the architecture Armv7-M without the DSP instructions of M4 and M7 (Armv7E-M).
    if target.starts_with("thumbv7m") {
        println!("cargo::rustc-cfg=armv7m");
    }
    // RISC-V with 32 registers, multiplication and short instructions.
    if ["riscv32imc", "riscv32imac"].iter().any(|core| target.starts_with(core)) {
        println!("cargo::rustc-cfg=rv32");
    }
}

/// Returns true or false if the compiler's flags say that the core has or does not have an extension; none if they do
/// not say it. `cores`: the cores that have the extension; any other core says nothing, because it may have an unknown
/// name. Of several flags of a kind the last one counts, and `target-feature` counts more than `target-cpu`.
fn extension_in_flags(encoded_flags: &str, cores: &[&str], extension: &str) -> Option<bool> {
    // Each flag is one word, `-Cname=value`, or two, `-C` and `name=value`.
    let options =
        encoded_flags.split('\x1f').map(|word| word.trim_start_matches("--codegen=").trim_start_matches("-C"));
    let (mut by_core, mut by_feature) = (None, None);
    for option in options {
        match option.split_once('=') {
            Some(("target-cpu", core)) => by_core = cores.contains(&core).then_some(true),
            Some(("target-feature", features)) => {
                for feature in features.split(',') {
                    match feature.split_at_checked(1) {
                        Some(("+", name)) if name == extension => by_feature = Some(true),
                        Some(("-", name)) if name == extension => by_feature = Some(false),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    by_feature.or(by_core)
}
