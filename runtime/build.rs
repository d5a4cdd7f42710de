//! Names the instruction set where the kernel cares: stable Rust does not show it to `cfg`.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(thumb1, armv7m, dsp, rv32)");
    // Cortex-M0, M0+ and M1; M23 has no more of what matters here: long products, wide loads.
    let target = env::var("TARGET").unwrap_or_default();
    if target.starts_with("thumbv6m") || target.starts_with("thumbv8m.base") {
        println!("cargo::rustc-cfg=thumb1");
    }
    // Cortex-M4 and M7. On M33 these instructions are an option that the target's name does not tell.
    if target.starts_with("thumbv7em") {
        println!("cargo::rustc-cfg=dsp");
    }
    // Cortex-M3.
    if target.starts_with("thumbv7m") {
        println!("cargo::rustc-cfg=armv7m");
    }
    // RISC-V with 32 registers, multiplication and short instructions.
    if ["riscv32imc", "riscv32imac"].iter().any(|core| target.starts_with(core)) {
        println!("cargo::rustc-cfg=rv32");
    }
}
