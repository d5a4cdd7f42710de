//! Sets a `cfg` for each instruction set that has its own kernels, because stable Rust does not expose it.

use std::env;

/// The cores of the architecture Armv8-M Mainline with the DSP extension, as `-Ctarget-cpu` names them.
const CORES_WITH_DSP: [&str; 4] = ["cortex-m33", "cortex-m35p", "cortex-m55", "cortex-m85"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    println!("cargo::rustc-check-cfg=cfg(thumb1, armv7m, dsp, cortex_m33, rv32)");
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
        let is_asked_for = env::var_os("CARGO_FEATURE_CORTEX_M33_DSP").is_some();
        match (has_dsp(&flags), is_asked_for) {
            (Some(false), true) => println!(
                "cargo::error=the feature `cortex-m33-dsp` needs the DSP extension, which `-dsp` in -Ctarget-feature \
                 denies; remove one of them"
            ),
            (Some(true), _) | (None, true) => println!("cargo::rustc-cfg=dsp\ncargo::rustc-cfg=cortex_m33"),
            (Some(false) | None, false) => {}
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

/// The answer of the compiler's flags to the question if the core has the DSP extension; none if they do not tell. The
/// last flag counts, and `target-feature` more than `target-cpu`.
fn has_dsp(encoded_flags: &str) -> Option<bool> {
    // Each flag is one word, `-Cname=value`, or two, `-C` and `name=value`.
    let options =
        encoded_flags.split('\x1f').map(|word| word.trim_start_matches("--codegen=").trim_start_matches("-C"));
    let (mut by_core, mut by_feature) = (None, None);
    for option in options {
        match option.split_once('=') {
            Some(("target-cpu", core)) => by_core = CORES_WITH_DSP.contains(&core).then_some(true),
            Some(("target-feature", features)) => {
                for feature in features.split(',') {
                    match feature {
                        "+dsp" => by_feature = Some(true),
                        "-dsp" => by_feature = Some(false),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    by_feature.or(by_core)
}
