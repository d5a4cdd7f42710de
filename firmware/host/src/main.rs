//! The board `host`: the console of `tern-firmware` on a computer, behind a pseudo-terminal or on stdin and stdout. It
//! lets you try the console without an emulator, with any terminal program.

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
/// Length of the record's partition in bytes.
const RECORD_BYTES: usize = 2 * ERASE_BYTES;
/// Length of a slot in bytes.
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
    let memory =
        flash_memory(&fs::read(file).map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))?)?;
    // The terminal is in raw mode until `raw` is dropped.
    let raw = if on_stdio { pseudo_terminal::RawTerminal::of_stdin()? } else { None };
    let (reader, writer): (Box<dyn Read + Send>, Box<dyn Write + Send>) = if let Some(raw) = &raw {
        eprintln!("Ctrl-] or `quit` leaves");
        (Box::new(raw.keys()), Box::new(io::stdout()))
    } else if on_stdio {
        (Box::new(io::stdin()), Box::new(io::stdout()))
    } else {
        let terminal = pseudo_terminal::open()?;
        println!("the console is at {}", terminal.path);
        (Box::new(terminal.reader), Box::new(terminal.writer))
    };
    // The queue is leaked, because the reading thread uses it until the process ends.
    let (ring, dropped) = (Box::leak(Box::new(Ring::new())), Box::leak(Box::new(Dropped::new())));
    let (queue_writer, received) = split(ring, dropped);
    let has_ended: &AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    let console = thread::current();
    thread::spawn(move || receive(reader, queue_writer, has_ended, &console));

    let (mut connection, mut boots) = (Connection { received, writer, has_ended }, BootCount::FIRST);
    let mut scratch = vec![0; SCRATCH_BYTES / 4];
    let board = BoardInfo { name: "host", clock_hz: host_port::CLOCK_HZ, scratch_bytes: SCRATCH_BYTES };
    loop {
        let port = HostPort::new(&mut connection, &mut boots);
        match device::serve(port, board, partitions(memory), None, &mut scratch, |_| ()) {
            Ok(never) => match never {},
            Err(Ended::Reset) => boots = BootCount::next(&boots.to_words(), ResetReason::Command),
            Err(Ended::Closed) => return Ok(()),
            Err(Ended::Failed(kind)) => return Err(kind.into()),
        }
    }
}

/// Divides memory into flash partitions: the record and two slots.
fn partitions(memory: &mut [u8]) -> Partitions<RamFlash<'_, 4, ERASE_BYTES>> {
    let (record, slots) = memory.split_at_mut(RECORD_BYTES);
    let (first, second) = slots.split_at_mut(SLOT_BYTES);
    Partitions { record: RamFlash::new(record), slots: [RamFlash::new(first), RamFlash::new(second)] }
}

/// Reads bytes into the queue, as the receive interrupt of a board does. Waits while the queue is full, so that the
/// sender must wait too.
fn receive(mut reader: impl Read, mut writer: QueueWriter<'_>, has_ended: &AtomicBool, console: &thread::Thread) {
    let mut buffer = [0; 256];
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        for &byte in &buffer[..count] {
            while !writer.has_room() {
                thread::park_timeout(host_port::POLL_INTERVAL);
            }
            writer.push(byte);
            console.unpark();
        }
    }
    has_ended.store(true, Ordering::SeqCst);
    console.unpark();
}

/// Returns erased flash at an address that is a multiple of 8, with the file in the first slot, as after `tern flash`.
/// Fails if the file is longer than a slot.
fn flash_memory(file: &[u8]) -> io::Result<&'static mut [u8]> {
    let memory: &'static mut [u8] = Box::leak(vec![0xff; RECORD_BYTES + 2 * SLOT_BYTES + 8].into_boxed_slice());
    let start = memory.as_ptr().align_offset(8);
    let memory = &mut memory[start..][..RECORD_BYTES + 2 * SLOT_BYTES];
    let (found, expected) = (file.len(), SLOT_BYTES);
    if found > expected {
        let message = format!("the file has {found} bytes, a slot has {expected}; export a smaller model");
        return Err(io::Error::other(message));
    }
    memory[RECORD_BYTES..][..found].copy_from_slice(file);
    Ok(memory)
}
