//! Models on trial: a device recovers if the model hangs or the power fails at any moment.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tern_boards::Board;
use tern_runtime::Model;
use tern_runtime::testing::{Aligned, Sizes, Spec};
use tern_runtime::write::{Tensor, to_bytes};
use tern_tests::device::{COUNTED, Console, Debugger, Device, loader};
use tern_tests::sb::{Fate, send, send_all};
use tern_tests::{argument, committed, firmware, firmware_of, folder, json};

/// Writes a model whose golden example takes the board about 25 s: longer than the timeout of the watchdog, shorter
/// than the limit of a start. The emulator may run it within a third of a second.
fn slow_model(folder: &Path) -> PathBuf {
    const TOKENS: usize = 4_000;
    let spec = Spec::from(Sizes { embedding_dim: 32, hidden_size: 64, classes: 2 });
    model_with_golden(folder, spec, &"free prize ".repeat(TOKENS / 2))
}

/// Writes a model with this text as its golden example.
fn model_with_golden(folder: &Path, spec: Spec, text: &str) -> PathBuf {
    let mut tensors = spec.tensors(1);
    tensors.retain(|tensor| !tensor.name.starts_with("golden."));
    tensors.extend(Tensor::texts("golden", [text]));
    let file = |logits: &[i32]| {
        let logits = Tensor::new("golden.logits", tern_runtime::write::Dtype::I32, &[1, 2], logits);
        let tensors = tensors.iter().cloned().chain([logits]).collect();
        Aligned::new(&to_bytes(&spec.metadata(), tensors))
    };
    // The logits of the text are computed by a file with others.
    let draft = file(&[0, 0]);
    let model = Model::from_bytes(&draft).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    let logits: Vec<i32> = session.classify(text.as_bytes()).iter().collect();
    let path = folder.join("slow.safetensors");
    std::fs::write(&path, &*file(&logits)).unwrap();
    path
}

/// Sends and activates a model by `sb`, and resets the device.
fn begin_trial(console: &mut Console, model: &Path) {
    let sent = send_all(console, model);
    assert!(sent.answer.contains("received "), "{sent:?}");
    assert!(console.ask("activate").contains("all checks passed"), "{}", console.seen);
    console.send(b"reset\r");
    console.until("reset\r\n");
}

/// A device with a model in its first slot, a debugger, and a log of each start.
struct DebuggedDevice {
    console: Console,
    debugger: Debugger,
    log: PathBuf,
    _device: Device,
}

impl DebuggedDevice {
    /// Starts the default board with a model; its log goes to a file in `folder`.
    fn start(folder: &Path, model: &Path) -> Self {
        let log = folder.join("log.bin");
        let serial = format!("file:{}", argument(&log));
        let loader = loader(model);
        let options = [&COUNTED[..], &["-serial", &serial, "-device", &loader]].concat();
        let (_device, console, debugger) = Device::with_debugger(tern_boards::DEFAULT, firmware(), &options);
        DebuggedDevice { console, debugger, log, _device }
    }

    /// Returns the length of the log.
    fn logged(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    /// Waits for the next start, after which the log is longer than `logged`, and makes it hang while it runs the
    /// golden examples.
    fn hang_next(&mut self, logged: u64) {
        let start = Instant::now();
        while self.logged() <= logged {
            assert!(start.elapsed() < Duration::from_secs(60), "no start");
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_millis(100));
        self.debugger.hang();
    }
}

#[test]
fn after_a_trial_that_hangs_the_device_returns_to_the_old_model() {
    let folder = folder("trial");
    let mut device = DebuggedDevice::start(&folder, &committed());
    device.console.boot();
    let logged = device.logged();
    begin_trial(&mut device.console, &slow_model(&folder));
    device.hang_next(logged);
    let DebuggedDevice { console, .. } = &mut device;
    let start = console.boot();
    assert!(
        start.contains("slot B: new model given up, the previous one runs: ") && start.contains("crc32 7cc8eafe"),
        "{start}"
    );
    let models = console.ask("models");
    assert!(models.contains("A  confirmed  serving") && models.contains("B  failed"), "{models}");
    assert!(console.ask("stats").contains("resets      2: 1 watchdog, 1 command"), "{}", console.seen);
    assert!(console.ask("free prize").contains("2 tokens, 0 unknown"), "{}", console.seen);
    // The second trial succeeds, although the golden example takes longer than the timeout of the watchdog.
    assert!(console.ask("activate").contains("all checks passed"), "{}", console.seen);
    let start = console.reset();
    assert!(start.contains("slot B: trying the new model"), "{start}");
    assert!(console.ask("models").contains("B  confirmed  serving"), "{}", console.seen);
}

/// A bidirectional model runs all tokens of a text when the text has ended. The watchdog is fed meanwhile.
#[test]
fn neither_long_texts_nor_long_golden_examples_of_a_bidirectional_model_reset_the_device() {
    let folder = folder("long-answers");
    let sizes = Sizes { embedding_dim: 64, hidden_size: 160, classes: 2 };
    let spec = Spec { layers: 3, bidirectional: true, ..sizes.into() };
    let text = "free prize ".repeat(20);
    let model = model_with_golden(&folder, spec, &text);
    let loader = loader(&model);
    let options = [&COUNTED[..], &["-device", &loader]].concat();
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &options);
    let mut console = device.connect();
    // A model that a flasher wrote is tested at each start.
    console.boot();
    let answer = console.ask(text.trim_end());
    let ticks: u64 = answer.split_once(" unknown, ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
    // Longer than the watchdog waits, which is 8 s at 25 MHz.
    assert!(ticks > 8 * 25_000_000, "{answer}");
    assert!(console.ask("selftest").contains("1 of 1 golden examples exact"), "{}", console.seen);
    assert!(console.ask("stats").contains("resets      0 since power-on"), "{}", console.seen);
}

#[test]
fn after_three_starts_without_a_prompt_the_device_starts_without_a_model() {
    let folder = folder("no-prompt");
    let mut device = DebuggedDevice::start(&folder, &slow_model(&folder));
    let mut logged = 0;
    for _ in 0..3 {
        device.hang_next(logged);
        logged = device.logged();
    }
    let DebuggedDevice { console, .. } = &mut device;
    let start = console.boot();
    let why = "error: no model: the last 3 starts failed before the prompt, so this one runs no model";
    assert!(start.contains(why), "{start}");
    assert!(console.ask("stats").contains("resets      3: 3 watchdog"), "{}", console.seen);
    assert!(console.ask("free prize").contains("error: no model"), "{}", console.seen);
    // The next start does not hang.
    let start = console.reset();
    assert!(start.contains("model `random`"), "{start}");
}

#[test]
fn the_models_in_flash_survive_a_power_failure_at_any_moment() {
    let folder = folder("power");
    let board = Board::named("riscv32-virt").unwrap();
    let (elf, flash) = (firmware_of(board), folder.join("flash"));
    let device = ["--board", board.name, "--firmware", argument(&elf), "--flash", argument(&flash)];
    let push = |model: &Path| json(&[&["push", argument(model), "--qemu", "--json"], &device[..]].concat());
    let seen = push(&committed());
    assert_eq!((&seen["slot"], &seen["state"], &seen["serving"]), (&"A".into(), &"confirmed".into(), &true.into()));
    let power_on = || {
        let mut device = Device::with_flash_file(board, &elf, &flash);
        let console = device.connect();
        (device, console)
    };
    let slow = slow_model(&folder);
    // A power failure during a transfer.
    let (powered, mut console) = power_on();
    assert!(console.boot().contains("crc32 7cc8eafe"), "{}", console.seen);
    let mut pieces = 0;
    send(&mut console, &slow, |_| {
        pieces += 1;
        if pieces < 20 { Fate::Passes } else { Fate::DeviceDies }
    });
    drop((console, powered));
    let (powered, mut console) = power_on();
    assert!(console.boot().contains("crc32 7cc8eafe"), "{}", console.seen);
    assert!(console.ask("models").contains("A  confirmed  serving"), "{}", console.seen);
    assert!(console.ask("models").contains("B  empty"), "{}", console.seen);
    assert!(console.ask("stats").contains("resets      0 since power-on\r\nlast reset  power-on"), "{}", console.seen);
    // A power failure during a trial.
    begin_trial(&mut console, &slow);
    thread::sleep(Duration::from_millis(100));
    drop((console, powered));
    let (powered, mut console) = power_on();
    let start = console.boot();
    assert!(
        start.contains("slot B: new model given up, the previous one runs: ") && start.contains("crc32 7cc8eafe"),
        "{start}"
    );
    assert!(console.ask("free prize").contains("2 tokens, 0 unknown"), "{}", console.seen);
    // A power failure between activation and the next start.
    assert!(console.ask("activate").contains("all checks passed"), "{}", console.seen);
    drop((console, powered));
    let (powered, mut console) = power_on();
    assert!(console.boot().contains("slot B: trying the new model"), "{}", console.seen);
    // The model is confirmed after the prompt and before the first line is answered.
    console.ask("models");
    drop((console, powered));
    let (_powered, mut console) = power_on();
    assert!(!console.boot().contains("slot "), "{}", console.seen);
    assert!(console.ask("models").contains("B  confirmed  serving"), "{}", console.seen);
}
