//! Classifies the stream of an accelerometer in overlapping windows: `cargo run -p tern-runtime --example
//! accelerometer` with the synthetic stream beside this file, or `… < stream.csv` with lines `x,y,z` of whole numbers.
//! Other lines, such as a header, are skipped.
//!
//! `tern new NAME --input values` writes the recordings and the recipe with which the model here was trained, and
//! firmware that classifies such a stream on a microcontroller.

use std::error::Error;
use std::io::{IsTerminal, read_to_string, stdin};
use std::num::NonZeroU32;

use tern_runtime::{Channel, Model, include_model};

static MODEL: &[u8] = include_model!("motion.safetensors");
static STREAM: &str = include_str!("motion.csv");

/// The number of time steps of a window, as in the training.
const WINDOW: usize = 64;
/// The number of time steps per second.
const RATE: f64 = 50.0;

fn main() -> Result<(), Box<dyn Error>> {
    let model = Model::from_bytes(MODEL)?;
    // Two sessions that begin half a window apart: every half window, one of them has read a whole window. The number
    // beside a session is the number of steps of the stream before its first window.
    let mut scratch = [vec![0; model.scratch_len()], vec![0; model.scratch_len()]];
    let [first, second] = &mut scratch;
    let mut sessions = [(model.value_session(first)?, 0), (model.value_session(second)?, WINDOW / 2)];

    let channels: Vec<Channel<'_>> = (0..).map_while(|index| model.channel(index)).collect();
    let stream = if stdin().is_terminal() { STREAM.to_owned() } else { read_to_string(stdin())? };
    let rows = stream.lines().filter_map(|line| whole_numbers(line, channels.len()));
    for (steps_read, numbers) in (1..).zip(rows) {
        let values = encode(&channels, &numbers);
        for (session, steps_before) in &mut sessions {
            if steps_read <= *steps_before {
                continue;
            }
            session.feed(&values);
            if (steps_read - *steps_before) % WINDOW == 0 {
                let best = session.logits().best();
                // Probabilities are Q16: 65,536 is 100 %.
                let percent = f64::from(session.logits().probability(best.class)) / 655.36;
                let label = model.labels().get(best.class).unwrap_or_default();
                println!("{:6.2} s  {label} {percent:.0} %", steps_read as f64 / RATE);
                session.reset();
            }
        }
    }
    Ok(())
}

/// Returns the whole numbers of a line, which are separated by commas; none if they are not `count` whole numbers.
fn whole_numbers(line: &str, count: usize) -> Option<Vec<i32>> {
    let mut numbers = Vec::new();
    for number in line.split(',') {
        numbers.push(number.trim().parse().ok()?);
    }
    if numbers.len() == count { Some(numbers) } else { None }
}

/// Converts the numbers of one time step, which have the unit of the training data, to the integers that the model
/// reads. Each channel has its own number of fractional bits.
fn encode(channels: &[Channel<'_>], numbers: &[i32]) -> Vec<i32> {
    let one = NonZeroU32::MIN; // Whole numbers are fractions with the denominator 1.
    channels.iter().zip(numbers).map(|(channel, &number)| channel.encode(number, one)).collect()
}
