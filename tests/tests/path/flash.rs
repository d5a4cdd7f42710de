//! `tern flash`, with a fake probe-rs or espflash that records its arguments, and in the emulator.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tern_boards::Board;
use tern_tests::{argument, error_of, firmware, firmware_of, folder, stdout_of, tern, trained};

/// Returns the command `tern flash --board BOARD FILE`.
fn flash(board: &str, file: &Path) -> Command {
    let mut command = tern();
    command.args(["flash", "--board", board]).arg(file);
    command
}

/// Creates a folder with a program `probe-rs` that appends its arguments to `calls`. `list` prints `probes`; everything
/// else ends with `status`.
#[cfg(unix)]
fn fake(name: &str, probes: &str, status: u8) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder(name);
    let (program, calls) = (folder.join("probe-rs"), folder.join("calls"));
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\nif [ \"$1\" = list ]; then echo '{probes}'; exit 0; fi\necho busy\nexit {status}\n",
        calls.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

const PROBES: &str = "The following debug probes were found:\n[0]: J-Link -- 1366:1015:0001 (J-Link)";

#[cfg(unix)]
#[test]
fn probe_rs_gets_the_address_of_the_file() {
    let path = fake("flash-fake", PROBES, 0);
    let model = &trained().file;
    // `path` is the only folder of the PATH.
    let stdout = stdout_of(flash("nrf52840-dk", model).env("PATH", &path));
    assert_eq!(stdout, "nrf52840-dk has the model and was reset\n");
    let stdout = stdout_of(flash("pico2", firmware()).env("PATH", &path));
    assert_eq!(stdout, "pico2 has the firmware and was reset\n");
    stdout_of(flash("nucleo-f429zi", model).args(["--probe", "0483:374b"]).env("PATH", &path));
    let (model, elf) = (argument(model), argument(firmware()));
    let expected = format!(
        "list\n\
         download --non-interactive --chip nRF52840_xxAA --binary-format bin --base-address 0x00040000 --verify {model}\n\
         reset --non-interactive --chip nRF52840_xxAA\n\
         list\n\
         download --non-interactive --chip RP235x --binary-format elf --verify {elf}\n\
         reset --non-interactive --chip RP235x\n\
         list\n\
         download --non-interactive --chip STM32F429ZITx --probe 0483:374b --binary-format bin --base-address 0x08080000 --verify {model}\n\
         reset --non-interactive --chip STM32F429ZITx --probe 0483:374b\n"
    );
    assert_eq!(fs::read_to_string(path.join("calls")).unwrap(), expected);
}

#[cfg(unix)]
#[test]
fn a_missing_probe_rs_or_probe_is_named_in_the_error() {
    let model = &trained().file;
    let stderr = error_of(flash("pico2", model).env("PATH", folder("flash-nothing")), 1);
    assert!(
        stderr.contains("was not found in PATH") && stderr.contains("cargo install --locked probe-rs-tools"),
        "{stderr}"
    );
    let path = fake("flash-none", "No debug probes were found.", 0);
    let stderr = error_of(flash("pico2", model).env("PATH", path), 1);
    assert!(stderr.contains("finds no debug probe: connect the board"), "{stderr}");
    let stderr = error_of(flash("pico2", model).env("PATH", fake("flash-fails", PROBES, 3)), 1);
    assert!(stderr.contains("busy\n") && stderr.contains("`probe-rs download "), "{stderr}");
    assert!(stderr.contains("failed (exit status: 3)"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn espflash_gets_the_offset_in_the_flash_chip() {
    let model = &trained().file;
    let stderr = error_of(flash("esp32-c3", model).env("PATH", folder("flash-no-espflash")), 1);
    assert!(stderr.contains("`cargo install --locked espflash`"), "{stderr}");
    let path = fake("flash-fake-espflash", PROBES, 0);
    fs::rename(path.join("probe-rs"), path.join("espflash")).unwrap();
    let stdout = stdout_of(flash("esp32-c3", firmware()).env("PATH", &path));
    assert_eq!(stdout, "esp32-c3 has the firmware and was reset\n");
    stdout_of(flash("esp32-c3", model).env("PATH", &path));
    let expected = format!(
        "flash --non-interactive --chip esp32c3 {}\nwrite-bin --non-interactive --chip esp32c3 0x110000 {}\n",
        argument(firmware()),
        argument(model)
    );
    assert_eq!(fs::read_to_string(path.join("calls")).unwrap(), expected);
    let stderr = error_of(flash("esp32-c3", model).args(["--probe", "1"]).env("PATH", &path), 2);
    assert!(stderr.contains("which ESPFLASH_PORT names"), "{stderr}");
}

#[test]
fn wrong_boards_and_files_are_errors() {
    let model = &trained().file;
    for (board, file, status, expected) in [
        ("mps2-an386", model, 2, "mps2-an386 exists only in the emulator; add --qemu"),
        ("no-such-board", model, 2, "possible values: mps2-an386"),
        ("pico2", &trained().validation, 1, "expected a firmware (an ELF file) or a device file"),
    ] {
        let stderr = error_of(&mut flash(board, file), status);
        assert!(stderr.contains(expected), "{stderr}");
    }
    let stderr = error_of(flash("pico2", model).arg("--qemu").arg("--firmware").arg(firmware()), 1);
    assert!(stderr.contains("QEMU does not emulate the board pico2"), "{stderr}");
}

#[test]
fn in_the_emulator_flash_prints_the_result_of_the_boot() {
    let (model, board) = (&trained().file, Board::named("riscv32-virt").unwrap());
    let elf = firmware_of(board);
    let stdout = stdout_of(flash(board.name, model).arg("--qemu").arg("--firmware").arg(&elf));
    assert!(
        stdout.starts_with("riscv32-virt (QEMU) runs firmware ")
            && stdout.contains("the device computes the stored logits of ")
            && stdout.ends_with(" golden examples\n"),
        "{stdout}"
    );
    let stdout = stdout_of(flash("mps2-an386", firmware()).arg("--qemu"));
    assert!(stdout.starts_with("mps2-an386 (QEMU) runs firmware "), "{stdout}");
    // The Cortex-M4 can run code for the other board's Cortex-M3.
    let stranger = firmware_of(Board::named("mps2-an385").unwrap());
    let stderr = error_of(flash("mps2-an386", model).arg("--qemu").arg("--firmware").arg(&stranger), 1);
    assert!(stderr.contains("the firmware is for the board mps2-an385, expected one for mps2-an386"), "{stderr}");
}
