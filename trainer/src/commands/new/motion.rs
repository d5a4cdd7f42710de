//! Synthetic recordings of an accelerometer for `tern new`: the sum of gravity, a movement of two sines, drift and
//! noise. The random numbers have fixed seeds, so every call of [`recordings`] and [`stream`] returns the same bytes.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;
use std::fmt::Write;

/// Rows per second.
const RATE: usize = 50;
/// Rows of a labelled recording: three windows of 64 rows that overlap by half.
const RECORDING_ROWS: usize = 128;
/// Rows of each part of the stream: eight seconds of one motion.
const PART_ROWS: usize = 8 * RATE;
/// Recordings of each label. Each recording has a random pose: the direction of gravity, seen from the sensor.
const RECORDINGS_PER_LABEL: u64 = 60;
/// The largest absolute value that the sensor measures on an axis: 16 g, in thousandths of g.
const LIMIT: f64 = 16_000.0;

/// A kind of movement.
#[derive(Clone, Copy)]
struct Motion {
    label: &'static str,
    /// The lowest and the highest frequency, in Hz.
    frequency: [f64; 2],
    /// The lowest and the highest amplitude, in thousandths of g.
    amplitude: [f64; 2],
    /// The amplitude of the second harmonic relative to the first: large for steps, small for swings.
    harmonic: f64,
    /// True if the movement is along gravity.
    is_upright: bool,
}

const STILL: Motion =
    Motion { label: "still", frequency: [0.1, 0.3], amplitude: [0.0, 15.0], harmonic: 0.0, is_upright: false };
const WALKING: Motion =
    Motion { label: "walking", frequency: [1.5, 2.2], amplitude: [150.0, 400.0], harmonic: 0.5, is_upright: true };
const RUNNING: Motion =
    Motion { label: "running", frequency: [2.5, 3.2], amplitude: [700.0, 1400.0], harmonic: 0.4, is_upright: true };
const SHAKING: Motion =
    Motion { label: "shaking", frequency: [4.0, 7.0], amplitude: [500.0, 1500.0], harmonic: 0.1, is_upright: false };

/// Returns the table of labelled recordings as CSV: columns `sequence`, `label`, `x`, `y`, `z`.
pub fn recordings() -> String {
    let mut table = "sequence,label,x,y,z\n".to_owned();
    // The labels alternate, so that the first rows, by which an export is calibrated, have every label.
    for recording in 0..RECORDINGS_PER_LABEL {
        for (class, motion) in (0..).zip(&[STILL, WALKING, RUNNING, SHAKING]) {
            // The seeds differ, since a label has fewer than 100 recordings.
            let mut rng = ChaCha8Rng::seed_from_u64(100 * class + recording);
            let pose = direction(&mut rng);
            for [x, y, z] in rows(motion, pose, RECORDING_ROWS, &mut rng) {
                let label = motion.label;
                let _ = writeln!(table, "{label}-{recording},{label},{x},{y},{z}");
            }
        }
    }
    table
}

/// Returns a recording in which the motion changes, as CSV: columns `x`, `y`, `z`. The empty line at the end makes the
/// firmware stop.
pub fn stream() -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(1000);
    let pose = direction(&mut rng);
    let mut table = "x,y,z\n".to_owned();
    for motion in [STILL, WALKING, RUNNING, SHAKING, STILL] {
        for [x, y, z] in rows(&motion, pose, PART_ROWS, &mut rng) {
            let _ = writeln!(table, "{x},{y},{z}");
        }
    }
    table + "\n"
}

/// Returns `count` rows of one motion, in thousandths of g. `pose`: the direction of gravity, of length 1.
fn rows(motion: &Motion, pose: [f64; 3], count: usize, rng: &mut ChaCha8Rng) -> Vec<[i32; 3]> {
    // The order of the random numbers determines the sample data.
    let movement_direction = if motion.is_upright { pose } else { direction(rng) };
    let [frequency, amplitude] = [motion.frequency, motion.amplitude].map(|[low, high]| rng.random_range(low..high));
    let phase = rng.random_range(0.0..TAU);
    // The pose drifts slowly, as a sensor in a pocket does.
    let (drift_direction, drift_phase) = (direction(rng), rng.random_range(0.0..TAU));
    let mut row = |step: usize| {
        let time = step as f64 / RATE as f64;
        let angle = TAU * frequency * time + phase;
        let movement = amplitude * (angle.sin() + motion.harmonic * (2.0 * angle).sin());
        // At most 60 thousandths of g, with a period of 6.7 s.
        let drift = 60.0 * (TAU * 0.15 * time + drift_phase).sin();
        std::array::from_fn(|axis| {
            // The sum of three uniform numbers is nearly normal, with a standard deviation of 20 thousandths of g.
            let noise: f64 = (0..3).map(|_| rng.random_range(-20.0..20.0)).sum();
            let gravity = 1000.0 * pose[axis];
            let value = gravity + movement * movement_direction[axis] + drift * drift_direction[axis] + noise;
            value.clamp(-LIMIT, LIMIT).round() as i32
        })
    };
    (0..count).map(&mut row).collect()
}

/// Returns a random vector of length 1. All directions are equally likely.
fn direction(rng: &mut ChaCha8Rng) -> [f64; 3] {
    loop {
        let point: [f64; 3] = std::array::from_fn(|_| rng.random_range(-1.0..1.0));
        let length = point.iter().map(|coordinate| coordinate * coordinate).sum::<f64>().sqrt();
        // Points outside of the unit sphere would favour the corners of the cube. A tiny length would lose precision.
        if (0.1..=1.0).contains(&length) {
            return point.map(|coordinate| coordinate / length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_has_its_recordings_and_the_stream_its_parts() {
        let table = recordings();
        let rows = 4 * RECORDINGS_PER_LABEL as usize * RECORDING_ROWS;
        assert_eq!(table.lines().count(), 1 + rows);
        for label in ["still", "walking", "running", "shaking"] {
            assert_eq!(table.lines().filter(|line| line.contains(&format!(",{label},"))).count(), rows / 4);
        }
        assert_eq!(stream().lines().count(), 2 + 5 * PART_ROWS);
        assert_eq!(table, recordings());
    }
}
