//! Models that change over the serial port: the real `sb` of lrzsz at the console of the emulated firmware.

use std::path::{Path, PathBuf};

use tern_tests::device::{Console, Device};
use tern_tests::sb::{Fate, Sent, send};
use tern_tests::{argument, assert_golden, committed, firmware, folder, json};

/// A file in `folder` with the model's bytes, changed.
fn changed(folder: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = std::fs::read(committed()).unwrap();
    change(&mut bytes);
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Where a tensor's bytes begin in a device file.
fn tensor(file: &[u8], name: &str) -> usize {
    let (length, rest) = file.split_first_chunk().unwrap();
    let length = u64::from_le_bytes(*length) as usize;
    let header: serde_json::Value = serde_json::from_slice(&rest[..length]).unwrap();
    8 + length + header[name]["data_offsets"][0].as_u64().unwrap() as usize
}

fn untouched(_: &mut [u8]) -> Fate {
    Fate::Passes
}

/// The running model answers, and nothing waits in the other slot.
fn serves_on(console: &mut Console) {
    let models = console.ask("models");
    assert!(models.contains("A  confirmed  serving") && models.contains("B  empty"), "{models}");
    let answer = console.ask("free prize");
    assert!(answer.contains("label1") && answer.contains("2 tokens, 0 unknown"), "{answer}");
}

/// A device that serves a model which `sb` brought.
fn serving() -> (Device, Console) {
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &[]);
    let mut console = device.connect();
    console.boot();
    send(&mut console, &committed(), untouched);
    console.ask("activate");
    console.reset();
    assert!(console.ask("stats").contains("last reset  command"), "{}", console.seen);
    (device, console)
}

#[test]
fn sb_of_lrzsz_brings_a_model_that_is_tried_and_confirmed() {
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &[]);
    let mut console = device.connect();
    console.boot();
    let Sent { status, words, said } = send(&mut console, &committed(), untouched);
    assert_eq!(status, Some(0), "{words}");
    for line in ["activate", "models"] {
        console.ask(line);
    }
    console.reset();
    console.ask("models");
    // What a person sees, with the other end's words where they come.
    let invitation = "gives up\r\n";
    let (before, after) = console.seen.split_once(invitation).unwrap();
    let after = after.split_once("> activate").map_or(after, |(_, rest)| rest);
    let transcript =
        format!("{before}{invitation}---- sb -vv lstm.safetensors\n{words}---- {status:?}\n{said}activate{after}");
    assert_golden("update.txt", transcript.replace('\r', "").as_bytes());
}

#[test]
fn what_sb_sends_is_refused_with_its_reason_and_the_model_serves_on() {
    let folder = folder("update");
    let (_device, mut console) = serving();
    for (file, reason) in [
        (changed(&folder, "cut", |bytes| bytes.truncate(2000)), "the file ends after 2000 bytes of 2306"),
        (changed(&folder, "tail", |bytes| bytes.extend_from_slice(b"more")), "2310 bytes received"),
        (changed(&folder, "long", |bytes| bytes.resize(1_600_000, 0)), "1600000 bytes received"),
        (changed(&folder, "text", |bytes| bytes.fill(b'x')), "is this a device file written by `tern export`?"),
        (
            changed(&folder, "version", |bytes| {
                let at = bytes.windows(18).position(|word| word == b"\"tern.version\":\"1\"").unwrap();
                bytes[at + 16] = b'2';
            }),
            "`tern.version` is `2`, this version runs 1",
        ),
    ] {
        let sent = send(&mut console, &file, untouched);
        assert!(sent.said.contains("error: ") && sent.said.contains(reason), "{reason}: {sent:?}");
        serves_on(&mut console);
    }
    // A model that computes something else than its golden texts say comes as far as `activate`.
    let other = changed(&folder, "golden", |bytes| {
        let logit = tensor(bytes, "golden.logits");
        bytes[logit] ^= 1;
    });
    let sent = send(&mut console, &other, untouched);
    assert!(sent.said.contains("received 2306 bytes"), "{sent:?}");
    let said = console.ask("activate");
    assert!(said.contains("error: 2 of 3 golden texts"), "{said}");
    let start = console.reset();
    assert!(!start.contains("slot "), "{start}");
    assert!(console.ask("models").contains("B  received"), "{}", console.seen);
    console.ask("erase");
    serves_on(&mut console);
}

#[test]
fn damage_on_the_line_is_sent_again_or_refused_and_a_sender_that_dies_is_given_up() {
    let (_device, mut console) = serving();
    // A bit of the third piece, once: the block is sent again.
    let mut pieces = 0;
    let sent = send(&mut console, &committed(), |piece| {
        pieces += 1;
        piece[piece.len() / 2] ^= u8::from(pieces == 3);
        Fate::Passes
    });
    assert!(sent.words.contains("NAK on sector") && sent.said.contains("received 2306 bytes"), "{sent:?}");
    assert!(console.ask("erase").contains("slot B"));
    // Every block from the second on.
    let mut pieces = 0;
    let sent = send(&mut console, &committed(), |piece| {
        pieces += 1;
        piece[piece.len() / 2] ^= u8::from(pieces > 2);
        Fate::Passes
    });
    assert!(sent.said.contains("error: 10 blocks in a row came damaged"), "{sent:?}");
    serves_on(&mut console);
    let mut pieces = 0;
    let sent = send(&mut console, &committed(), |_| {
        pieces += 1;
        if pieces < 8 { Fate::Passes } else { Fate::SenderDies }
    });
    assert_eq!(sent.status, None);
    assert!(sent.said.contains("error: the sender fell silent"), "{sent:?}");
    serves_on(&mut console);
}

#[test]
fn tern_push_to_an_emulator_of_its_own() {
    let seen = json(&[
        "push",
        argument(&committed()),
        "--qemu",
        "--firmware",
        argument(firmware()),
        "--json",
        "--timeout",
        "60",
    ]);
    assert_eq!((&seen["state"], &seen["serving"]), (&"confirmed".into(), &true.into()), "{seen}");
}
