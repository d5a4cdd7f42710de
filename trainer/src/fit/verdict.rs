//! Says in words how good the result of a search is.

use super::learning_curve::Point;
use super::trials::Trial;
use crate::recipe::SMALL_DATA;

/// The gain of accuracy between the last two points of the learning curve above which more rows are advised: one
/// percentage point.
const CLEAR_GAIN: f64 = 0.01;

/// Returns sentences that judge the accuracy of the best candidate.
///
/// - `interval`: the 95 % interval of the accuracy. A difference counts if it exceeds half of the interval's width.
/// - `linear`: the accuracy of the baseline, a linear model on n-grams; `None` if it was not trained.
/// - `ngrams_alone`: the best trial of an n-gram branch without recurrent layers; `None` if there is none, or if it is
///   the best candidate.
/// - `curve`: the learning curve by increasing number of training rows; empty if it was not measured.
pub fn verdict(
    accuracy: f64,
    interval: [f64; 2],
    linear: Option<f64>,
    ngrams_alone: Option<&Trial>,
    curve: &[Point],
) -> Vec<String> {
    let mut sentences = Vec::new();
    let half_width = (interval[1] - interval[0]) / 2.0;
    if let Some(linear) = linear {
        let accuracies = format!("{accuracy:.4} against {linear:.4}");
        sentences.push(if accuracy > linear + half_width {
            format!("better than a linear model on n-grams: {accuracies}")
        } else if accuracy < linear - half_width {
            format!("worse than a linear model on n-grams ({accuracies}): allow more flash memory or more candidates")
        } else {
            format!("no clear difference from a linear model on n-grams: {accuracies}")
        });
    }
    if let Some(trial) = ngrams_alone {
        let figures = format!("{:.4} in {} bytes ({})", trial.accuracy, trial.measured.file_bytes, trial.network);
        sentences.push(if accuracy > trial.accuracy + half_width {
            format!("better than an n-gram branch alone: {figures}")
        } else if accuracy < trial.accuracy - half_width {
            format!("worse than an n-gram branch alone (--num-layers 0): {figures}")
        } else {
            format!("no clear difference from an n-gram branch alone, which may be enough (--num-layers 0): {figures}")
        });
    }
    // The sentence names both numbers of rows, since an interrupted training adds no point: `fewer` may have less than
    // half of the rows.
    if let [.., fewer, all] = curve {
        let points = 100.0 * (all.accuracy - fewer.accuracy);
        let gained = format!("from {} to {} rows the accuracy changed by {points:+.1} points", fewer.rows, all.rows);
        let advice = if all.accuracy > fewer.accuracy + CLEAR_GAIN {
            "more rows will help"
        } else {
            "more rows of the same kind will help little"
        };
        sentences.push(format!("{gained}: {advice}"));
    }
    if let Some(all) = curve.last().filter(|all| all.rows < SMALL_DATA) {
        sentences.push(format!(
            "warning: {} rows are few; on new data the accuracy may be anywhere from {:.2} to {:.2}",
            all.rows, interval[0], interval[1]
        ));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::super::measured::Measured;
    use super::*;

    #[test]
    fn a_result_is_judged_against_the_linear_model_and_by_its_rows() {
        let interval = [0.76, 0.84];
        for (linear, expected) in [(0.7, "better than"), (0.83, "no clear difference"), (0.9, "worse than")] {
            let sentences = verdict(0.8, interval, Some(linear), None, &[]);
            assert!(sentences.len() == 1 && sentences[0].starts_with(expected), "{sentences:?}");
        }
        let curve = |half, rows| [Point { rows: rows / 2, accuracy: half }, Point { rows, accuracy: 0.8 }];
        let sentences = verdict(0.8, interval, None, None, &curve(0.71, 60));
        assert_eq!(sentences[0], "from 30 to 60 rows the accuracy changed by +9.0 points: more rows will help");
        assert!(sentences[1].starts_with("warning: 60 rows are few"), "{sentences:?}");
        let sentences = verdict(0.8, interval, None, None, &curve(0.805, 6_000));
        assert!(sentences.len() == 1 && sentences[0].ends_with("will help little"), "{sentences:?}");
        for (alone, expected) in [
            (0.7, "better than an n-gram branch alone: 0.7000 in 900 bytes"),
            (0.79, "no clear difference"),
            (0.9, "worse than an n-gram branch alone"),
        ] {
            let measured = Measured { file_bytes: 900, ..Measured::default() };
            let trial = Trial { accuracy: alone, measured, ..Trial::default() };
            let sentences = verdict(0.8, interval, None, Some(&trial), &[]);
            assert!(sentences.len() == 1 && sentences[0].starts_with(expected), "{sentences:?}");
        }
    }
}
