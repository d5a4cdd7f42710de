//! Classifies the stream of an accelerometer. Each line `x,y,z` of whole numbers is a time step. Two sessions read the
//! stream, one of them half a window later, so that after every half window one of them classifies the last whole
//! window. An empty line ends the program.

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

/// The number of time steps of a window: `window` in recipe.toml.
const WINDOW: u32 = 64;
/// The number of time steps per second.
const RATE: u32 = 50;
/// The number of values in a time step.
const CHANNELS: usize = 3;

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
    let scratch = singleton!(: [[i32; SCRATCH_WORDS]; 2] = [[0; SCRATCH_WORDS]; 2]).unwrap();
    let mut sessions = scratch.each_mut().map(|scratch| model.value_session(scratch).unwrap());
    let mut line = Line::default();
    // The number of time steps so far.
    let mut step = 0;
    loop {
        match serial.read() {
            b'\r' => (),
            b'\n' if line.length == 0 => stop(true),
            b'\n' => {
                // Lines that are not a time step, such as the header of a table, are ignored.
                if let Some(values) = core::mem::take(&mut line).values() {
                    step += 1;
                    feed(&mut serial, &model, &mut sessions, step, values);
                }
            }
            byte => line.push(byte),
        }
    }
}

/// Feeds a time step to both sessions. If it ends the window of one, prints the time, the label of that window and its
/// probability, and resets the session. `step`: the number of the time step, from 1.
fn feed(
    serial: &mut Serial,
    model: &Model<'_>,
    sessions: &mut [ValueSession<'_>; 2],
    step: u32,
    values: [i32; CHANNELS],
) {
    let mut encoded = [0; CHANNELS];
    for (index, (encoded, value)) in encoded.iter_mut().zip(values).enumerate() {
        // Converts the value to the integer that the model reads. The denominator is 1, since the stream has the unit
        // of the training data.
        *encoded = model.channel(index).map_or(0, |channel| channel.encode(value, NonZeroU32::MIN));
    }
    // `start`: the number of time steps before the first window of the session.
    for (session, start) in sessions.iter_mut().zip([0, WINDOW / 2]) {
        if step <= start {
            continue;
        }
        session.feed(&encoded);
        let ends_window = (step - start) % WINDOW == 0;
        if ends_window {
            let best = session.logits().best();
            let label = model.labels().get(best.class).unwrap_or("?");
            // Probabilities are in Q16: 65,536 is 1.
            let percent = session.logits().probability(best.class) * 100 / 65_536;
            let (seconds, hundredths) = (step / RATE, step % RATE * 100 / RATE);
            let _ = writeln!(serial, "{seconds:3}.{hundredths:02} s  {label} {percent} %");
            session.reset();
        }
    }
}

/// A line of whole numbers of at most 9 digits with commas between them, parsed byte by byte.
#[derive(Default)]
struct Line {
    /// The number of bytes so far.
    length: usize,
    /// The number of complete values so far.
    count: usize,
    /// The complete values, then the current one without its sign.
    values: [i32; CHANNELS],
    /// The number of digits of the current value, at most 9.
    digits: u32,
    /// True if the current value begins with a minus sign.
    is_negative: bool,
    /// True if the line is not a list of such numbers.
    is_broken: bool,
}

impl Line {
    /// Adds a byte of the line.
    fn push(&mut self, byte: u8) {
        self.length += 1;
        match byte {
            b'0'..=b'9' if self.digits < 9 && self.count < CHANNELS => {
                let value = &mut self.values[self.count];
                *value = *value * 10 + i32::from(byte - b'0');
                self.digits += 1;
            }
            b'-' if self.digits == 0 && !self.is_negative => self.is_negative = true,
            b',' => self.end_value(),
            _ => self.is_broken = true,
        }
    }

    /// Ends the current value, after a comma or at the end of the line.
    fn end_value(&mut self) {
        if self.digits == 0 {
            self.is_broken = true;
        }
        match self.values.get_mut(self.count) {
            Some(value) if self.is_negative => *value = -*value,
            _ => (),
        }
        self.count += 1;
        self.digits = 0;
        self.is_negative = false;
    }

    /// Ends the line and returns its values; `None` if it is not one whole number for each channel.
    fn values(mut self) -> Option<[i32; CHANNELS]> {
        self.end_value();
        (!self.is_broken && self.count == CHANNELS).then_some(self.values)
    }
}
