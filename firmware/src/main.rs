//! The firmware: a board, a model from its slot, and the console.

#![no_std]
#![no_main]

#[cfg(not(target_os = "none"))]
compile_error!(
    "the firmware runs on a microcontroller: build it with `--target thumbv7em-none-eabihf`, and test its library on this \
     host with `cargo test --lib --target <this host>`"
);

#[path = "board/mps2_an386.rs"]
mod board;
mod logger;

use core::panic::PanicInfo;

use tern_firmware::{Classifier, Console, Found, Refusal};

/// Scratch for a model's state, in bytes.
const SCRATCH_BYTES: usize = 64 * 1024;

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut SCRATCH: [i32; SCRATCH_BYTES / 4] = [0; SCRATCH_BYTES / 4];
    static mut RING: tern_firmware::queue::Ring = tern_firmware::queue::Ring::new();

    let port = board::init(RING);
    let identity = tern_firmware::Board { name: board::NAME, clock_hz: board::CLOCK_HZ, scratch_bytes: SCRATCH_BYTES };
    defmt::info!("tern {=str} on {=str}", tern_firmware::info::FIRMWARE, board::NAME);

    let found = Found::in_slot(board::model_slot());
    let model = match &found {
        Ok(found) => Classifier::new(found, SCRATCH),
        Err(refusal) => Err(*refusal),
    };
    log_model(&model);

    match Console::new(port, identity, model).run() {
        // Neither happens: the console serves for ever, and this port's error cannot exist.
        Ok(never) => match never {},
        Err(never) => match never {},
    }
}

fn log_model(model: &Result<Classifier<'_>, Refusal>) {
    match model {
        Ok(classifier) => {
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
        Err(Refusal::Empty) => defmt::warn!("no model: the slot is empty"),
        Err(Refusal::File(error)) => defmt::error!("model refused: {}", error),
        Err(Refusal::Task { task, input }) => {
            defmt::error!("model refused: its task is {}, its input {}", task, input);
        }
        Err(Refusal::Scratch { needed, available }) => {
            defmt::error!("model refused: it needs {=usize} bytes of scratch, {=usize} are there", needed, available);
        }
    }
}

/// A panic is a bug: it is told on both ports, and nothing runs on.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    board::stop(format_args!("{info}"))
}
