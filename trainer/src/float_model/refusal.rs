//! The rule by which a classifier refuses to answer.

use crate::logits::Logits;
use serde::{Deserialize, Serialize};

/// The rule by which a classifier refuses to answer: `docs/arithmetic.md`, "Refusal".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The largest share of the validation rows that the model may refuse, to which `below` was fitted. 0 for a device
    /// file, which does not store it.
    #[serde(default)]
    pub share: f64,
    /// The lowest probability of the most probable label with which the model answers, times 2^16: 1 to 65,536.
    pub below: u32,
    /// The label that stands for "none of the other labels". Predicting it is a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Refusal {
    /// The probability 1 as an integer.
    pub const ONE: u32 = 1 << 16;

    /// Returns the rule with the highest threshold with which at most `share` of the rows are refused. If `label` is
    /// predicted for more rows than that, the threshold refuses no others. Rows whose own label is `label` do not
    /// count. `None` without rows of other labels, or if `label` is predicted for all of them.
    ///
    /// `share`: 0 or more, below 1. `rows`: the label of each validation row, as an index of `labels`, and its logits.
    pub fn fit(
        share: f64,
        label: Option<&String>,
        labels: &[String],
        rows: impl Iterator<Item = (usize, Logits)>,
    ) -> Option<Self> {
        let refusal = Refusal { share, below: 1, label: label.cloned() };
        let refused_class = refusal.class(labels);
        let mut counted_rows = 0usize;
        let mut refused_by_label = 0;
        // The probabilities of the other rows, times 2^16.
        let mut probabilities: Vec<f64> = Vec::new();
        for (_, logits) in rows.filter(|&(row_label, _)| Some(row_label) != refused_class) {
            counted_rows += 1;
            if Some(logits.label()) == refused_class {
                refused_by_label += 1;
            } else {
                probabilities.push(scaled_probability(&logits));
            }
        }
        probabilities.sort_by(f64::total_cmp);
        let allowed_refusals = (share * counted_rows as f64) as usize;
        let refused_by_threshold = allowed_refusals.saturating_sub(refused_by_label);
        // The rows with lower probabilities than this one may be refused. It is rounded down, so that the row itself is
        // answered.
        let lowest_answered = *probabilities.get(refused_by_threshold)?;
        Some(Refusal { below: (lowest_answered as u32).clamp(1, Refusal::ONE), ..refusal })
    }

    /// The lowest probability with which the model answers, 0 to 1.
    pub fn probability(&self) -> f64 {
        f64::from(self.below) / f64::from(Refusal::ONE)
    }

    /// The index of [`label`](Self::label) in `labels`; `None` if the rule has no label or `labels` lacks it.
    pub fn class(&self, labels: &[String]) -> Option<usize> {
        let label = self.label.as_ref()?;
        labels.iter().position(|known| known == label)
    }

    /// Returns true if a model with these labels refuses to answer an input for which it computes these logits.
    pub fn applies(&self, labels: &[String], logits: &Logits) -> bool {
        scaled_probability(logits) < f64::from(self.below) || self.class(labels) == Some(logits.label())
    }
}

/// Returns the probability of the most probable label times 2^16. For logits of a device file this is the integer that
/// the device computes.
fn scaled_probability(logits: &Logits) -> f64 {
    let label = logits.label();
    match logits {
        Logits::Integer { values, .. } => f64::from(tern_runtime::softmax(values, label)),
        Logits::Float(_) => logits.log_probabilities()[label].exp() * f64::from(Refusal::ONE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [&str; 3] = ["a", "b", "other"];

    fn labels() -> Vec<String> {
        LABELS.map(str::to_owned).into()
    }

    /// A row with a label, and logits of which the label `predicted` has the probability `probability`.
    fn row(label: usize, predicted: usize, probability: f64) -> (usize, Logits) {
        let others = ((1.0 - probability) / 2.0).ln() as f32;
        let mut logits = vec![others; 3];
        logits[predicted] = probability.ln() as f32;
        (label, Logits::Float(logits))
    }

    /// The number of refused rows of each kind: those of other labels, and those of the refused label.
    fn refused(rows: &[(usize, Logits)], refusal: &Refusal) -> [usize; 2] {
        let count = |is_class: bool| {
            let kind = rows.iter().filter(|row| (Some(row.0) == refusal.class(&labels())) == is_class);
            kind.filter(|(_, logits)| refusal.applies(&labels(), logits)).count()
        };
        [count(false), count(true)]
    }

    fn fit(rows: &[(usize, Logits)], share: f64, label: Option<&str>) -> Option<Refusal> {
        Refusal::fit(share, label.map(str::to_owned).as_ref(), &labels(), rows.iter().cloned())
    }

    #[test]
    fn the_share_of_refused_rows_is_kept() {
        // Ten rows of the labels `a` and `b`, and four of `other`, of which one is predicted.
        let mut rows: Vec<_> = (0..10).map(|n| row(n % 2, 0, 0.5 + 0.049 * n as f64)).collect();
        rows.extend([row(2, 2, 0.9), row(2, 0, 0.4), row(2, 0, 0.45), row(2, 1, 0.99)]);
        for share in [0.0, 0.05, 0.1, 0.2, 0.35, 0.9] {
            let refusal = fit(&rows, share, Some("other")).unwrap();
            let [in_scope, others] = refused(&rows, &refusal);
            assert_eq!(in_scope, (10.0 * share) as usize, "{share}: {refusal:?}");
            assert!(others >= 3, "{share}: {others}");
        }
        // A row whose prediction is a refusal counts.
        rows.push(row(1, 2, 0.4));
        assert_eq!(refused(&rows, &fit(&rows, 0.1, Some("other")).unwrap())[0], 1);
        // Without such a label, all rows count.
        assert_eq!(refused(&rows, &fit(&rows, 0.2, None).unwrap()), [3, 0]);
    }

    #[test]
    fn equal_probabilities_are_all_answered() {
        // Two logits with a difference of ln 3, as a device computes them.
        let rows: Vec<_> =
            (0..20).map(|_| (0, Logits::Integer { values: vec![72_000, 0], scale: 1.0 / 65_536.0 })).collect();
        let refusal = fit(&rows, 0.5, None).unwrap();
        assert!(refusal.below.abs_diff(49_152) < 10, "{refusal:?}");
        assert_eq!(refused(&rows, &refusal), [0, 0]);
        let above = Refusal { below: refusal.below + 1, ..refusal };
        assert_eq!(refused(&rows, &above), [20, 0]);
        assert_eq!(fit(&[], 0.5, None), None);
        assert_eq!(fit(&[row(2, 2, 0.5)], 0.5, Some("other")), None);
    }
}
