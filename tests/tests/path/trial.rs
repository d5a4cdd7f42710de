//! Models on trial, and what a device does when one of them, or the power, fails at its worst moment.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tern_boards::Board;
use tern_runtime::Model;
use tern_runtime::testing::{Aligned, Sizes, Spec};
use tern_runtime::write::{Tensor, to_bytes};
use tern_tests::device::{Console, Debugger, Device};
use tern_tests::sb::{Fate, send};
use tern_tests::{argument, committed, firmware, firmware_of, folder, json};

/// An instruction takes 64 ns of the emulated board's time, and none where all sleep.
const COUNTED: [&str; 2] = ["-icount", "shift=6"];

/// A model whose golden text takes an emulated board about 25 s of its time: longer than its watchdog waits, and no longer than a start
/// may take. An emulator may be through with it in a third of a second.
fn slow_model(folder: &Path) -> PathBuf {
    const TOKENS: usize = 4_000;
    let spec = Spec::from(Sizes { embedding_dim: 32, hidden_size: 64, classes: 2 });
    let text = "free prize ".repeat(TOKENS / 2);
    let mut tensors = spec.tensors(1);
    tensors.retain(|tensor| !tensor.name.starts_with("golden."));
    tensors.extend(Tensor::texts("golden", [text.as_str()]));
    let logits = |of: &[i32]| Tensor::new("golden.logits", tern_runtime::write::Dtype::I32, &[1, 2], of);
    let file = |of: &[i32]| {
        let all = tensors.iter().cloned().chain([logits(of)]).collect();
        Aligned::new(&to_bytes(&spec.metadata(), all))
    };
    let draft = file(&[0, 0]);
    let model = Model::from_bytes(&draft).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.session(&mut scratch).unwrap();
    let found: Vec<i32> = session.classify(text.as_bytes()).iter().collect();
    let path = folder.join("slow.safetensors");
    std::fs::write(&path, &*file(&found)).unwrap();
    path
}

fn passes(_: &mut [u8]) -> Fate {
    Fate::Passes
}

/// Loads and activates a model by `sb`, and has the device begin anew.
fn begin_trial(console: &mut Console, model: &Path) {
    let sent = send(console, model, passes);
    assert!(sent.said.contains("received "), "{sent:?}");
    assert!(console.ask("activate").contains("all checks passed"), "{}", console.seen);
    console.send(b"reset\r");
    console.until("reset\r\n");
}

/// A device with a model in its first slot, a debugger, and a log that tells of each start before a model is looked at.
struct Broken {
    console: Console,
    debugger: Debugger,
    log: PathBuf,
    _device: Device,
}

impl Broken {
    fn start(folder: &Path, model: &Path) -> Self {
        let log = folder.join("log.bin");
        let loader = format!("loader,file={},addr=0x00200000,force-raw=on", argument(model));
        let serial = format!("file:{}", argument(&log));
        let options = [&COUNTED[..], &["-serial", &serial, "-device", &loader]].concat();
        let (_device, console, debugger) = Device::debugged(tern_boards::DEFAULT, firmware(), &options);
        Broken { console, debugger, log, _device }
    }

    /// How much was logged.
    fn logged(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    /// Waits for the next start, and hangs it while it runs golden texts.
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
fn a_model_whose_trial_hangs_is_given_up_after_the_watchdog_and_the_one_before_serves() {
    let folder = folder("trial");
    let mut device = Broken::start(&folder, &committed());
    device.console.boot();
    let logged = device.logged();
    begin_trial(&mut device.console, &slow_model(&folder));
    device.hang_next(logged);
    let Broken { console, .. } = &mut device;
    let start = console.boot();
    assert!(start.contains("slot B: back to the model before: ") && start.contains("crc32 7cc8eafe"), "{start}");
    let models = console.ask("models");
    assert!(models.contains("A  confirmed  serving") && models.contains("B  failed"), "{models}");
    assert!(console.ask("stats").contains("resets      2: 1 watchdog, 1 command"), "{}", console.seen);
    assert!(console.ask("free prize").contains("2 tokens, 0 unknown"), "{}", console.seen);
    // The model was good: tried again, it serves, though its golden text takes longer than the watchdog waits.
    assert!(console.ask("activate").contains("all checks passed"), "{}", console.seen);
    let start = console.reset();
    assert!(start.contains("slot B: its model is on trial"), "{start}");
    assert!(console.ask("models").contains("B  confirmed  serving"), "{}", console.seen);
}

#[test]
fn a_device_that_comes_to_no_prompt_again_and_again_starts_without_a_model() {
    let folder = folder("no-prompt");
    let mut device = Broken::start(&folder, &slow_model(&folder));
    let mut logged = 0;
    for _ in 0..3 {
        device.hang_next(logged);
        logged = device.logged();
    }
    let Broken { console, .. } = &mut device;
    let start = console.boot();
    let why = "error: no model: the device began anew 3 times in a row before its prompt stood";
    assert!(start.contains(why), "{start}");
    assert!(console.ask("stats").contains("resets      3: 3 watchdog"), "{}", console.seen);
    assert!(console.ask("free prize").contains("error: no model"), "{}", console.seen);
    // Nothing hangs any more.
    let start = console.reset();
    assert!(start.contains("model `random`"), "{start}");
}

#[test]
fn what_a_board_keeps_in_flash_outlasts_its_power_whenever_that_goes() {
    let folder = folder("power");
    let board = Board::named("riscv32-virt").unwrap();
    let (elf, flash) = (firmware_of(board), folder.join("flash"));
    let device = ["--board", board.name, "--firmware", argument(&elf), "--flash", argument(&flash), "--timeout", "60"];
    let push = |model: &Path| json(&[&["push", argument(model), "--qemu", "--json"], &device[..]].concat());
    let seen = push(&committed());
    assert_eq!((&seen["slot"], &seen["state"], &seen["serving"]), (&"A".into(), &"confirmed".into(), &true.into()));
    let on = || {
        let mut device = Device::keeping(board, &elf, &flash);
        let console = device.connect();
        (device, console)
    };
    let slow = slow_model(&folder);
    // In the middle of a transfer.
    let (powered, mut console) = on();
    assert!(console.boot().contains("crc32 7cc8eafe"), "{}", console.seen);
    let mut pieces = 0;
    send(&mut console, &slow, |_| {
        pieces += 1;
        if pieces < 20 { Fate::Passes } else { Fate::DeviceDies }
    });
    drop((console, powered));
    let (powered, mut console) = on();
    assert!(console.boot().contains("crc32 7cc8eafe"), "{}", console.seen);
    assert!(console.ask("models").contains("A  confirmed  serving"), "{}", console.seen);
    assert!(console.ask("models").contains("B  empty"), "{}", console.seen);
    assert!(
        console.ask("stats").contains("resets      0, since power came\r\nlast reset  power-on"),
        "{}",
        console.seen
    );
    // In the middle of a trial.
    begin_trial(&mut console, &slow);
    thread::sleep(Duration::from_millis(100));
    drop((console, powered));
    let (powered, mut console) = on();
    let start = console.boot();
    assert!(start.contains("slot B: back to the model before: ") && start.contains("crc32 7cc8eafe"), "{start}");
    assert!(console.ask("free prize").contains("2 tokens, 0 unknown"), "{}", console.seen);
    // Between the activation and the next start.
    assert!(console.ask("activate").contains("all checks passed"), "{}", console.seen);
    drop((console, powered));
    let (powered, mut console) = on();
    assert!(console.boot().contains("slot B: its model is on trial"), "{}", console.seen);
    // It is confirmed behind the prompt, before the first line is answered.
    console.ask("models");
    drop((console, powered));
    let (_powered, mut console) = on();
    assert!(!console.boot().contains("slot "), "{}", console.seen);
    assert!(console.ask("models").contains("B  confirmed  serving"), "{}", console.seen);
}
