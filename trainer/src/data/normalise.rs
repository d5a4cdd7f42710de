//! Normalising numbers, and what is read in place of missing ones.

use crate::float_model::Channel;

/// The mean and the standard deviation of each channel over the numbers of `rows` that are known.
///
/// rows: `[rows][names]`. A channel without a known number has mean 0, one of equal numbers the standard deviation 1.
pub fn learn<'a>(names: &[String], rows: impl Iterator<Item = &'a Vec<f32>> + Clone) -> Vec<Channel> {
    let channel = |(index, name): (usize, &String)| {
        let known = rows.clone().map(|row| f64::from(row[index])).filter(|number| !number.is_nan());
        let (count, sum) = known.clone().fold((0usize, 0.0), |(count, sum), number| (count + 1, sum + number));
        let mean = sum / count.max(1) as f64;
        let square: f64 = known.map(|number| (number - mean).powi(2)).sum();
        let std = (square / count.max(1) as f64).sqrt() as f32;
        Channel { name: name.clone(), mean: mean as f32, std: if std > 0.0 && std.is_finite() { std } else { 1.0 } }
    };
    names.iter().enumerate().map(channel).collect()
}

/// Normalised rows, a missing number replaced by the last one of its channel before it, or by the mean where there is
/// none: `[rows][channels]`.
pub fn normalise<'a>(channels: &[Channel], rows: impl Iterator<Item = &'a Vec<f32>>) -> Vec<Vec<f32>> {
    let mut last = vec![0.0; channels.len()];
    let row = |row: &Vec<f32>| {
        for ((last, channel), &number) in last.iter_mut().zip(channels).zip(row) {
            if !number.is_nan() {
                *last = (number - channel.mean) / channel.std;
            }
        }
        last.clone()
    };
    rows.map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_numbers_weigh_nothing_and_the_last_one_stands_for_them() {
        let nan = f32::NAN;
        let rows = [vec![nan, 5.0], vec![1.0, 5.0], vec![nan, 5.0], vec![3.0, nan]];
        let names = ["a".to_owned(), "b".to_owned()];
        let channels = learn(&names, rows.iter());
        assert_eq!((channels[0].mean, channels[0].std), (2.0, 1.0));
        assert_eq!((channels[1].mean, channels[1].std), (5.0, 1.0));
        let normal = normalise(&channels, rows.iter());
        assert_eq!(normal, [[0.0, 0.0], [-1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]]);
    }
}
