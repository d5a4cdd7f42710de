//! `cargo xtask bench`: counts instructions and compares results on emulated cores (`device`, and `splits`, which runs
//! a split of a data set), and measures accuracy (`accuracy`, `early-exit`) and speed (`host`, `train`) on this
//! machine.

pub mod accuracy;
mod committed;
pub mod device;
pub mod early_exit;
pub mod host;
mod measure;
pub mod splits;
pub mod train;
mod workload;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::repo;

/// Creates the folder `target/NAME` for the files of a benchmark and returns its path.
fn folder(name: &str) -> Result<PathBuf> {
    let folder = repo::root().join("target").join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// Returns the median: the middle value, or the mean of the two in the middle.
///
/// # Panics
///
/// Panics if `values` is empty.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2] + values[(values.len() - 1) / 2]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value_or_the_mean_of_two() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
