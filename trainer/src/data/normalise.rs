//! Normalises the numbers of a table to mean 0 and standard deviation 1, and fills in missing ones.

use serde::{Deserialize, Serialize};

/// A column of numbers that a network reads, with the constants of its normalisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// The name of the column.
    pub name: String,
    /// The mean over the training rows.
    pub mean: f64,
    /// The standard deviation over the training rows, or 1 if they do not vary.
    pub std: f64,
}

impl Channel {
    /// Returns the number that the network reads: (number - mean) / std. The difference is computed in f64, because f32
    /// would lose most of its digits if the mean is large.
    pub fn normalise(&self, number: f64) -> f32 {
        ((number - self.mean) / self.std) as f32
    }

    /// Returns the inverse of [`normalise`](Self::normalise): mean + std · number.
    pub fn denormalise(&self, number: f64) -> f64 {
        self.mean + self.std * number
    }
}

/// Computes the mean and the standard deviation of each channel over the known numbers of `rows`, `[rows][names]`, in
/// which NaN is a missing number.
///
/// A channel without a known number gets mean 0; one without variation gets standard deviation 1.
pub fn fit<'a>(names: &[String], rows: impl Iterator<Item = &'a Vec<f64>> + Clone) -> Vec<Channel> {
    let channel = |(index, name): (usize, &String)| {
        let known = rows.clone().map(|row| row[index]).filter(|number| !number.is_nan());
        let (count, sum) = known.clone().fold((0usize, 0.0), |(count, sum), number| (count + 1, sum + number));
        let mean = sum / count.max(1) as f64;
        let squares: f64 = known.map(|number| (number - mean).powi(2)).sum();
        let deviation = (squares / count.max(1) as f64).sqrt();
        let std = if deviation > 0.0 && deviation.is_finite() { deviation } else { 1.0 };
        Channel { name: name.clone(), mean: rounded(mean), std: rounded(std) }
    };
    names.iter().enumerate().map(channel).collect()
}

/// Rounds to 14 significant digits, so that the number read back from config.json is exactly the one written;
/// serde_json may change the last bit of a number with more digits.
fn rounded(number: f64) -> f64 {
    format!("{number:.13e}").parse().unwrap_or(number)
}

/// Normalises rows, `[rows][channels]`. A missing number (NaN) is replaced by the last known number of its channel, or
/// by the mean if there is none before it.
pub fn normalise<'a>(channels: &[Channel], rows: impl Iterator<Item = &'a Vec<f64>>) -> Vec<Vec<f32>> {
    // The last known number of each channel, normalised; before the first one 0, the normalised mean.
    let mut last_known = vec![0.0; channels.len()];
    let mut normalised = Vec::new();
    for row in rows {
        for ((last, channel), &number) in last_known.iter_mut().zip(channels).zip(row) {
            if !number.is_nan() {
                *last = channel.normalise(number);
            }
        }
        normalised.push(last_known.clone());
    }
    normalised
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_numbers_are_ignored_and_replaced_by_the_last_one() {
        let nan = f64::NAN;
        let rows = [vec![nan, 5.0], vec![1.0, 5.0], vec![nan, 5.0], vec![3.0, nan]];
        let names = ["a".to_owned(), "b".to_owned()];
        let channels = fit(&names, rows.iter());
        assert_eq!((channels[0].mean, channels[0].std), (2.0, 1.0));
        assert_eq!((channels[1].mean, channels[1].std), (5.0, 1.0));
        let normal = normalise(&channels, rows.iter());
        assert_eq!(normal, [[0.0, 0.0], [-1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]);
    }

    #[test]
    fn a_large_offset_costs_no_digits() {
        let rows: Vec<Vec<f64>> = (0..700).map(|i| vec![1e9 + f64::from(i % 7)]).collect();
        let channels = fit(&["when".to_owned()], rows.iter());
        assert_eq!((channels[0].mean, channels[0].std), (1e9 + 3.0, 2.0));
        assert_eq!(normalise(&channels, rows.iter()).concat()[..7], [-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5]);
        assert_eq!(channels[0].denormalise(1.5), 1e9 + 6.0);
    }
}
