//! Transfers over a line that damages data, and transfers whose host or device stops in the middle.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tern_runtime::testing::{Sizes, random_file};
use tern_tests::device::{COUNTED, Device, loader};
use tern_tests::relay::{self, Side};
use tern_tests::{argument, committed, firmware, folder, stdout_of, tern, text_of};

/// The time in which a damaged transfer must end in the model. The receiver waits up to 2 s before it asks again.
const SECONDS: u64 = 15;

/// Writes a random model of about 600 KB, whose transfer can be interrupted, into `folder`.
fn large_model(folder: &Path) -> PathBuf {
    let path = folder.join("large.safetensors");
    fs::write(&path, &*random_file(1, Sizes { embedding_dim: 128, hidden_size: 256, classes: 3 }, "2")).unwrap();
    path
}

/// Returns the command that sends a model and does not activate it.
fn load(model: &Path) -> Command {
    let mut command = tern();
    command.args(["push", argument(model), "--only-load", "--json"]);
    command
}

/// A fault of one item of a transfer, with its name.
type Fault = (&'static str, fn(&mut Vec<u8>));

const LOST: Fault = ("lost", Vec::clear);
/// A `C` becomes a `c`, a NAK the digit 5.
const FIRST_BYTE: Fault = ("its first byte changed", |item| item[0] ^= 0x20);
const MIDDLE: Fault = ("changed in the middle", |item| {
    let middle = item.len() / 2;
    item[middle] ^= 0x20;
});

/// Sends a model once for each of the first `items` of one side and each fault. Each transfer must end in the model.
fn assert_every_damage_is_repaired(side: Side, items: usize, faults: &[Fault]) {
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &[]);
    let mut console = device.connect();
    console.boot();
    for number in 0..items {
        for (name, fault) in faults {
            let (mut is_done, start) = (false, Instant::now());
            let output = relay::run(&mut load(&committed()), console.stream(), &mut |found, count, item| {
                if !is_done && (found, count) == (side, number) {
                    fault(item);
                    is_done = true;
                }
            });
            let case = format!("item {number} of the {side:?}: {name}");
            assert!(is_done, "{case}: there is no such item");
            assert!(output.status.success(), "{case}: {}", String::from_utf8_lossy(&output.stderr));
            let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!((&seen["state"], &seen["crc32"]), (&"received".into(), &"7cc8eafe".into()), "{case}");
            assert!(start.elapsed() < Duration::from_secs(SECONDS), "{case}: {:?}", start.elapsed());
        }
    }
}

#[test]
fn a_push_repairs_every_damaged_block_and_eot() {
    // The first block, three of the file, EOT twice, the last block.
    assert_every_damage_is_repaired(Side::Host, 7, &[LOST, FIRST_BYTE, MIDDLE]);
}

#[test]
fn a_push_repairs_every_damaged_answer_of_the_device() {
    // C, ACK and C for the first block, three ACKs, NAK and ACK for EOT, C, ACK.
    assert_every_damage_is_repaired(Side::Device, 10, &[LOST, FIRST_BYTE]);
}

/// A damaged block is answered by NAK, which is damaged too.
#[test]
fn a_push_repairs_a_damaged_nak() {
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &[]);
    let mut console = device.connect();
    console.boot();
    for (name, fault) in [LOST, FIRST_BYTE] {
        for block in 0..4 {
            let mut naks = 0;
            let output = relay::run(&mut load(&committed()), console.stream(), &mut |side, count, item| {
                if (side, count) == (Side::Host, block) {
                    MIDDLE.1(item);
                } else if side == Side::Device && matches!(item[..], [0x15 | b'C']) && count > 0 && naks == 0 {
                    // The answer to a damaged first block is `C`.
                    naks += usize::from(block == 0 || item[0] == 0x15);
                    if naks > 0 {
                        fault(item);
                    }
                }
            });
            assert!(output.status.success(), "{name} {block}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(naks, 1, "{name} {block}");
        }
    }
}

/// Sends a large model, and ends `tern` by a signal in the middle of the transfer. Returns its stderr.
fn interrupted_push(device: &std::net::TcpStream, model: &Path, signal: &str) -> String {
    let (push, pid_file) = (load(model), model.with_extension("pid"));
    // The shell writes its own number, which the command keeps.
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo $$ > \"$0\"; exec \"$@\"", argument(&pid_file)]).arg(push.get_program());
    let output = relay::run(shell.args(push.get_args()), device, &mut |side, count, _| {
        if (side, count) == (Side::Host, 20) {
            let pid = fs::read_to_string(&pid_file).unwrap();
            stdout_of(Command::new("kill").args([signal, pid.trim()]));
        }
    });
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn after_an_interrupted_push_the_next_command_works_at_once() {
    let folder = folder("interrupted");
    let large = large_model(&folder);
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &[]);
    let mut console = device.connect();
    console.boot();
    for signal in ["-INT", "-TERM", "-KILL"] {
        let stderr = interrupted_push(console.stream(), &large, signal);
        assert_eq!(stderr.contains("error: interrupted"), signal != "-KILL", "{signal}: {stderr}");
        let start = Instant::now();
        let next = relay::run(&mut load(&committed()), console.stream(), &mut |_, _, _| ());
        assert!(next.status.success(), "{signal}: {}", String::from_utf8_lossy(&next.stderr));
        assert!(start.elapsed() < Duration::from_secs(SECONDS), "{signal}: {:?}", start.elapsed());
    }
    // After Ctrl-C the device is at its prompt already.
    interrupted_push(console.stream(), &large, "-INT");
    console.discard();
    console.send(b"\r");
    console.until("> ");
    assert!(console.ask("models").contains("B  empty"), "{}", console.seen);
}

/// `tern console` brings the prompt back, whatever a program that was killed has left.
#[test]
fn the_console_brings_the_prompt_back() {
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &["-device", &loader(&committed())]);
    let mut console = device.connect();
    console.boot();
    let address = device.address();
    drop(console);
    for left in [
        &b"@mode machine\n"[..],
        b"@mode machine\nclassify half a te",
        b"@mode machine\nstream\nhalf a text \x10",
        b"stream\rhalf a text",
        b"load\r",
        b"load\r\x02\x01\xfehalf a block",
        b"@mode machine\nload\n\x01\x00\xff",
    ] {
        let mut console = device.connect();
        console.send(left);
        thread::sleep(Duration::from_millis(300));
        drop(console);
        // `script` runs the command in a terminal. The keys are typed when the prompt must be there.
        let keys = r"(sleep 4; printf 'free prize\r'; sleep 1; printf 'quit\r')";
        let console = format!("{} console --tcp {address}", argument(Path::new(tern().get_program())));
        let (status, stdout, stderr) =
            text_of(Command::new("sh").arg("-c").arg(format!("{keys} | script -qec '{console}' /dev/null")));
        let case = String::from_utf8_lossy(left);
        assert!(status == Some(0) && stdout.contains("2 tokens, 0 unknown"), "{case:?}: {stdout}\n{stderr}");
    }
}

#[test]
fn a_device_that_restarts_in_the_middle_of_the_work_is_recognised_by_its_banner() {
    let folder = folder("restarts");
    let large = large_model(&folder);
    let rows = folder.join("rows.csv");
    fs::write(&rows, format!("text,label\n{}", "free prize,label1\n".repeat(3_000))).unwrap();
    let loader = loader(&committed());
    let options = [&COUNTED[..], &["-serial", "null", "-device", &loader]].concat();
    let (mut device, mut console, mut debugger) = Device::with_debugger(tern_boards::DEFAULT, firmware(), &options);
    console.boot();
    let address = device.address();
    drop(console);
    for (reason, is_push) in [("panic", true), ("watchdog", true), ("panic", false), ("watchdog", false)] {
        let mut command = tern();
        if is_push {
            command.args(["push", argument(&large), "--only-load"]);
        } else {
            command.args(["classify", argument(&committed()), "--data", argument(&rows)]);
        }
        let child = command.args(["--tcp", &address]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        thread::sleep(Duration::from_secs(2));
        let start = Instant::now();
        if reason == "panic" {
            debugger.fault()
        } else {
            debugger.hang()
        }
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains(&format!("error: the device restarted ({reason}) while ")),
            "{reason} {is_push}: {stderr}"
        );
        println!("{reason}, push {is_push}: {:.1} s", start.elapsed().as_secs_f64());
    }
}
