//! How a device reads and writes the numbers of the outside.

use crate::float_model::Channel;

/// A standard deviation is 2^12 to 2^13 of a channel's integers where these need a point for it: finer than what the network reads.
const BITS: i32 = 12;

/// Multiplication by a real number: `(v · multiplier + 2^(shift−1)) >> shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// 2^29 … 2^30
    pub multiplier: i32,
    /// 1 … 46
    pub shift: i32,
}

/// A channel's integers, each of which stands for itself divided by 2^point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaling {
    /// 0 … 30
    pub point: i32,
    /// The channel's mean.
    pub offset: i32,
    /// From an integer less `offset` to `x`, Q15 of the input's scale.
    pub read: Ratio,
    /// From an output, Q16 of standard deviations, to integers.
    pub write: Ratio,
}

/// A channel whose numbers the device's integers cannot hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "channel {name:?} has mean {mean} and standard deviation {std}, expected numbers that 32 bits can tell apart; subtract a \
     constant from the column or scale it, and train again"
)]
pub struct BadChannel {
    /// Its name.
    pub name: String,
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation.
    pub std: f64,
}

impl Ratio {
    /// The nearest to `ratio`; none where it is not within 2^−17 … 2^28.
    fn of(ratio: f64) -> Option<Self> {
        let shift = 29 - ratio.log2().floor() as i32;
        let multiplier = (ratio * 2f64.powi(shift)).round() as i32;
        (1..=46).contains(&shift).then_some(Ratio { multiplier, shift })
    }
}

/// How a channel is read and written. `scale`: the real value of `x` = 2^15, in standard deviations.
///
/// Numbers that are large are read as they are, point 0; small ones get as many binary places as their standard deviation asks for.
///
/// # Errors
///
/// See [`BadChannel`].
pub fn channel(channel: &Channel, scale: f64) -> Result<Scaling, BadChannel> {
    let (mean, std) = (channel.mean, channel.std);
    // What lies far out must fit 32 bits, too.
    let fits = |point: &i32| (mean.abs() + 64.0 * std) * 2f64.powi(*point) < 2f64.powi(31);
    let wanted = (BITS - std.log2().floor() as i32).clamp(0, 30);
    let scaling = (0..=wanted).rev().find(fits).and_then(|point| {
        let integers = std * 2f64.powi(point);
        Some(Scaling {
            point,
            offset: (mean * 2f64.powi(point)).round() as i32,
            read: Ratio::of(32_768.0 / (integers * scale))?,
            write: Ratio::of(integers / 65_536.0)?,
        })
    });
    let bad = || BadChannel { name: channel.name.clone(), mean: channel.mean, std: channel.std };
    // Fewer than 16 steps in a standard deviation say too little.
    scaling.filter(|scaling| std * 2f64.powi(scaling.point) >= 16.0).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(mean: f64, std: f64) -> Result<Scaling, BadChannel> {
        channel(&Channel { name: "a".to_owned(), mean, std }, 4.0)
    }

    #[test]
    fn numbers_come_back() {
        for (mean, std, point) in
            [(0.0, 1.0, 12), (260.6, 105.9, 6), (2e4, 9e3, 0), (-0.09, 0.43, 14), (1e6, 3.0, 11), (3e6, 1e6, 0)]
        {
            let scaling = of(mean, std).unwrap();
            assert_eq!(scaling.point, point, "{mean}, {std}");
            for sigmas in [-3.0, 0.0, 0.7, 2.5] {
                let integer = ((mean + sigmas * std) * 2f64.powi(point)).round();
                let scale = |v: f64, ratio: Ratio| v * f64::from(ratio.multiplier) / 2f64.powi(ratio.shift);
                let x = scale(integer - f64::from(scaling.offset), scaling.read);
                let unit = 32_768.0 / 4.0 / (std * 2f64.powi(point));
                assert!((x - sigmas * 32_768.0 / 4.0).abs() <= unit.max(1.0) * 1.001, "{mean}, {std}: {sigmas} is {x}");
                let written = f64::from(scaling.offset) + scale(sigmas * 65_536.0, scaling.write);
                assert!((written - integer).abs() <= 1.001, "{mean}, {std}: {written} for {integer}");
            }
        }
    }

    #[test]
    fn numbers_that_integers_cannot_tell_apart_are_refused() {
        for (mean, std) in [(1e9, 1.0), (1e12, 1e3), (0.0, 1e-12), (0.0, 1e9)] {
            let message = of(mean, std).unwrap_err().to_string();
            assert!(message.contains("channel \"a\""), "{message}");
        }
    }
}
