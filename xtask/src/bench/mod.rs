//! `cargo xtask bench`: what things cost, by commands that a reader can run.

pub mod device;
mod golden;
pub mod host;
mod machine;
pub mod splits;
pub mod train;
mod workload;

pub use machine::CORES;

/// The middle one, or the mean of the two in the middle.
///
/// # Panics
///
/// Where there is no value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2] + values[(values.len() - 1) / 2]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
