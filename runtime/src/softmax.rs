//! Softmax in integers, for probabilities that are displayed or compared with a threshold.

use crate::invariant::Guaranteed;

/// The powers 2^(−j/64) in Q30, j = 0 … 64.
static POW2: [u32; 65] = include!("tables/pow2.in");

/// The number log2(e) in Q30.
const LOG2_E: u64 = 1_549_082_005;

/// Returns the softmax probability of one class, Q16, from the logits of all classes, Q16; 0 beyond the last class.
/// [`Logits::probability`](crate::Logits::probability) computes the same without a slice.
pub fn softmax(logits: &[i32], class: usize) -> u32 {
    match (logits.get(class), logits.iter().max()) {
        (Some(&logit), Some(&largest)) => probability(logit, largest, logits.iter().copied()),
        _ => 0,
    }
}

/// Computes exp(−d) as 2^(−d · log2(e)): d in Q16, result Q30. The error is at most 1.6e-5 (test `errors`).
pub(crate) fn exp_neg(d: u32) -> u32 {
    // d · log2(e) in Q22: the whole part from bit 22 up, then 6 bits of index into the table, then 16 bits of
    // interpolation between its entries.
    let y = (u64::from(d) * LOG2_E) >> 24;
    let (whole, index, fraction) = (y >> 22, (y >> 16 & 63) as usize, (y & 0xffff) as u32);
    // 2^−31 rounds down to 0 in Q30, and a right shift by 32 or more would overflow.
    if whole >= 31 {
        return 0;
    }
    let (from, to) = (POW2.get(index).copied().guaranteed(), POW2.get(index + 1).copied().guaranteed());
    let step = (u64::from(from.saturating_sub(to)) * u64::from(fraction)) >> 16;
    from.saturating_sub(step as u32) >> whole
}

/// Returns the softmax probability of the class with the logit `logit`, Q16. `logits`: all logits, Q16; `largest`: the
/// largest of them.
pub(crate) fn probability(logit: i32, largest: i32, logits: impl Iterator<Item = i32>) -> u32 {
    // The exponential of a logit relative to the largest one, Q30.
    let weight = |logit: i32| exp_neg(largest.abs_diff(logit));
    let sum: u64 = logits.map(|logit| u64::from(weight(logit))).sum();
    // The largest logit is among `logits`, so the sum is at least 2^30, the largest possible weight, and the quotient
    // at most 2^16. `max(1)` makes the loop of the division end even for other arguments.
    quotient((u64::from(weight(logit)) << 16) + sum / 2, sum.max(1))
}

/// Divides bit by bit and rounds down. The quotient must be at most 2^17 − 1, the divisor below 2^47 and not 0. The
/// function replaces the operator `/`, for which small cores link 900 bytes of code.
fn quotient(mut dividend: u64, divisor: u64) -> u32 {
    let (mut quotient, mut shifted_divisor) = (0, divisor << 16);
    while shifted_divisor >= divisor {
        quotient <<= 1;
        if dividend >= shifted_divisor {
            dividend -= shifted_divisor;
            quotient |= 1;
        }
        shifted_divisor >>= 1;
    }
    quotient
}

#[cfg(test)]
mod tests;
