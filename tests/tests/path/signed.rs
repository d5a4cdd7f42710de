//! A firmware with a key accepts only signed models that are not older than the newest one.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tern_tests::device::Device;
use tern_tests::{argument, assert_same_logits, committed, folder, json, signed_firmware, stdout_of, tern, text_of};

/// Signs the committed model and returns the path of the package in `folder`.
fn sign(folder: &Path, key: &Path, version: u32) -> PathBuf {
    let output = folder.join(format!("{version}.tern"));
    let mut command = tern();
    command.arg("sign").arg(committed()).arg("--key").arg(key).args(["--model-version", &version.to_string()]);
    stdout_of(command.arg("-o").arg(&output));
    output
}

#[test]
fn a_signed_file_is_classified_on_firmware_with_a_key() {
    let folder = folder("signed-classify");
    let (elf, key) = signed_firmware();
    let (package, data) = (sign(&folder, key, 1), folder.join("rows.csv"));
    std::fs::write(&data, "text,label\nfree prize,label1\nxyzzy call now,label0\n").unwrap();
    let (package, data) = (argument(&package), argument(&data));
    let seen = json(&["classify", package, "--data", data, "--qemu", "--firmware", argument(elf), "--json"]);
    assert_same_logits(&seen);
    assert_eq!(seen["examples"], 2);
}

#[test]
fn push_delivers_signed_models_and_unsigned_or_older_ones_are_refused() {
    let folder = folder("signed");
    let (elf, key) = signed_firmware();
    let mut device = Device::start(tern_boards::DEFAULT, elf, &[]);
    let address = device.address();
    let push = |file: &Path| {
        let options = ["--tcp", &address, "--json"];
        let (status, stdout, stderr) = text_of(tern().arg("push").arg(file).args(options));
        (status, serde_json::from_str(&stdout).unwrap_or(Value::Null), stderr)
    };
    let five = sign(&folder, key, 5);
    let (status, seen, log) = push(&five);
    assert_eq!((status, &seen["state"], &seen["serving"]), (Some(0), &"confirmed".into(), &true.into()), "{log}");
    assert_eq!((&seen["slot"], &seen["version"], &seen["bytes"]), (&"A".into(), &5.into(), &2402.into()), "{seen}");

    stdout_of(tern().args(["key", "new", "-o", argument(&folder.join("other.key"))]));
    std::fs::create_dir(folder.join("other")).unwrap();
    let other = sign(&folder.join("other"), &folder.join("other.key"), 6);
    let damaged = |name: &str, from_end: usize| {
        let mut bytes = std::fs::read(&five).unwrap();
        let index = bytes.len() - from_end;
        bytes[index] ^= 1;
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    for (file, reason) in [
        (committed(), "the model is not signed, and this firmware has a key"),
        (other, "(other_key)"),
        (sign(&folder, key, 4), "version 4 is older than version 5"),
        (damaged("forged.tern", 1), "the signature is wrong"),
        (damaged("broken.tern", 100), "the file was damaged on its way"),
    ] {
        let (status, seen, log) = push(&file);
        assert_eq!((status, seen), (Some(1), Value::Null), "{log}");
        assert!(log.contains("the device refuses `load`") && log.contains(reason), "{reason}: {log}");
    }
    // The model in use has not changed.
    let mut console = device.connect();
    console.send(b"\r");
    console.until("> ");
    assert!(console.ask("models").contains("A  confirmed  serving  version 5"), "{}", console.seen);
    assert!(console.ask("free prize").contains("2 tokens, 0 unknown"), "{}", console.seen);
    let start = console.reset();
    assert!(!start.contains("no key") && start.contains("2306 bytes, crc32 7cc8eafe"), "{start}");
    drop(console);
    let (status, seen, log) = push(&sign(&folder, key, 6));
    assert_eq!((status, &seen["slot"], &seen["version"]), (Some(0), &"B".into(), &6.into()), "{log}");
}
