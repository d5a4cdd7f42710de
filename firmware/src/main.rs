//! The firmware's entry point: starts the board, finds a model in its slots, and runs the console.

#![no_std]
#![no_main]

#[cfg(not(target_os = "none"))]
compile_error!(
    "the firmware runs on a microcontroller: build it with `cargo xtask firmware --board NAME`, and test its library on this \
     host with `cargo test --lib --target <this host>`"
);

#[cfg_attr(feature = "esp32-c3", path = "board/esp32_c3.rs")]
#[cfg_attr(any(feature = "mps2-an385", feature = "mps2-an385-64k"), path = "board/mps.rs")]
#[cfg_attr(any(feature = "mps2-an386", feature = "mps2-an500"), path = "board/mps.rs")]
#[cfg_attr(any(feature = "mps2-an505", feature = "mps3-an547"), path = "board/mps.rs")]
#[cfg_attr(feature = "netduinoplus2", path = "board/netduinoplus2.rs")]
#[cfg_attr(feature = "nrf52840-dk", path = "board/nrf52840_dk.rs")]
#[cfg_attr(feature = "nucleo-f072rb", path = "board/nucleo_f072rb.rs")]
#[cfg_attr(feature = "nucleo-f429zi", path = "board/nucleo_f429zi.rs")]
#[cfg_attr(any(feature = "pico", feature = "pico2"), path = "board/rp.rs")]
#[cfg_attr(feature = "riscv32-virt", path = "board/riscv32_virt.rs")]
mod board;
#[cfg(feature = "cmsdk")]
mod cmsdk;
#[cfg_attr(not(feature = "log"), path = "log/none.rs")]
mod log;
mod memory_map;
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
use tern_firmware::queue::{self, Dropped, Ring, SharedWriter};
use tern_firmware::{TrustedKey, device};

/// The name of the board, which is also the name of its cargo feature; set by build.rs. For files in `board` that serve
/// several boards.
#[allow(dead_code, reason = "a file for one board contains the name itself")]
const BOARD: &str = env!("TERN_BOARD");

/// The public key of the signature that each model must have; `None` accepts unsigned models. build.rs reads it from
/// `TERN_PUBLIC_KEY`, and passes it on as hexadecimal digits.
const TRUSTED: Option<TrustedKey> = TrustedKey::from_hex(option_env!("TERN_PUBLIC_KEY_HEX"));

/// The writing end of the receive queue, for the board's receive interrupt.
static RECEIVE_WRITER: SharedWriter = SharedWriter::new();

/// Starts the board, and runs the console with the model in its slots.
#[processor::entry]
fn main() -> ! {
    // The memory for a model's state, in words of 4 bytes.
    static SCRATCH: ConstStaticCell<[i32; Board::SCRATCH_BYTES / 4]> =
        ConstStaticCell::new([0; Board::SCRATCH_BYTES / 4]);
    // The receive queue, and the counters of the bytes that it dropped.
    static RING: ConstStaticCell<Ring> = ConstStaticCell::new(Ring::new());
    static DROPPED: Dropped = Dropped::new();

    // Before anything uses much of the stack, whose use is measured later.
    stack::fill();
    let (writer, received) = queue::split(RING.take(), &DROPPED);
    RECEIVE_WRITER.open(writer);
    let mut board = Board::start();
    log::start();
    let boots = reset::count_boot(&mut board);
    let clock_hz = board.clock_hz();
    log::boot(&boots);

    let partitions = memory_map::partitions::<<Board as Hardware>::Flash>();
    let info = tern_firmware::BoardInfo { name: Board::NAME, clock_hz, scratch_bytes: Board::SCRATCH_BYTES };
    let port = serial::Serial::new(board, received, boots);
    match device::serve(port, info, partitions, TRUSTED, SCRATCH.take(), |model| log::model(model, boots.log_level)) {
        // `serve` never returns: neither type has a value, because the console runs forever and the port has no errors.
        Ok(never) => match never {},
        Err(never) => match never {},
    }
}

/// Reports a panic, which is a bug in the firmware, and resets the device.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    stop(format_args!("{info}"))
}

/// Prints `why` on the console and in the log, and resets the device. For panics and faults.
fn stop(why: fmt::Arguments<'_>) -> ! {
    static STOPPING: AtomicBool = AtomicBool::new(false);

    // Sends to the serial port directly, since the console owns the `Serial`.
    struct ConsolePort;
    impl fmt::Write for ConsolePort {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            text.bytes().for_each(Board::send_byte);
            Ok(())
        }
    }
    processor::mask_interrupts();
    // A panic or fault while printing must not print again. Since interrupts are off, a load and a store do not need to
    // be one atomic operation.
    if !STOPPING.load(Ordering::Relaxed) {
        STOPPING.store(true, Ordering::Relaxed);
        let _ = write!(ConsolePort, "\r\nfirmware stopped: {why}\r\nplease report this bug; the device restarts\r\n");
        log::stopped(why);
    }
    reset::reset(Note::Panic)
}
