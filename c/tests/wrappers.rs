//! The library in other build systems: a CMake project is built and run. Zephyr, ESP-IDF and Arduino are not installed,
//! so their files are read by CMake and by the C++ compiler with stubs of the functions that they call.

mod common;

use common::{folder, has, library};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An empty folder for the files of a test.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs a command and returns whether it succeeded, and all that it printed.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

/// A folder like that of `cargo xtask c`, with empty libraries for some targets.
fn libraries(targets: &[&str]) -> PathBuf {
    let folder = scratch("libraries");
    for target in targets {
        std::fs::create_dir_all(folder.join(target)).unwrap();
        std::fs::write(folder.join(target).join("libtern.a"), "").unwrap();
    }
    folder
}

/// Configures a project with definitions and returns whether CMake succeeded, and all that it printed.
fn configure(source: &Path, build: &str, libraries: &Path, definitions: &[&str]) -> (bool, String) {
    let mut command = Command::new("cmake");
    command.arg("-S").arg(source).arg("-B").arg(scratch(build));
    command.arg(format!("-DTERN={}", folder().display()));
    command.arg(format!("-DTERN_LIBRARIES={}", libraries.display()));
    run(command.args(definitions.iter().map(|definition| format!("-D{definition}"))))
}

const TARGETS: [&str; 7] = [
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabihf",
    "riscv32imc-unknown-none-elf",
    "riscv32imac-unknown-none-elf",
];

#[test]
fn zephyr_and_esp_idf_get_the_library_of_their_processor() {
    if !has("cmake") {
        return;
    }
    let libraries = libraries(&TARGETS);
    let stub = |name: &str| folder().join("tests/stubs").join(name);
    let cases: [(&[&str], &str); 7] = [
        (&["CONFIG_CPU_CORTEX_M0PLUS=y"], "thumbv6m-none-eabi"),
        (&["CONFIG_CPU_CORTEX_M3=y"], "thumbv7m-none-eabi"),
        (&["CONFIG_CPU_CORTEX_M4=y", "CONFIG_FPU=y"], "thumbv7em-none-eabi"),
        (&["CONFIG_CPU_CORTEX_M7=y", "CONFIG_FPU=y", "CONFIG_FP_HARDABI=y"], "thumbv7em-none-eabihf"),
        (&["CONFIG_CPU_CORTEX_M33=y", "CONFIG_FPU=y", "CONFIG_FP_HARDABI=y"], "thumbv8m.main-none-eabihf"),
        (&["CONFIG_RISCV=y", "CONFIG_RISCV_ISA_EXT_M=y"], "riscv32imc-unknown-none-elf"),
        (&["CONFIG_RISCV=y", "CONFIG_RISCV_ISA_EXT_M=y", "CONFIG_RISCV_ISA_EXT_A=y"], "riscv32imac-unknown-none-elf"),
    ];
    for (definitions, target) in cases {
        let definitions = [&["CONFIG_TERN=y"], definitions].concat();
        let (is_configured, text) = configure(&stub("zephyr"), "zephyr", &libraries, &definitions);
        assert!(is_configured && text.contains(&format!("/{target}/libtern.a")), "{definitions:?}: {text}");
    }
    let (is_configured, text) = configure(&stub("zephyr"), "zephyr", &libraries, &["CONFIG_CPU_CORTEX_M4=y"]);
    assert!(is_configured && !text.contains("import"), "without CONFIG_TERN: {text}");
    let (is_configured, text) = configure(&stub("zephyr"), "zephyr", &libraries, &["CONFIG_TERN=y", "CONFIG_X86=y"]);
    assert!(!is_configured && text.contains("no library for this processor"), "{text}");

    for (chip, target) in [("esp32c3", "riscv32imc-unknown-none-elf"), ("esp32c6", "riscv32imac-unknown-none-elf")] {
        let definition = format!("IDF_TARGET={chip}");
        let (is_configured, text) = configure(&stub("esp-idf"), "esp-idf", &libraries, &[&definition]);
        assert!(is_configured && text.contains(&format!("/{target}/libtern.a")), "{chip}: {text}");
    }
    let (is_configured, text) = configure(&stub("esp-idf"), "esp-idf", &libraries, &["IDF_TARGET=esp32s3"]);
    assert!(!is_configured && text.contains("esp32s3 has an Xtensa processor"), "{text}");
}

#[test]
fn a_cmake_project_is_built_and_classifies() {
    if !has("cmake") || !has("cc") {
        return;
    }
    let libraries = scratch("host-library");
    std::fs::create_dir(libraries.join("this-linux-computer")).unwrap();
    std::fs::copy(library(None), libraries.join("this-linux-computer/libtern.a")).unwrap();
    let (is_configured, text) = configure(folder(), "cmake", &libraries, &[]);
    assert!(is_configured, "{text}");
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cmake");
    let (is_built, text) = run(Command::new("cmake").arg("--build").arg(&build));
    assert!(is_built, "{text}");
    let texts = build.join("texts.txt");
    std::fs::write(&texts, "there is a fire in my room\n").unwrap();
    let mut command = Command::new(build.join("classify"));
    command.arg(folder().join("../models/building/building.safetensors"));
    let (is_done, text) = run(command.stdin(std::fs::File::open(&texts).unwrap()));
    assert!(is_done && text.starts_with("alarm 9"), "{text}");
    let (is_configured, text) = configure(folder(), "cmake", &libraries, &["TERN_TARGET=thumbv6m-none-eabi"]);
    assert!(!is_configured && text.contains("run `cargo xtask c`"), "{text}");
}

#[test]
fn the_sketch_for_arduino_compiles_against_its_core() {
    if !has("c++") {
        return;
    }
    let model = scratch("arduino");
    let header = "#include <stdint.h>\n#define MODEL_LENGTH 8\n#define MODEL_SCRATCH_WORDS 1\nstatic const uint64_t model[1] = {0};\n";
    std::fs::write(model.join("model.h"), header).unwrap();
    let mut command = Command::new("c++");
    command.current_dir(folder()).args(["-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++"]);
    command.args(["-Iinclude", "-include", "tests/stubs/Arduino.h", "-I"]).arg(&model);
    let (is_compiled, text) = run(command.arg("arduino/examples/Classify/Classify.ino"));
    assert!(is_compiled, "{text}");
}
