//! Fixed-point scaling of the channels that a device reads and of the values that it forecasts.

use crate::float_model::Channel;

/// The bits of a standard deviation: one standard deviation of a channel is 2^12 to 2^13 integers, which is finer than
/// the network's input; fewer if the channel's numbers are large, or if 30 fractional bits are not enough.
const STD_BITS: i32 = 12;
/// The smallest number of integers in one standard deviation; fewer would be too coarse.
const LEAST_STD: f64 = 16.0;

/// A real factor in fixed point: it turns the integer v into `(v · multiplier + 2^(shift−1)) >> shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// An integer from 2^29 to 2^30.
    pub multiplier: i32,
    /// A shift from 1 to 46.
    pub shift: i32,
}

/// The fixed-point format of a channel: an integer v represents v / 2^fraction_bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaling {
    /// Number of fractional bits, 0 … 30.
    pub fraction_bits: i32,
    /// The channel's mean in this format.
    pub offset: i32,
    /// The factor that turns `integer - offset` into the input `x`, in Q15 times the input's scale.
    pub to_model: Factor,
    /// The factor that turns a forecast's output, in Q16 and standard deviations, into `integer - offset`.
    pub from_model: Factor,
}

/// The error for a channel whose numbers do not fit the device's integers.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "channel {name:?} has mean {mean} and standard deviation {std}, which 32-bit integers cannot represent finely enough; \
     subtract a constant from the column or scale it, and train again"
)]
pub struct BadChannel {
    /// Name of the channel.
    pub name: String,
    /// Mean of the channel.
    pub mean: f64,
    /// Standard deviation of the channel.
    pub std: f64,
}

impl Factor {
    /// Returns the factor that is nearest to `real`; `None` if `real` is below 2^−17, or 2^29 or larger.
    fn of(real: f64) -> Option<Self> {
        let shift = 29 - real.log2().floor() as i32;
        let multiplier = (real * 2f64.powi(shift)).round() as i32;
        (1..=46).contains(&shift).then_some(Factor { multiplier, shift })
    }
}

/// Chooses the fixed-point format of a channel. The smaller the standard deviation, the more fractional bits the format
/// has; for large numbers it has fewer, so that they fit 32 bits. `scale`: the real value of the integer 2^15 in the
/// input `x`, in standard deviations.
///
/// # Errors
///
/// [`BadChannel`] if one standard deviation would be fewer than 16 integers, or a factor does not fit the format.
pub fn channel(channel: &Channel, scale: f64) -> Result<Scaling, BadChannel> {
    let (mean, std) = (channel.mean, channel.std);
    // Numbers up to 64 standard deviations from the mean must fit 32 bits.
    let fits = |fraction_bits: &i32| (mean.abs() + 64.0 * std) * 2f64.powi(*fraction_bits) < 2f64.powi(31);
    let bad = || BadChannel { name: channel.name.clone(), mean, std };
    let wanted_bits = (STD_BITS - std.log2().floor() as i32).clamp(0, 30);
    let fraction_bits = (0..=wanted_bits).rev().find(fits).ok_or_else(bad)?;
    let integers_in_std = std * 2f64.powi(fraction_bits);
    if integers_in_std < LEAST_STD {
        return Err(bad());
    }
    Ok(Scaling {
        fraction_bits,
        offset: (mean * 2f64.powi(fraction_bits)).round() as i32,
        // The input is Q15 times `scale`, the output Q16; both are in standard deviations.
        to_model: Factor::of(32_768.0 / (integers_in_std * scale)).ok_or_else(bad)?,
        from_model: Factor::of(integers_in_std / 65_536.0).ok_or_else(bad)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(mean: f64, std: f64) -> Result<Scaling, BadChannel> {
        channel(&Channel { name: "a".to_owned(), mean, std }, 4.0)
    }

    #[test]
    fn numbers_survive_reading_and_writing() {
        for (mean, std, fraction_bits) in
            [(0.0, 1.0, 12), (260.6, 105.9, 6), (2e4, 9e3, 0), (-0.09, 0.43, 14), (1e6, 3.0, 11), (3e6, 1e6, 0)]
        {
            let scaling = of(mean, std).unwrap();
            assert_eq!(scaling.fraction_bits, fraction_bits, "{mean}, {std}");
            for sigmas in [-3.0, 0.0, 0.7, 2.5] {
                let integer = ((mean + sigmas * std) * 2f64.powi(fraction_bits)).round();
                let scale = |v: f64, by: Factor| v * f64::from(by.multiplier) / 2f64.powi(by.shift);
                let x = scale(integer - f64::from(scaling.offset), scaling.to_model);
                let step = 32_768.0 / 4.0 / (std * 2f64.powi(fraction_bits));
                assert!((x - sigmas * 32_768.0 / 4.0).abs() <= step.max(1.0) * 1.001, "{mean}, {std}: {sigmas} is {x}");
                let written = f64::from(scaling.offset) + scale(sigmas * 65_536.0, scaling.from_model);
                assert!((written - integer).abs() <= 1.001, "{mean}, {std}: {written} for {integer}");
            }
        }
    }

    #[test]
    fn channels_that_do_not_fit_32_bits_are_refused() {
        for (mean, std) in [(1e9, 1.0), (1e12, 1e3), (0.0, 1e-12), (0.0, 1e9)] {
            let message = of(mean, std).unwrap_err().to_string();
            assert!(message.contains("channel \"a\""), "{message}");
        }
    }
}
