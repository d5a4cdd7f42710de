//! Sets a `cfg` for each instruction set of microcontrollers for which `src/kernel` has code of its own, because stable
//! Rust has no `cfg` for them. `cortex_m33` is set together with `dsp` if the core is a Cortex-M33 or a later one.

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
    // Cortex-M3, the core of the architecture Armv7-M without the DSP instructions of M4 and M7 (Armv7E-M).
    if target.starts_with("thumbv7m") {
        println!("cargo::rustc-cfg=armv7m");
    }
    // Cortex-M4 and M7.
    if target.starts_with("thumbv7em") {
        println!("cargo::rustc-cfg=dsp");
    }
    // Cortex-M33 and later cores: their DSP extension is an option of the chip, which the target's name does not tell.
    // Without it they run the portable kernels.
    if target.starts_with("thumbv8m.main") {
        // On a target without hardware floats, start code leaves the vector unit switched off, whatever the core is.
        let cores_with_helium: &[&str] = if target.ends_with("hf") { &CORES_WITH_HELIUM } else { &[] };
        let has_helium = has_extension("mve", cores_with_helium, "cortex-m55-helium");
        let has_dsp = has_extension("dsp", &CORES_WITH_DSP, "cortex-m33-dsp");
        if has_helium {
            println!("cargo::rustc-cfg=helium");
        }
        // Every core with Helium has the DSP instructions.
        if has_dsp || has_helium {
            println!("cargo::rustc-cfg=dsp");
            println!("cargo::rustc-cfg=cortex_m33");
        }
    }
    // RISC-V with 32 registers, multiplication and short instructions.
    if target.starts_with("riscv32imc") || target.starts_with("riscv32imac") {
        println!("cargo::rustc-cfg=rv32");
    }
}

/// Returns true if the core has an extension: if the compiler's flags say so or, where they say nothing, if the Cargo
/// feature `feature` is on. Fails the build if the feature is on but the flags deny the extension. `cores`: the cores
/// that have the extension.
fn has_extension(extension: &str, cores: &[&str], feature: &str) -> bool {
    let variable = format!("CARGO_FEATURE_{}", feature.to_uppercase().replace('-', "_"));
    let feature_is_on = env::var_os(variable).is_some();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let in_flags = extension_in_flags(&flags, extension, cores);
    if feature_is_on && in_flags == Some(false) {
        println!(
            "cargo::error=the feature `{feature}` needs an extension of the core, which `-{extension}` in \
             -Ctarget-feature denies; remove one of them"
        );
    }
    in_flags.unwrap_or(feature_is_on)
}

/// Returns true or false if the compiler's flags say that the core has or does not have an extension; none if they do
/// not say it. Only `target-feature` can deny an extension: a `target-cpu` that is not among `cores`, the cores that
/// have it, may be unknown here. Of several flags of a kind the last one counts, and `target-feature` counts more than
/// `target-cpu`.
fn extension_in_flags(encoded_flags: &str, extension: &str, cores: &[&str]) -> Option<bool> {
    let (mut by_core, mut by_feature) = (None, None);
    // Cargo separates the words of the flags by this character. A flag is one word, `-Cname=value` or
    // `--codegen=name=value`, or two words, of which the second is `name=value`.
    for word in encoded_flags.split('\x1f') {
        let option = word.trim_start_matches("--codegen=").trim_start_matches("-C");
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
