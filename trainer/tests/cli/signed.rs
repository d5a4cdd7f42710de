//! Signed device files, as the commands read them.

use super::{SMALL, folder, stderr, tern};
use serde_json::Value;
use std::fs;

#[test]
fn a_signed_file_is_read_by_every_command_and_its_signature_checked_by_inspect() {
    let folder = folder();
    let dir = folder.path();
    let run = |args: &[&str]| {
        let output = tern(dir, args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
    };
    run(&[&["train", "messages.csv", "-o", "spam"][..], &SMALL].concat());
    run(&["export", "spam", "-o", "spam.safetensors"]);
    let (_, next) = run(&["key", "new"]);
    assert!(next.contains("next: ") && next.contains("tern sign device.safetensors --key tern.key"), "{next}");
    let (_, next) = run(&["sign", "spam.safetensors", "--model-version", "7", "-o", "spam.tern"]);
    assert!(next.contains("tern push spam.tern --port"), "{next}");

    let key_id = &fs::read_to_string(dir.join("tern.pub")).unwrap()[..16];
    let signer = format!("version 7, signed with key {key_id}");
    let (plain, _) = run(&["inspect", "spam.safetensors"]);
    let (text, _) = run(&["inspect", "spam.tern"]);
    assert!(text.contains(&signer) && text.contains("signature not checked"), "{text}");
    assert!(!plain.contains("signed") && plain.lines().count() + 2 == text.lines().count(), "{plain}");
    assert!(text.contains("\ntern-runtime = { version = "), "{text}");
    let (json, _) = run(&["inspect", "spam.tern", "--key", "tern.pub", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["signed"], serde_json::json!({ "version": 7, "key_id": key_id, "checked": true }));
    assert!(json["runtime_features"].is_array() && json["cargo"].is_string(), "{json}");

    for command in [
        &["eval", "FILE", "--data", "messages.csv"][..],
        &["predict", "FILE", "free prize"],
        &["compare", "spam", "FILE", "--data", "messages.csv"],
    ] {
        let with = |file: &'static str| command.iter().map(|arg| arg.replace("FILE", file)).collect::<Vec<_>>();
        let [(plain, _), (signed, log)] = ["spam.safetensors", "spam.tern"].map(|file| {
            let args = with(file);
            run(&args.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let lines = |text: &str| -> Vec<String> {
            let text = text.replace("spam.tern", "spam.safetensors");
            text.lines().filter(|line| !line.contains("tokens/s")).map(str::to_owned).collect()
        };
        assert_eq!(lines(&signed), lines(&plain), "{command:?}");
        assert!(log.contains(&format!("spam.tern: {signer}; signature not checked")), "{log}");
    }

    run(&["key", "new", "-o", "other.key"]);
    let output = tern(dir, &["inspect", "spam.tern", "--key", "other.pub"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("it was signed with key"), "{}", stderr(&output));
    let mut damaged = fs::read(dir.join("spam.tern")).unwrap();
    damaged[100] ^= 1;
    fs::write(dir.join("damaged.tern"), damaged).unwrap();
    let output = tern(dir, &["eval", "damaged.tern", "--data", "messages.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the file is damaged; copy or sign it again"), "{}", stderr(&output));
}
