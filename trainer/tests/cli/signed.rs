//! Signed device files, as the commands read them.

use crate::SMALL;
use crate::folder::{Folder, parse};

#[test]
fn a_signed_file_is_read_by_every_command_and_its_signature_checked_by_inspect() {
    let folder = Folder::with_messages();
    folder.run(&format!("train messages.csv -o spam {SMALL}"));
    folder.run("export spam -o spam.safetensors");
    let next = folder.run("key new").stderr;
    assert!(next.contains("next: ") && next.contains("tern sign device.safetensors --key tern.key"), "{next}");
    let next = folder.run("sign spam.safetensors --model-version 7 -o spam.tern").stderr;
    assert!(next.contains("tern push spam.tern --port"), "{next}");

    let key_id = &folder.text("tern.pub")[..16];
    let signer = format!("version 7, signed with key {key_id}");
    let plain = folder.run("inspect spam.safetensors").stdout;
    let text = folder.run("inspect spam.tern").stdout;
    assert!(text.contains(&signer) && text.contains("signature not checked"), "{text}");
    assert!(!plain.contains("signed") && plain.lines().count() + 2 == text.lines().count(), "{plain}");
    assert!(text.contains("\ntern-runtime = { version = "), "{text}");
    let json = parse(&folder.run("inspect spam.tern --key tern.pub --json").stdout);
    assert_eq!(json["signed"], serde_json::json!({ "version": 7, "key_id": key_id, "checked": true }));
    assert!(json["runtime_features"].is_array() && json["cargo"].is_string(), "{json}");

    for command in
        ["eval FILE --data messages.csv", "predict FILE 'free prize'", "compare spam FILE --data messages.csv"]
    {
        let [plain, signed] = ["spam.safetensors", "spam.tern"].map(|file| folder.run(&command.replace("FILE", file)));
        let lines = |text: &str| -> Vec<String> {
            let text = text.replace("spam.tern", "spam.safetensors");
            text.lines().filter(|line| !line.contains("tokens/s")).map(str::to_owned).collect()
        };
        assert_eq!(lines(&signed.stdout), lines(&plain.stdout), "{command}");
        let log = signed.stderr;
        assert!(log.contains(&format!("spam.tern: {signer}; signature not checked")), "{log}");
    }

    folder.run("key new -o other.key");
    folder.fails("inspect spam.tern --key other.pub", 1, "it was signed with key");
    let mut damaged = folder.bytes("spam.tern");
    damaged[100] ^= 1;
    folder.write("damaged.tern", damaged);
    folder.fails("eval damaged.tern --data messages.csv", 1, "the file is damaged; copy or sign it again");
}
