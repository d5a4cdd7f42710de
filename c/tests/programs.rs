//! C programs that use the library: on this computer, as C and as C++ and under valgrind, and on emulated
//! microcontrollers. Each prints the logits that tern-runtime computes.
//!
//! A test whose compiler or emulator is missing is skipped with a message; under `CI=true` it fails.

mod common;

use common::{folder, has, library};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tern_messages::{SEED, generate};
use tern_runtime::testing::{Aligned, Sizes, Spec};
use tern_runtime::{Cell, Input, Model};

/// The device file of the demo, a classifier of texts with five classes.
fn demo() -> PathBuf {
    folder().join("../models/building/building.safetensors")
}

/// The texts of the demo that no training has seen.
fn texts() -> Vec<String> {
    generate(SEED).unwrap().held_out.into_iter().map(|message| message.text).collect()
}

/// A folder for the files of a test.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The logits of each text by tern-runtime.
fn expected(file: &[u8], texts: &[String]) -> Vec<Vec<i32>> {
    let file = Aligned::new(file);
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    texts.iter().map(|text| session.classify(text.as_bytes()).iter().collect()).collect()
}

/// Runs a program to its end and returns its output. Fails if its status is not 0.
fn run(command: &mut Command, input: &[u8]) -> String {
    let line = format!("{command:?}");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect(&line);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect(&line);
    writer.join().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{line}: {}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Compiles a C program for this computer with all warnings as errors.
fn compile(compiler: &str, standard: &str, source: &str, to: &Path) {
    let mut command = Command::new(compiler);
    command.current_dir(folder()).args([standard, "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1", "-g"]);
    if compiler == "c++" {
        command.args(["-x", "c++"]);
    }
    command.args(["-Iinclude", source, "-x", "none"]).arg(library(None)).arg("-o").arg(to);
    run(&mut command, b"");
}

const LANGUAGES: [(&str, &str); 2] = [("cc", "-std=c99"), ("c++", "-std=c++11")];

#[test]
fn a_c_program_has_the_logits_of_the_runtime() {
    let texts = texts();
    let lines: String = texts.iter().map(|text| format!("{text}\n")).collect();
    let expected = expected(&std::fs::read(demo()).unwrap(), &texts);
    for (compiler, standard) in LANGUAGES.into_iter().filter(|(compiler, _)| has(compiler)) {
        let program = scratch("classify").join(compiler);
        compile(compiler, standard, "examples/classify.c", &program);
        let output = run(Command::new(&program).arg(demo()).arg("--logits"), lines.as_bytes());
        let found: Vec<Vec<i32>> =
            output.lines().map(|line| line.split(' ').map(|logit| logit.parse().unwrap()).collect()).collect();
        assert_eq!(found.len(), 1_000);
        assert!(found == expected, "{compiler}: other logits than the runtime's");
        let answer = run(Command::new(&program).arg(demo()), b"there is a fire in my room\n");
        assert!(answer.starts_with("alarm 9"), "{answer}");
    }
}

#[test]
fn every_function_is_called_in_the_right_and_in_the_wrong_order() {
    let values = scratch("calls").join("values.safetensors");
    let sizes = Sizes { embedding_dim: 2, hidden_size: 6, classes: 3 };
    let spec = Spec { input: Input::Values, cell: Cell::Gru, ..sizes.into() };
    std::fs::write(&values, &*spec.file(5)).unwrap();
    let has_valgrind = has("valgrind");
    for (compiler, standard) in LANGUAGES.into_iter().filter(|(compiler, _)| has(compiler)) {
        let program = scratch("calls").join(compiler);
        compile(compiler, standard, "tests/calls.c", &program);
        let output = run(Command::new(&program).arg(demo()).arg(&values), b"");
        assert_eq!(output, "every call did what it should\n");
        if has_valgrind {
            let mut command = Command::new("valgrind");
            command.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]).arg(&program);
            run(command.arg(demo()).arg(&values), b"");
        }
    }
    // The program leaves out no function of the header.
    let header = std::fs::read_to_string(folder().join("include/tern.h")).unwrap();
    let calls = std::fs::read_to_string(folder().join("tests/calls.c")).unwrap();
    let names: Vec<&str> = header.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let declared = names.iter().filter(|name| header.contains(&format!(" {name}(")) && name.starts_with("tern_"));
    let declared: std::collections::BTreeSet<_> = declared.collect();
    assert!(declared.len() > 25, "{declared:?}");
    for name in declared {
        assert!(calls.contains(&format!("{name}(")), "{name} is not called");
    }
}

/// An emulated core and how to compile for it.
struct Device {
    target: &'static str,
    compiler: &'static str,
    flags: &'static [&'static str],
    script: &'static str,
    emulator: &'static [&'static str],
    addresses: [&'static str; 2],
}

const MPS2: [&str; 2] = ["0x200000", "0x380000"];
const DEVICES: [Device; 4] = [
    Device {
        target: "thumbv6m-none-eabi",
        compiler: "arm-none-eabi-gcc",
        flags: &["-mcpu=cortex-m0", "-mthumb"],
        script: "mps2.ld",
        emulator: &["qemu-system-arm", "-M", "mps2-an385"],
        addresses: MPS2,
    },
    Device {
        target: "thumbv7m-none-eabi",
        compiler: "arm-none-eabi-gcc",
        flags: &["-mcpu=cortex-m3", "-mthumb"],
        script: "mps2.ld",
        emulator: &["qemu-system-arm", "-M", "mps2-an385"],
        addresses: MPS2,
    },
    Device {
        target: "thumbv7em-none-eabihf",
        compiler: "arm-none-eabi-gcc",
        flags: &["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
        script: "mps2.ld",
        emulator: &["qemu-system-arm", "-M", "mps2-an386"],
        addresses: MPS2,
    },
    Device {
        target: "riscv32imac-unknown-none-elf",
        compiler: "riscv64-unknown-elf-gcc",
        flags: &["-march=rv32imac", "-mabi=ilp32", "-mcmodel=medany"],
        script: "virt.ld",
        emulator: &["qemu-system-riscv32", "-M", "virt", "-bios", "none"],
        addresses: ["0x80200000", "0x80380000"],
    },
];

#[test]
fn a_c_program_on_each_core_has_the_logits_of_the_host() {
    let texts = texts();
    let mut block = (texts.len() as u32).to_le_bytes().to_vec();
    for text in &texts {
        block.extend((text.len() as u32).to_le_bytes());
        block.extend(text.bytes());
        block.resize(block.len().next_multiple_of(4), 0);
    }
    let expected = expected(&std::fs::read(demo()).unwrap(), &texts);
    for core in DEVICES.iter().filter(|core| has(core.compiler) && has(core.emulator[0])) {
        let folder = scratch(core.target);
        let (elf, block_file) = (folder.join("bare.elf"), folder.join("texts.bin"));
        std::fs::write(&block_file, &block).unwrap();
        let mut command = Command::new(core.compiler);
        command.current_dir(common::folder().join("examples/bare")).args(core.flags);
        command.args(["-std=c99", "-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-static"]);
        command.args(["-I../../include", "-Wl,--gc-sections,--no-warn-rwx-segments", "-T", core.script, "main.c"]);
        command.arg(library(Some(core.target))).arg("-o").arg(&elf);
        run(&mut command, b"");
        let mut command = Command::new(core.emulator[0]);
        command.args(&core.emulator[1..]).args(["-display", "none", "-monitor", "none", "-serial", "none"]);
        command.args(["-chardev", "stdio,id=out", "-semihosting-config", "enable=on,target=native,chardev=out"]);
        for (file, address) in [demo(), block_file].iter().zip(core.addresses) {
            command.args(["-device", &format!("loader,file={},addr={address},force-raw=on", file.display())]);
        }
        let output = run(command.arg("-kernel").arg(&elf), b"");
        let logit = |word: &str| u32::from_str_radix(word, 16).unwrap() as i32;
        let found: Vec<Vec<i32>> = output.lines().map(|line| line.split_whitespace().map(logit).collect()).collect();
        assert_eq!(found.len(), 1_000, "{}: {output}", core.target);
        assert!(found == expected, "{}: other logits than the host's", core.target);
    }
}
