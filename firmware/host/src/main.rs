//! The board `host`: the console of `tern-firmware` on a computer, behind a pseudo-terminal or on stdin and stdout. It
//! lets you try the console without an emulator, with any terminal program. RAM takes the place of flash, and a thread
//! that of the receive interrupt.

mod host_port;
mod pseudo_terminal;

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fs, io, thread};

use host_port::{Connection, Ended, HostPort};
use tern_firmware::boot_count::BootCount;
use tern_firmware::queue::{Dropped, QueueWriter, Ring, split};
use tern_firmware::{BoardInfo, Partitions, RamFlash, ResetReason, device};

/// RAM reserved for a model's state, in bytes, as on the emulated boards.
const SCRATCH_BYTES: usize = 64 * 1024;
/// Length of an erase block in bytes.
const ERASE_BYTES: usize = 4096;
/// Length in bytes of the partition for the record, which stores the states of the slots.
const RECORD_BYTES: usize = 2 * ERASE_BYTES;
/// Length in bytes of a slot, a partition for one model.
const SLOT_BYTES: usize = 2 * 1024 * 1024;

const USAGE: &str = "\
Tern's console on this computer, behind a pseudo-terminal.

Usage: tern-host FILE [--stdio]

  FILE      device file, from `tern export`
  --stdio   use stdin and stdout instead; ends with the input, with `quit`, and in a
            terminal with Ctrl-]

Examples:
  cargo run --release -p tern-host --target host-tuple -- spam.safetensors --stdio
  cargo run --release -p tern-host --target host-tuple -- spam.safetensors
  picocom /dev/pts/3          # the path that it prints";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (files, options): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| !argument.starts_with('-'));
    match (files.as_slice(), options.as_slice()) {
        (_, ["--help" | "-h"]) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        ([file], [] | ["--stdio"]) => match serve(file, !options.is_empty()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("error: expected one FILE, and at most `--stdio`, found {arguments:?}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Serves the console with the model in `file` until the connection ends.
fn serve(file: &str, on_stdio: bool) -> io::Result<()> {
    let model = fs::read(file).map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))?;
    let flash = flash_memory(&model)?;
    // The terminal is in raw mode until `raw_terminal` is dropped at the end of this function.
    let raw_terminal = if on_stdio { pseudo_terminal::RawTerminal::of_stdin()? } else { None };
    let (reader, writer): (Box<dyn Read + Send>, Box<dyn Write + Send>) = if let Some(raw_terminal) = &raw_terminal {
        eprintln!("Ctrl-] or `quit` leaves");
        (Box::new(raw_terminal.keys()), Box::new(io::stdout()))
    } else if on_stdio {
        (Box::new(io::stdin()), Box::new(io::stdout()))
    } else {
        let terminal = pseudo_terminal::open()?;
        println!("the console is at {}", terminal.path);
        (Box::new(terminal.reader), Box::new(terminal.writer))
    };
    // The queue and the flag are leaked, because the reading thread uses them until the process ends.
    let (ring, dropped) = (Box::leak(Box::new(Ring::new())), Box::leak(Box::new(Dropped::new())));
    let (queue_writer, received) = split(ring, dropped);
    let has_ended: &AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    let console_thread = thread::current();
    thread::spawn(move || receive(reader, queue_writer, has_ended, &console_thread));

    let (mut connection, mut boots) = (Connection { received, writer, has_ended }, BootCount::FIRST);
    let mut scratch = vec![0; SCRATCH_BYTES / 4];
    let board = BoardInfo { name: "host", clock_hz: host_port::CLOCK_HZ, scratch_bytes: SCRATCH_BYTES };
    // Each turn is one boot. The flash keeps its contents from one to the next.
    loop {
        let port = HostPort::new(&mut connection, &mut boots);
        match device::serve(port, board, partitions(flash), None, &mut scratch, |_| ()) {
            Ok(never) => match never {},
            Err(Ended::Reset) => boots = BootCount::next(&boots.to_words(), ResetReason::Command),
            Err(Ended::Closed) => return Ok(()),
            Err(Ended::Failed(kind)) => return Err(kind.into()),
        }
    }
}

/// Divides the memory from [`flash_memory`] into partitions: the record and two slots. A write unit has 4 bytes.
fn partitions(flash: &mut [u8]) -> Partitions<RamFlash<'_, 4, ERASE_BYTES>> {
    let (record, slots) = flash.split_at_mut(RECORD_BYTES);
    let (slot_a, slot_b) = slots.split_at_mut(SLOT_BYTES);
    Partitions { record: RamFlash::new(record), slots: [RamFlash::new(slot_a), RamFlash::new(slot_b)] }
}

/// Reads bytes into the queue and wakes the console for each, until the input ends or cannot be read. Unlike a board's
/// interrupt it waits while the queue is full, so that the sender must wait too.
fn receive(mut reader: impl Read, mut queue: QueueWriter<'_>, has_ended: &AtomicBool, console_thread: &thread::Thread) {
    let mut buffer = [0; 256];
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        for &byte in &buffer[..count] {
            while !queue.has_room() {
                thread::park_timeout(host_port::POLL_INTERVAL);
            }
            queue.push(byte);
            console_thread.unpark();
        }
    }
    has_ended.store(true, Ordering::SeqCst);
    console_thread.unpark();
}

/// Returns memory for the record and the slots, aligned to 8 bytes and erased but for the model in the first slot, as
/// after `tern flash`. Fails if the model is longer than a slot.
fn flash_memory(model: &[u8]) -> io::Result<&'static mut [u8]> {
    const FLASH_BYTES: usize = RECORD_BYTES + 2 * SLOT_BYTES;
    const ALIGNMENT: usize = 8;
    let model_bytes = model.len();
    if model_bytes > SLOT_BYTES {
        let message = format!("the file has {model_bytes} bytes, a slot has {SLOT_BYTES}; export a smaller model");
        return Err(io::Error::other(message));
    }
    // All bits of erased flash are 1.
    let allocation: &'static mut [u8] = Box::leak(vec![0xff; FLASH_BYTES + ALIGNMENT].into_boxed_slice());
    let start = allocation.as_ptr().align_offset(ALIGNMENT);
    let flash = &mut allocation[start..][..FLASH_BYTES];
    flash[RECORD_BYTES..][..model_bytes].copy_from_slice(model);
    Ok(flash)
}
