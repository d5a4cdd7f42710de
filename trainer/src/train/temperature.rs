//! Temperature scaling: a classifier's logits are divided by one number, so that its probabilities are calibrated ("On
//! Calibration of Modern Neural Networks", Guo et al. 2017).

use crate::metrics::log_softmax;

/// The smallest and the largest temperature that is tried.
const RANGE: [f64; 2] = [1.0 / 16.0, 16.0];
/// The number of bisections of `RANGE`, after which the relative error of the temperature is below 1e-8.
const BISECTIONS: usize = 30;

/// Returns the temperature from 1/16 to 16 with the smallest loss on `rows`, the label and the logits of each
/// validation row; 1 without rows.
///
/// The loss is the cross-entropy with a label smoothing of 1 / (rows + 1). Without the smoothing, the temperature of a
/// model that predicts every label correctly would tend to 0.
pub fn fit_temperature(rows: &[(usize, Vec<f32>)]) -> f64 {
    let smoothing = 1.0 / (rows.len() as f64 + 1.0);
    if rows.is_empty() {
        return 1.0;
    }
    let [mut low, mut high] = RANGE;
    for _ in 0..BISECTIONS {
        let middle = (low * high).sqrt();
        let slope: f64 = rows.iter().map(|(label, logits)| row_slope(logits, *label, 1.0 / middle, smoothing)).sum();
        // If the loss falls towards larger inverses, the best temperature is smaller than `middle`.
        if slope < 0.0 {
            high = middle;
        } else {
            low = middle;
        }
    }
    (low * high).sqrt()
}

/// Returns the derivative of the loss of one row with respect to the inverse of the temperature, at `inverse`. The loss
/// is convex in the inverse.
fn row_slope(logits: &[f32], label: usize, inverse: f64, smoothing: f64) -> f64 {
    let logs = log_softmax(logits.iter().map(|&logit| inverse * f64::from(logit)));
    // The mean of the logits weighted by the predicted probabilities, and their plain mean.
    let expected: f64 = logs.iter().zip(logits).map(|(log, &logit)| log.exp() * f64::from(logit)).sum();
    let mean = logits.iter().copied().map(f64::from).sum::<f64>() / logits.len() as f64;
    expected - (1.0 - smoothing) * f64::from(logits[label]) - smoothing * mean
}

/// Divides logits, or the weights of the layer that computes them, by a temperature.
pub fn divide(numbers: &mut [f32], temperature: f64) {
    for number in numbers {
        *number = (f64::from(*number) / temperature) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loss that [`fit_temperature`] minimises.
    fn loss(rows: &[(usize, Vec<f32>)], temperature: f64) -> f64 {
        let smoothing = 1.0 / (rows.len() as f64 + 1.0);
        let row_loss = |(label, logits): &(usize, Vec<f32>)| {
            let logs = log_softmax(logits.iter().map(|&logit| f64::from(logit) / temperature));
            -(1.0 - smoothing) * logs[*label] - smoothing * logs.iter().sum::<f64>() / logs.len() as f64
        };
        rows.iter().map(row_loss).sum()
    }

    /// Rows of three labels with the logits `[confidence, 0, -1]`. The label of row 0 and of every `period`-th row
    /// after it is the second one, so the prediction is wrong; that of the others is the first.
    fn rows(confidence: f32, count: usize, period: usize) -> Vec<(usize, Vec<f32>)> {
        (0..count).map(|row| (usize::from(row % period == 0), vec![confidence, 0.0, -1.0])).collect()
    }

    #[test]
    fn the_temperature_has_the_smallest_loss() {
        for (rows, is_above_1) in [(rows(6.0, 100, 5), true), (rows(0.2, 100, 5), false)] {
            let temperature = fit_temperature(&rows);
            assert_eq!(temperature > 1.0, is_above_1, "{temperature}");
            for other in [0.5, 0.9, 0.99, 1.01, 1.1, 2.0] {
                assert!(loss(&rows, temperature) <= loss(&rows, other * temperature), "{temperature}, {other}");
            }
        }
    }

    #[test]
    fn the_scale_of_the_logits_cancels_out() {
        let scaled = |factor: f32| -> f64 {
            let mut rows = rows(3.0, 60, 4);
            rows.iter_mut().flat_map(|(_, logits)| logits).for_each(|logit| *logit *= factor);
            fit_temperature(&rows) / f64::from(factor)
        };
        assert!((scaled(1.0) - scaled(4.0)).abs() < 1e-5);
    }

    #[test]
    fn correct_rows_alone_do_not_make_the_model_certain() {
        // Only row 0 is predicted wrongly; it is removed.
        let rows = rows(2.0, 99, usize::MAX).split_off(1);
        let mut logits = rows[0].1.clone();
        divide(&mut logits, fit_temperature(&rows));
        let probability = log_softmax(logits.iter().map(|&logit| f64::from(logit)))[0].exp();
        assert!((0.98..0.999).contains(&probability), "{probability}");
        assert_eq!(fit_temperature(&[]), 1.0);
    }
}
