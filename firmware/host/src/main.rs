//! The board `host`: the console of `tern-firmware` on a desktop, behind a pseudo-terminal or on stdin and stdout. For trying it without
//! an emulator, with any terminal program.

mod line;
mod port;

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::{env, fs, io, thread};

use port::{Ended, HostPort};
use tern_firmware::queue::{Dropped, Feeder, Ring, split};
use tern_firmware::{Partitions, RamFlash, ResetReason, device};

/// Scratch for a model's state, in bytes, as on the emulated boards.
const SCRATCH_BYTES: usize = 64 * 1024;
/// What is erased at once.
const ERASE_BYTES: usize = 4096;
/// Room for the record of the slots.
const RECORD_BYTES: usize = 2 * ERASE_BYTES;
/// Room for a model.
const SLOT_BYTES: usize = 2 * 1024 * 1024;

const USAGE: &str = "\
Tern's console on this computer, behind a pseudo-terminal.

Usage: tern-host FILE [--stdio]

  FILE      device file, from `tern export`
  --stdio   talk on stdin and stdout instead; ends with the input, and in a terminal with Ctrl-]

Examples:
  cargo run --release -p tern-host --target host-tuple -- spam.safetensors --stdio
  cargo run --release -p tern-host --target host-tuple -- spam.safetensors
  picocom /dev/pts/3          # the name that it prints";

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

fn serve(file: &str, on_stdio: bool) -> io::Result<()> {
    let memory = memory(&fs::read(file).map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))?)?;
    // As long as this lives, keys come as they are typed.
    let raw = if on_stdio { line::Raw::of_stdin()? } else { None };
    let (reader, writer): (Box<dyn Read + Send>, Box<dyn Write + Send>) = if let Some(raw) = &raw {
        eprintln!("Ctrl-] leaves");
        (Box::new(raw.keys()), Box::new(io::stdout()))
    } else if on_stdio {
        (Box::new(io::stdin()), Box::new(io::stdout()))
    } else {
        let line = line::open()?;
        println!("the console is at {}", line.path);
        (Box::new(line.reader), Box::new(line.writer))
    };
    // Both live as long as the process: the reading thread has no other end.
    let (ring, dropped) = (Box::leak(Box::new(Ring::new())), Box::leak(Box::new(Dropped::new())));
    let (feeder, received) = split(ring, dropped);
    let mut port = HostPort::new(received, writer);
    let (ended, console) = (port.ended(), thread::current());
    thread::spawn(move || receive(reader, feeder, &ended, &console));

    let mut scratch = vec![0; SCRATCH_BYTES / 4];
    let board = tern_firmware::Board { name: "host", clock_hz: port::CLOCK_HZ, scratch_bytes: SCRATCH_BYTES };
    loop {
        match device::serve(&mut port, board, partitions(memory), None, &mut scratch, |_| ()) {
            Ok(never) => match never {},
            Err(Ended::Reset) => port.begin_anew(ResetReason::Command),
            Err(Ended::Closed) => return Ok(()),
            Err(Ended::Failed(kind)) => return Err(kind.into()),
        }
    }
}

/// Memory as flash: the record, and two slots.
fn partitions(memory: &mut [u8]) -> Partitions<RamFlash<'_, 4, ERASE_BYTES>> {
    let (record, slots) = memory.split_at_mut(RECORD_BYTES);
    let (first, second) = slots.split_at_mut(SLOT_BYTES);
    Partitions { record: RamFlash::new(record), slots: [RamFlash::new(first), RamFlash::new(second)] }
}

/// What a receive interrupt does elsewhere. Where the queue is full it waits: the terminal's sending end then does so, too.
fn receive(mut reader: impl Read, mut feeder: Feeder<'_>, ended: &Mutex<bool>, console: &thread::Thread) {
    let mut buffer = [0; 256];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                for &byte in &buffer[..count] {
                    while !feeder.has_room() {
                        thread::park_timeout(port::SLICE);
                    }
                    feeder.push(byte);
                    console.unpark();
                }
            }
        }
    }
    if let Ok(mut ended) = ended.lock() {
        *ended = true;
    }
    console.unpark();
}

/// Erased flash from an address that is a multiple of 8, with the file in its first slot, as a flasher leaves it.
fn memory(file: &[u8]) -> io::Result<&'static mut [u8]> {
    let memory: &'static mut [u8] = Box::leak(vec![0xff; RECORD_BYTES + 2 * SLOT_BYTES + 8].into_boxed_slice());
    let start = memory.as_ptr().align_offset(8);
    let memory = &mut memory[start..][..RECORD_BYTES + 2 * SLOT_BYTES];
    match memory[RECORD_BYTES..][..SLOT_BYTES].get_mut(..file.len()) {
        Some(slot) => slot.copy_from_slice(file),
        None => {
            let (found, expected) = (file.len(), SLOT_BYTES);
            return Err(io::Error::other(format!(
                "the file has {found} bytes, a slot {expected}; export a smaller model"
            )));
        }
    }
    Ok(memory)
}
