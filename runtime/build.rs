//! Sets a `cfg` for each instruction set that has its own kernels, because stable Rust does not expose it.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(thumb1, armv7m, dsp, rv32)");
    let target = env::var("TARGET").unwrap_or_default();
    // Cortex-M0, M0+, M1 and M23: none of them has 64-bit products or the wide load LDRD.
    if target.starts_with("thumbv6m") || target.starts_with("thumbv8m.base") {
        println!("cargo::rustc-cfg=thumb1");
    }
    // Cortex-M4 and M7. M33 uses the portable kernels: its DSP instructions are optional, and the target's name does
    // not tell whether they are present.
    if target.starts_with("thumbv7em") {
        println!("cargo::rustc-cfg=dsp");
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
