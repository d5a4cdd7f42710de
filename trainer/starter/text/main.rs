//! Classifies each line that arrives at the serial port, and prints its label. An empty line ends the program.

#![no_std]
#![no_main]

mod board;

use core::fmt::Write;

use board::{Serial, stop};
use cortex_m::singleton;
use cortex_m_rt::entry;
use tern_runtime::{Model, TextSession, include_model};

/// The model, in flash.
static MODEL: &[u8] = include_model!("../model.safetensors");

/// The number of 32-bit words of memory that a session of the model needs, computed by build.rs.
const SCRATCH_WORDS: usize = match usize::from_str_radix(env!("SCRATCH_WORDS"), 10) {
    Ok(words) => words,
    Err(_) => panic!("build.rs writes a number"),
};

#[entry]
fn main() -> ! {
    let mut serial = Serial::start();
    // No `unwrap` fails: build.rs has loaded the same file, and each `singleton!` is taken once.
    let model = Model::from_bytes(MODEL).unwrap();
    let scratch = singleton!(: [i32; SCRATCH_WORDS] = [0; SCRATCH_WORDS]).unwrap();
    let mut session = model.text_session(scratch).unwrap();
    // The number of bytes of the current line so far.
    let mut length = 0;
    loop {
        match serial.read() {
            b'\r' => (),
            b'\n' if length == 0 => stop(true),
            b'\n' => {
                session.finish();
                answer(&mut serial, &model, &mut session);
                session.reset();
                length = 0;
            }
            // The text is not stored: the session reads it byte by byte.
            byte => {
                session.feed(&[byte]);
                length += 1;
            }
        }
    }
}

/// Prints the most probable label of the text that the session has read, and its probability.
fn answer(serial: &mut Serial, model: &Model<'_>, session: &mut TextSession<'_>) {
    let best = session.logits().best();
    let label = model.labels().get(best.class).unwrap_or("?");
    // Probabilities are in Q16: 65,536 is 1.
    let percent = session.logits().probability(best.class) * 100 / 65_536;
    let _ = writeln!(serial, "{label} {percent} %");
}
