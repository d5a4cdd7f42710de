//! McNemar's test of whether two models differ, from the numbers of examples that exactly one of them predicts
//! correctly.
//!
//! "Note on the sampling error of the difference between correlated proportions or percentages", McNemar 1947. If both
//! models are equally good, each such example favours either model with probability 1/2.

use serde::Serialize;

/// The figures of the test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct McNemar {
    /// The p of the two-sided exact binomial test: the probability that the counts of equally good models are at least
    /// as uneven.
    pub exact_p: f64,
    /// The statistic χ² = (|a - b| - 1)² / (a + b) with Edwards' continuity correction, where a and b are the two
    /// counts. `None` if both counts are 0.
    pub chi_square: Option<f64>,
    /// The probability that χ² with one degree of freedom is at least `chi_square`. `None` if both counts are 0.
    pub chi_square_p: Option<f64>,
}

impl McNemar {
    /// Computes the test from the number of examples that only A predicts correctly, and the number that only B does.
    pub fn new(only_a: usize, only_b: usize) -> Self {
        let discordant = only_a + only_b;
        let chi_square = (discordant > 0).then(|| {
            let difference = only_a.abs_diff(only_b) as f64 - 1.0;
            difference * difference / discordant as f64
        });
        McNemar {
            exact_p: binomial(only_a.min(only_b), discordant),
            chi_square,
            // The square root of χ² with one degree of freedom is the absolute value of a standard normal variable.
            chi_square_p: chi_square.map(|x| libm::erfc((x / 2.0).sqrt())),
        }
    }
}

/// Computes min(1, 2 P(X <= k)), where X is the number of heads in `n` throws of a fair coin and k <= n/2. The terms of
/// the sum are computed relative to the largest term, P(X = k), and added in descending order; the logarithm of the
/// largest term is added at the end. The relative error is below 1e-9 for the counts of the test `as_statsmodels`.
fn binomial(k: usize, n: usize) -> f64 {
    // P(X <= k) is at least 1/2, so twice that is at least 1.
    if 2 * k >= n {
        return 1.0;
    }
    let ln_choose: f64 = (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum();
    let ln_largest = ln_choose - n as f64 * std::f64::consts::LN_2;
    // The ratio of each term to the one before it is C(n, i - 1) / C(n, i) = i / (n - i + 1).
    let (mut term, mut sum) = (1.0, 1.0);
    for i in (1..=k).rev() {
        term *= i as f64 / (n - i + 1) as f64;
        sum += term;
        // All further terms are too small to change the sum.
        if term < sum * 1e-18 {
            break;
        }
    }
    (2.0 * (ln_largest + sum.ln()).exp()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures of statsmodels, made by `trainer/src/tasks/classification/make_mcnemar.py`.
    const GOLDEN: &str = include_str!("mcnemar.csv");

    #[test]
    fn as_statsmodels() {
        let mut rows = 0;
        for line in GOLDEN.lines().skip(2) {
            let fields: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
            let [a, b, exact_p, chi_square, chi_square_p] = fields[..] else { panic!("{line}") };
            let found = McNemar::new(a as usize, b as usize);
            let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-9 * expected.abs().max(1e-300);
            assert!(close(found.exact_p, exact_p), "{line}: {found:?}");
            assert!(close(found.chi_square.unwrap(), chi_square), "{line}: {found:?}");
            assert!(close(found.chi_square_p.unwrap(), chi_square_p), "{line}: {found:?}");
            rows += 1;
        }
        assert!(rows > 20, "{rows}");
    }

    #[test]
    fn equal_models_do_not_differ() {
        assert_eq!(McNemar::new(0, 0), McNemar { exact_p: 1.0, chi_square: None, chi_square_p: None });
        assert_eq!(McNemar::new(7, 7).exact_p, 1.0);
        assert_eq!(McNemar::new(3, 9), McNemar::new(9, 3));
    }
}
