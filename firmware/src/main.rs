//! The firmware: a board, a model from its slot, and the console.

#![no_std]
#![no_main]

#[cfg(not(target_os = "none"))]
compile_error!(
    "the firmware runs on a microcontroller: build it with `cargo xtask firmware --board NAME`, and test its library on this \
     host with `cargo test --lib --target <this host>`"
);

#[cfg_attr(any(feature = "mps2-an385", feature = "mps2-an386"), path = "board/mps2.rs")]
#[cfg_attr(feature = "netduinoplus2", path = "board/netduinoplus2.rs")]
#[cfg_attr(feature = "nrf52840-dk", path = "board/nrf52840_dk.rs")]
#[cfg_attr(feature = "nucleo-f429zi", path = "board/nucleo_f429zi.rs")]
#[cfg_attr(feature = "pico2", path = "board/pico2.rs")]
#[cfg_attr(feature = "riscv32-virt", path = "board/riscv32_virt.rs")]
mod board;
#[cfg(not(feature = "log-by-debugger"))]
mod logger;
mod partition;
#[cfg_attr(target_arch = "arm", path = "processor/cortex_m.rs")]
#[cfg_attr(target_arch = "riscv32", path = "processor/riscv.rs")]
mod processor;
#[cfg(feature = "registers")]
mod register;
mod reset;
mod serial;
mod stack;

use core::fmt::{self, Write as _};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use board::Board;
use static_cell::ConstStaticCell;
use tern_firmware::hardware::{Hardware, Note};
use tern_firmware::port::Level;
use tern_firmware::queue::{self, Dropped, Inlet, Ring};
use tern_firmware::slots::Trusted;
use tern_firmware::{Classifier, Refusal, device};

/// Who must have signed a model: `TERN_PUBLIC_KEY` when this was built. None: anybody.
const TRUSTED: Option<Trusted> = Trusted::of_hex(option_env!("TERN_PUBLIC_KEY_HEX"));

/// Where the board's receive interrupt puts bytes.
static INLET: Inlet = Inlet::new();

#[processor::entry]
fn main() -> ! {
    static SCRATCH: ConstStaticCell<[i32; Board::SCRATCH_BYTES / 4]> =
        ConstStaticCell::new([0; Board::SCRATCH_BYTES / 4]);
    static RING: ConstStaticCell<Ring> = ConstStaticCell::new(Ring::new());
    static DROPPED: Dropped = Dropped::new();

    stack::paint();
    let (feeder, received) = queue::split(RING.take(), &DROPPED);
    INLET.open(feeder);
    let mut board = Board::start();
    let starts = reset::starts(&mut board);
    let clock_hz = board.clock_hz();
    if starts.level >= Level::Info {
        let (version, reason) = (tern_firmware::info::FIRMWARE, starts.reason.name());
        defmt::info!("tern {=str} on {=str}, reset: {=str}", version, Board::NAME, reason);
    }

    let partitions = board.partitions();
    let identity = tern_firmware::Board { name: Board::NAME, clock_hz, scratch_bytes: Board::SCRATCH_BYTES };
    let port = serial::Serial::new(board, received, starts);
    match device::serve(port, identity, partitions, TRUSTED, SCRATCH.take(), |model| log_model(model, starts.level)) {
        // Neither happens: the device serves for ever, and this port's error cannot exist.
        Ok(never) => match never {},
        Err(never) => match never {},
    }
}

fn log_model(model: &Result<Classifier<'_>, Refusal>, level: Level) {
    match model {
        Ok(classifier) if level >= Level::Info => {
            let config = classifier.model().config();
            defmt::info!(
                "model accepted: {=usize} bytes, crc32 {=u32:08x}, vocabulary {=usize}, embedding {=usize}, hidden {=usize}, \
                 classes {=usize}, scratch {=usize} bytes",
                classifier.file_bytes(),
                classifier.crc32(),
                config.vocab_size,
                config.embedding_dim,
                config.hidden_size,
                config.classes,
                classifier.scratch_used()
            );
        }
        Ok(_) => (),
        Err(Refusal::Empty) if level >= Level::Warn => defmt::warn!("no model: the slot is empty"),
        Err(_) if level < Level::Error => (),
        Err(Refusal::Empty) => (),
        Err(Refusal::NotRun) => defmt::error!("model refused: the console says why"),
        Err(Refusal::Held) => defmt::error!("no model is run: start after start came to no prompt"),
        Err(Refusal::File(error)) => defmt::error!("model refused: {}", error),
        Err(Refusal::Scratch { needed, available }) => {
            defmt::error!("model refused: it needs {=usize} bytes of scratch, {=usize} are there", needed, available);
        }
    }
}

/// A panic is a bug: it is told on both ports, and the device begins anew.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    stop(format_args!("{info}"))
}

/// Says why on the console and in the log, and begins anew.
fn stop(why: fmt::Arguments<'_>) -> ! {
    static STOPPING: AtomicBool = AtomicBool::new(false);

    struct Plain;
    impl fmt::Write for Plain {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            Board::send(text.as_bytes());
            Ok(())
        }
    }
    processor::mask_interrupts();
    // What fails while it says so must not begin again. Loads and stores suffice: interrupts are off.
    if !STOPPING.load(Ordering::Relaxed) {
        STOPPING.store(true, Ordering::Relaxed);
        let _ = write!(Plain, "\r\nfirmware stopped: {why}\r\nplease report this; the device starts anew\r\n");
        defmt::error!("stopped: {}", defmt::Display2Format(&why));
    }
    reset::reset(Note::Panic)
}
