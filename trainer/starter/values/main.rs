//! Classifies a stream of an accelerometer: a line `x,y,z` of whole numbers is a time step. Two sessions read it, half
//! a window apart, so that each half window brings an answer for the last whole window. An empty line ends the program.

#![no_std]
#![no_main]

mod board;

use core::fmt::Write;
use core::num::NonZeroU32;

use board::{Serial, stop};
use cortex_m::singleton;
use cortex_m_rt::entry;
use tern_runtime::{Model, ValueSession, include_model};

/// The model, in flash.
static MODEL: &[u8] = include_model!("../model.safetensors");

/// The time steps of a window: `window` in recipe.toml.
const WINDOW: u32 = 64;
/// The time steps in a second.
const RATE: u32 = 50;
/// The numbers of a time step.
const CHANNELS: usize = 3;

/// The words of memory that a session of the model needs, computed by build.rs.
const SCRATCH_WORDS: usize = match usize::from_str_radix(env!("SCRATCH_WORDS"), 10) {
    Ok(words) => words,
    Err(_) => panic!("build.rs writes a number"),
};

#[entry]
fn main() -> ! {
    let mut serial = Serial::start();
    // build.rs has loaded the same file, so none of these fails.
    let model = Model::from_bytes(MODEL).unwrap();
    let scratch = singleton!(: [[i32; SCRATCH_WORDS]; 2] = [[0; SCRATCH_WORDS]; 2]).unwrap();
    let mut sessions = scratch.each_mut().map(|scratch| model.value_session(scratch).unwrap());
    let mut line = Line::default();
    let mut step = 0;
    loop {
        match serial.read() {
            b'\r' => (),
            b'\n' if line.length == 0 => stop(true),
            b'\n' => {
                // A line that is no time step, such as the header of a table, is left out.
                if let Some(values) = core::mem::take(&mut line).values() {
                    step += 1;
                    read(&mut serial, &model, &mut sessions, step, values);
                }
            }
            byte => line.push(byte),
        }
    }
}

/// Reads a time step with both sessions, and prints the answer of the one whose window it ends.
fn read(
    serial: &mut Serial,
    model: &Model<'_>,
    sessions: &mut [ValueSession<'_>; 2],
    step: u32,
    values: [i32; CHANNELS],
) {
    let mut encoded = [0; CHANNELS];
    for (index, (encoded, value)) in encoded.iter_mut().zip(values).enumerate() {
        // The model's own unit. `NonZeroU32::MIN` is 1: the stream has the unit of the training data.
        *encoded = model.channel(index).map_or(0, |channel| channel.encode(value, NonZeroU32::MIN));
    }
    for (session, start) in sessions.iter_mut().zip([0, WINDOW / 2]) {
        if step > start {
            session.feed(&encoded);
        }
        if step > start && (step - start) % WINDOW == 0 {
            let best = session.logits().best();
            let label = model.labels().get(best.class).unwrap_or("?");
            let percent = session.logits().probability(best.class) * 100 / 65_536;
            let (seconds, hundredths) = (step / RATE, step % RATE * 100 / RATE);
            let _ = writeln!(serial, "{seconds:3}.{hundredths:02} s  {label} {percent} %");
            session.reset();
        }
    }
}

/// A line of whole numbers with commas between them.
#[derive(Default)]
struct Line {
    length: usize,
    numbers: usize,
    values: [i32; CHANNELS],
    digits: u32,
    is_negative: bool,
    is_broken: bool,
}

impl Line {
    fn push(&mut self, byte: u8) {
        self.length += 1;
        match byte {
            b'0'..=b'9' if self.digits < 9 && self.numbers < CHANNELS => {
                let value = &mut self.values[self.numbers];
                *value = *value * 10 + i32::from(byte - b'0');
                self.digits += 1;
            }
            b'-' if self.digits == 0 && !self.is_negative => self.is_negative = true,
            b',' => self.end(),
            _ => self.is_broken = true,
        }
    }

    fn end(&mut self) {
        self.is_broken |= self.digits == 0;
        if let Some(value) = self.values.get_mut(self.numbers).filter(|_| self.is_negative) {
            *value = -*value;
        }
        self.numbers += 1;
        self.digits = 0;
        self.is_negative = false;
    }

    /// The numbers; `None` if the line is not one number for each channel.
    fn values(mut self) -> Option<[i32; CHANNELS]> {
        self.end();
        (!self.is_broken && self.numbers == CHANNELS).then_some(self.values)
    }
}
