//! Model updates over the serial port, by `sb` of lrzsz and by `tern push`.

use std::path::{Path, PathBuf};

use tern_tests::device::{Console, Device};
use tern_tests::sb::{Fate, Sent, send, send_all};
use tern_tests::{argument, assert_golden, committed, error_of, firmware, folder, json, tern};

/// Writes the committed model with a change into `folder` and returns its path.
fn changed(folder: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = std::fs::read(committed()).unwrap();
    change(&mut bytes);
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Returns the offset of a tensor's bytes in a device file.
fn offset_of(file: &[u8], name: &str) -> usize {
    let (length, rest) = file.split_first_chunk().unwrap();
    let length = u64::from_le_bytes(*length) as usize;
    let header: serde_json::Value = serde_json::from_slice(&rest[..length]).unwrap();
    8 + length + header[name]["data_offsets"][0].as_u64().unwrap() as usize
}

/// Checks that the old model answers and the other slot is empty.
fn assert_unchanged(console: &mut Console) {
    let models = console.ask("models");
    assert!(models.contains("A  confirmed  serving") && models.contains("B  empty"), "{models}");
    let answer = console.ask("free prize");
    assert!(answer.contains("label1") && answer.contains("2 tokens, 0 unknown"), "{answer}");
}

/// Starts a device and installs a model by `sb`.
fn device_with_model() -> (Device, Console) {
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &[]);
    let mut console = device.connect();
    console.boot();
    send_all(&mut console, &committed());
    console.ask("activate");
    console.reset();
    assert!(console.ask("stats").contains("last reset  command"), "{}", console.seen);
    (device, console)
}

#[test]
fn a_model_sent_by_sb_is_tried_and_confirmed() {
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &[]);
    let mut console = device.connect();
    console.boot();
    let Sent { status, output, answer } = send_all(&mut console, &committed());
    assert_eq!(status, Some(0), "{output}");
    for line in ["activate", "models"] {
        console.ask(line);
    }
    console.reset();
    console.ask("models");
    // The console's transcript, with the output of `sb` at its place.
    let invitation = "Ctrl-C cancels\r\n";
    let (before, after) = console.seen.split_once(invitation).unwrap();
    let after = after.split_once("> activate").map_or(after, |(_, rest)| rest);
    let transcript =
        format!("{before}{invitation}---- sb -vv lstm.safetensors\n{output}---- {status:?}\n{answer}activate{after}");
    assert_golden("update.txt", &transcript.replace('\r', ""));
}

#[test]
fn a_malformed_model_is_refused_with_its_reason_and_the_old_one_stays_in_use() {
    let folder = folder("update");
    let (_device, mut console) = device_with_model();
    for (file, reason) in [
        (changed(&folder, "cut", |bytes| bytes.truncate(2000)), "the file ends after 2000 bytes of 2306"),
        (changed(&folder, "tail", |bytes| bytes.extend_from_slice(b"more")), "2310 bytes received"),
        (
            changed(&folder, "long", |bytes| bytes.resize(1_600_000, 0)),
            "a slot holds 1572864 bytes, this model has 1600000: export a smaller one",
        ),
        (changed(&folder, "empty", Vec::clear), "the file is empty"),
        (changed(&folder, "text", |bytes| bytes.fill(b'x')), "is this a device file written by `tern export`?"),
        (
            changed(&folder, "version", |bytes| {
                let at = bytes.windows(18).position(|word| word == b"\"tern.version\":\"1\"").unwrap();
                bytes[at + 16] = b'2';
            }),
            "`tern.version` is `2`, expected 1",
        ),
    ] {
        let sent = send_all(&mut console, &file);
        assert!(sent.answer.contains("error: ") && sent.answer.contains(reason), "{reason}: {sent:?}");
        assert_unchanged(&mut console);
    }
    // A model whose golden logits are wrong is refused by `activate`.
    let other = changed(&folder, "golden", |bytes| {
        let logit = offset_of(bytes, "golden.logits");
        bytes[logit] ^= 1;
    });
    let sent = send_all(&mut console, &other);
    assert!(sent.answer.contains("received 2306 bytes"), "{sent:?}");
    let answer = console.ask("activate");
    assert!(answer.contains("error: 2 of 3 golden examples"), "{answer}");
    let start = console.reset();
    assert!(!start.contains("slot "), "{start}");
    assert!(console.ask("models").contains("B  received"), "{}", console.seen);
    console.ask("erase");
    assert_unchanged(&mut console);
}

#[test]
fn damaged_blocks_are_sent_again_and_a_transfer_without_a_sender_ends() {
    let (_device, mut console) = device_with_model();
    // One damaged bit: the block is sent again.
    let mut pieces = 0;
    let sent = send(&mut console, &committed(), |piece| {
        pieces += 1;
        piece[piece.len() / 2] ^= u8::from(pieces == 3);
        Fate::Passes
    });
    assert!(sent.output.contains("NAK on sector") && sent.answer.contains("received 2306 bytes"), "{sent:?}");
    assert!(console.ask("erase").contains("slot B"));
    // Every block from the second on is damaged.
    let mut pieces = 0;
    let sent = send(&mut console, &committed(), |piece| {
        pieces += 1;
        piece[piece.len() / 2] ^= u8::from(pieces > 2);
        Fate::Passes
    });
    assert!(sent.answer.contains("error: 10 blocks in a row were damaged"), "{sent:?}");
    assert_unchanged(&mut console);
    let mut pieces = 0;
    let sent = send(&mut console, &committed(), |_| {
        pieces += 1;
        if pieces < 8 { Fate::Passes } else { Fate::SenderDies }
    });
    assert_eq!(sent.status, None);
    assert!(sent.answer.contains("error: the sender stopped sending"), "{sent:?}");
    assert_unchanged(&mut console);
}

#[test]
fn push_refuses_an_empty_file_before_it_is_sent() {
    let empty = changed(&folder("push-empty"), "empty", Vec::clear);
    let stderr = error_of(tern().args(["push", argument(&empty), "--tcp", "127.0.0.1:1"]), 1);
    assert!(stderr.contains("empty: the file is empty, expected a device file"), "{stderr}");
}

#[test]
fn push_starts_an_emulator_and_delivers_the_model() {
    let (model, elf) = (committed(), argument(firmware()));
    let seen = json(&["push", argument(&model), "--qemu", "--firmware", elf, "--json"]);
    assert_eq!((&seen["state"], &seen["serving"]), (&"confirmed".into(), &true.into()), "{seen}");
}
