//! Classifies the stream of an accelerometer in overlapping windows: `cargo run -p tern-runtime --example
//! accelerometer` with the synthetic stream beside this file, or `… < stream.csv` with lines `x,y,z` of whole numbers.
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
    // beside a session is the number of steps before its first one.
    let mut scratch = [vec![0; model.scratch_len()], vec![0; model.scratch_len()]];
    let [first, second] = &mut scratch;
    let mut sessions = [(model.value_session(first)?, 0), (model.value_session(second)?, WINDOW / 2)];

    // Each channel has its own scale. `encode` converts the numbers of the stream, which have the unit of the training
    // data.
    let channels: Vec<_> = (0..).map_while(|index| model.channel(index)).collect();
    let stream = if stdin().is_terminal() { STREAM.to_owned() } else { read_to_string(stdin())? };
    let steps = stream.lines().filter_map(|line| {
        let numbers: Vec<i32> = line.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?;
        (numbers.len() == channels.len()).then_some(numbers)
    });
    for (step, numbers) in (1..).zip(steps) {
        let encode = |(channel, number): (&Channel<'_>, i32)| channel.encode(number, NonZeroU32::MIN);
        let values: Vec<i32> = channels.iter().zip(numbers).map(encode).collect();
        for (session, start) in sessions.iter_mut().filter(|(_, start)| step > *start) {
            session.feed(&values);
            if (step - *start) % WINDOW == 0 {
                let best = session.logits().best();
                // Probabilities are Q16: 65,536 is 100 %.
                let percent = f64::from(session.logits().probability(best.class)) / 655.36;
                let label = model.labels().get(best.class).unwrap_or_default();
                println!("{:6.2} s  {label} {percent:.0} %", step as f64 / RATE);
                session.reset();
            }
        }
    }
    Ok(())
}
