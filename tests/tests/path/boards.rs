//! Every emulated board gives the logits of the host; a board recovers when its firmware hangs or faults.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tern_boards::{BOARDS, Board, Features};
use tern_tests::device::{COUNTED, Console, Debugger, Device};
use tern_tests::{
    argument, assert_same_logits, decoded_log, firmware, firmware_of, folder, json, table, train, trained,
};

/// The number of rows that each board classifies.
const ROWS: usize = 40;

/// Classifies a table on an emulated board, and returns the output of `tern classify --json`.
fn classify(board: &Board, file: &Path, data: &Path) -> Value {
    let elf = firmware_of(board);
    let (file, data, elf) = (argument(file), argument(data), argument(&elf));
    json(&["classify", file, "--data", data, "--qemu", "--board", board.name, "--firmware", elf, "--json"])
}

#[test]
fn every_emulated_board_gives_the_hosts_bits() {
    let data = folder("boards").join("rows.csv");
    let rows = fs::read_to_string(&trained().validation).unwrap();
    fs::write(&data, rows.lines().take(1 + ROWS).collect::<Vec<_>>().join("\n") + "\n").unwrap();
    let mut instructions = Vec::new();
    let is_full = |board: &&Board| board.emulator.is_some() && board.features == Features::Full;
    for board in BOARDS.iter().filter(is_full) {
        let seen = classify(board, &trained().file, &data);
        assert_eq!((&seen["board"], &seen["examples"]), (&Value::from(board.name), &Value::from(ROWS)), "{seen}");
        assert_same_logits(&seen);
        instructions.push((board.name, seen["instructions_per_token"].as_f64().unwrap()));
    }
    let instructions_of = |name| instructions.iter().find(|(board, _)| *board == name).unwrap().1;
    // Two boards with the same core and clocks of 25 MHz and of 1 GHz; their receive interrupts, which count too,
    // differ.
    let ratio = instructions_of("netduinoplus2") / instructions_of("mps2-an386");
    assert!((0.95..1.05).contains(&ratio), "{instructions:?}");
    // A step has 6,144 multiply-accumulates, and none takes less than half an instruction.
    assert!(instructions.iter().all(|(_, each)| *each > 3_072.0), "{instructions:?}");
}

#[test]
fn a_chip_with_64_kb_of_flash_holds_the_minimal_firmware_and_a_model() {
    let folder = folder("minimal");
    let (messages, model, file) =
        (folder.join("messages.csv"), folder.join("model"), folder.join("device.safetensors"));
    fs::write(&messages, table(600)).unwrap();
    let sizes = ["--embedding-dim", "16", "--hidden-size", "40", "--max-vocab", "320", "--ngram-buckets", "0"];
    train(&messages, &model, &[&sizes[..], &["--epochs", "2", "--no-baselines", "--seed", "1"]].concat());
    json(&["export", argument(&model), "-o", argument(&file), "--packing", "interleaved4", "--json"]);
    let bytes = fs::metadata(&file).unwrap().len();
    let mut boards = 0;
    for board in BOARDS.iter().filter(|board| board.emulator.is_some() && board.features == Features::Minimal) {
        assert!((20_000..=board.slot.bytes.into()).contains(&bytes), "{bytes} bytes");
        let seen = classify(board, &file, &model.join("validation.csv"));
        assert_same_logits(&seen);
        assert!(seen["board"] == board.name && seen["examples"].as_u64().unwrap() > 50, "{seen}");
        boards += 1;
    }
    assert_eq!(boards, 1, "mps2-an385-64k");
}

/// Starts a device whose log goes to a file.
fn logging(name: &str) -> (Device, Console, Debugger, PathBuf) {
    let log = folder(name).join("log.bin");
    let serial = format!("file:{}", argument(&log));
    let options = [&COUNTED[..], &["-serial", &serial]].concat();
    let (device, console, debugger) = Device::with_debugger(tern_boards::DEFAULT, firmware(), &options);
    (device, console, debugger, log)
}

#[test]
fn the_watchdog_resets_a_firmware_that_hangs_and_the_log_names_it() {
    let (_device, mut console, mut debugger, log) = logging("watchdog");
    console.boot();
    debugger.hang();
    console.boot();
    let log = decoded_log(&log);
    assert!(log.contains("reset: power-on") && log.contains("reset: watchdog"), "{log}");
    assert!(console.ask("stats").contains("resets      1: 1 watchdog since power-on\r\nlast reset  watchdog"));
}

#[test]
fn every_emulated_watchdog_resets_a_firmware_that_hangs() {
    // QEMU has no watchdog for the other boards.
    for name in ["mps2-an385", "mps2-an500", "mps2-an505", "mps3-an547"] {
        let board = Board::named(name).unwrap();
        let (_device, mut console, mut debugger) = Device::with_debugger(board, &firmware_of(board), &COUNTED);
        console.boot();
        debugger.hang();
        console.boot();
        assert!(console.ask("stats").contains("last reset  watchdog"), "{name}: {}", console.seen);
    }
}

#[test]
fn a_firmware_that_faults_prints_the_reason_and_restarts() {
    let (_device, mut console, mut debugger, log) = logging("fault");
    console.boot();
    // The next start writes nothing to the log.
    console.ask("log off");
    debugger.fault();
    let seen = console.boot();
    assert!(seen.contains("firmware stopped: hard fault at 0x") && seen.contains("tern 0"), "{seen}");
    console.reset();
    console.send(b"@stats\r");
    let stats = console.until("}}");
    assert!(
        stats.contains(r#""last_reset":"command","resets":{"pin":0,"brownout":0,"watchdog":0,"command":1,"panic":1}}"#),
        "{stats}"
    );
    let log = decoded_log(&log);
    assert!(log.contains("stopped: hard fault") && !log.contains("reset: panic"), "{log}");
}
