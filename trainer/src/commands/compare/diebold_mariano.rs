//! The test of Diebold and Mariano: whether two models differ, from the differences of their losses.
//!
//! "Comparing Predictive Accuracy", Diebold and Mariano 1995: the mean difference over its standard error is normally distributed where both
//! are equally good and there are many differences. Neighbours are not independent, words of one sentence no more than overlapping
//! windows: the variance of the mean is that of Newey and West 1987 ("A simple, positive semi-definite, heteroskedasticity and
//! autocorrelation consistent covariance matrix"), with as many lags as Newey and West 1994 take for Bartlett's kernel, or more where
//! forecasts overlap further.

use serde::Serialize;

/// The fewest differences by which the normal distribution is near.
pub const LEAST: usize = 30;

/// The test's figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DieboldMariano {
    /// Differences up to so far from each other are taken to hang together.
    pub lags: usize,
    /// The standard error of the mean difference.
    pub standard_error: f64,
    /// The mean over that.
    pub statistic: f64,
    /// The probability that equally good models differ at least so much.
    pub p: f64,
}

impl DieboldMariano {
    /// Tests differences in the order of time. overlap: how far apart two of them may be and yet speak of the same numbers.
    /// `None` of fewer than [`LEAST`], and where all are equal.
    pub fn new(differences: &[f64], overlap: usize) -> Option<Self> {
        let n = differences.len();
        if n < LEAST {
            return None;
        }
        let rule = (4.0 * (n as f64 / 100.0).powf(2.0 / 9.0)) as usize;
        let lags = rule.max(overlap).min(n - 1);
        let mean = differences.iter().sum::<f64>() / n as f64;
        let centred: Vec<f64> = differences.iter().map(|difference| difference - mean).collect();
        let covariance = |lag: usize| centred[lag..].iter().zip(&centred).map(|(a, b)| a * b).sum::<f64>() / n as f64;
        let bartlett = |lag: usize| 1.0 - lag as f64 / (lags + 1) as f64;
        let variance = covariance(0) + 2.0 * (1..=lags).map(|lag| bartlett(lag) * covariance(lag)).sum::<f64>();
        let standard_error = (variance / n as f64).sqrt();
        let statistic = mean / standard_error;
        statistic.is_finite().then(|| DieboldMariano {
            lags,
            standard_error,
            statistic,
            p: libm::erfc(statistic.abs() / std::f64::consts::SQRT_2),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `trainer/src/commands/compare/make_losses.py`, which its first line names.
    const GOLDEN: &str = include_str!("diebold_mariano.csv");

    #[test]
    fn as_statsmodels() {
        let mut rows = 0;
        for line in GOLDEN.lines().skip(2) {
            let fields: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
            let [n, overlap, lags, standard_error, statistic, p] = fields[..] else { panic!("{line}") };
            // The same numbers as there: a recurrence of integers, made dependent on their neighbours.
            let (mut x, mut last) = (12_345_u64, 0.0);
            let differences: Vec<f64> = (0..n as usize)
                .map(|_| {
                    x = (x * 1_103_515_245 + 12_345) % (1 << 31);
                    last = 0.6 * last + x as f64 / f64::from(1u32 << 31) - 0.45;
                    last
                })
                .collect();
            let found = DieboldMariano::new(&differences, overlap as usize).unwrap();
            let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-9 * expected.abs();
            assert_eq!(found.lags, lags as usize, "{line}");
            assert!(close(found.standard_error, standard_error), "{line}: {found:?}");
            assert!(close(found.statistic, statistic) && close(found.p, p), "{line}: {found:?}");
            rows += 1;
        }
        assert!(rows >= 8, "{rows}");
    }

    #[test]
    fn little_and_equal_losses_test_nothing() {
        assert_eq!(DieboldMariano::new(&[0.0; 100], 0), None);
        assert_eq!(DieboldMariano::new(&(0..29).map(f64::from).collect::<Vec<_>>(), 0), None);
        assert!(DieboldMariano::new(&(0..30).map(f64::from).collect::<Vec<_>>(), 50).is_some());
    }
}
