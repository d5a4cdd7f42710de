//! The figures of a classifier that can refuse to answer.

use crate::float_model::Config;
use serde::Serialize;

/// The numbers of labelled rows that a classifier refuses and answers. A row is out of scope if it has the label of
/// texts to refuse (the recipe's `refuse_label`), and in scope otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RefusalFigures {
    /// The lowest probability with which the model answers.
    pub probability: f64,
    /// The label of out-of-scope rows; `None` if the model was trained without `refuse_label`.
    pub label: Option<String>,
    /// The number of rows in scope.
    pub in_scope: usize,
    /// The number of rows in scope that are refused.
    pub in_scope_refused: usize,
    /// `in_scope_refused` over `in_scope`; 0 if there are no such rows.
    pub in_scope_refused_share: f64,
    /// The number of rows out of scope.
    pub out_of_scope: usize,
    /// The number of rows out of scope that are refused.
    pub out_of_scope_refused: usize,
    /// `out_of_scope_refused` over `out_of_scope`; 0 if there are no such rows.
    pub out_of_scope_refused_share: f64,
    /// The number of rows that are answered.
    pub answered: usize,
    /// The share of the answered rows whose label is predicted correctly; 0 if no row is answered.
    pub answered_accuracy: f64,
}

impl RefusalFigures {
    /// Returns the figures of a model with the configuration `config`; `None` if the model always answers. `rows`: the
    /// label and the predicted label of each row, and true if the model refuses to answer.
    pub fn new(config: &Config, rows: impl Iterator<Item = (usize, usize, bool)>) -> Option<Self> {
        let refusal = config.refusal.as_ref()?;
        let class_to_refuse = refusal.class(&config.labels);
        let (mut in_scope, mut in_scope_refused, mut out_of_scope, mut out_of_scope_refused) = (0, 0, 0, 0);
        let (mut answered, mut correct) = (0, 0);
        for (label, predicted, is_refused) in rows {
            if Some(label) == class_to_refuse {
                out_of_scope += 1;
                out_of_scope_refused += usize::from(is_refused);
            } else {
                in_scope += 1;
                in_scope_refused += usize::from(is_refused);
            }
            if !is_refused {
                answered += 1;
                correct += usize::from(label == predicted);
            }
        }
        let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        Some(RefusalFigures {
            probability: refusal.probability(),
            label: refusal.label.clone(),
            in_scope,
            in_scope_refused,
            in_scope_refused_share: share(in_scope_refused, in_scope),
            out_of_scope,
            out_of_scope_refused,
            out_of_scope_refused_share: share(out_of_scope_refused, out_of_scope),
            answered,
            answered_accuracy: share(correct, answered),
        })
    }

    /// The width of the column of names for [`lines`](Self::lines): the longest name, "answered", and a space.
    pub const NAME_WIDTH: usize = 9;

    /// Returns the figures as lines of text. `width`: the width of the column of names.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let other_reason = self.label.as_ref().map_or(String::new(), |label| format!(", or {label:?} is predicted"));
        let mut lines = vec![format!(
            "{:width$}{} of {} rows ({}): no label reaches {}{other_reason}",
            "refused",
            self.in_scope_refused,
            self.in_scope,
            percent(self.in_scope_refused_share),
            percent(self.probability)
        )];
        if let Some(label) = &self.label {
            lines.push(format!(
                "{:width$}{} of {} rows of {label:?} ({})",
                "",
                self.out_of_scope_refused,
                self.out_of_scope,
                percent(self.out_of_scope_refused_share)
            ));
        }
        lines.push(format!("{:width$}{} rows, accuracy {:.4}", "answered", self.answered, self.answered_accuracy));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float_model::Refusal;

    #[test]
    fn rows_are_counted_by_scope() {
        let mut config = crate::float_model::tests::model().config().clone();
        config.labels = ["a", "b", "other"].map(str::to_owned).into();
        let rows = || [(0, 0, false), (0, 1, false), (1, 1, true), (2, 2, true), (2, 0, false)].into_iter();
        assert_eq!(RefusalFigures::new(&config, rows()), None);
        config.refusal = Some(Refusal { share: 0.5, below: 1 << 15, label: Some("other".to_owned()) });
        let found = RefusalFigures::new(&config, rows()).unwrap();
        assert_eq!((found.in_scope, found.in_scope_refused), (3, 1));
        assert_eq!((found.out_of_scope, found.out_of_scope_refused_share), (2, 0.5));
        assert_eq!((found.answered, found.probability), (3, 0.5));
        assert!((found.answered_accuracy - 1.0 / 3.0).abs() < 1e-12);
        let lines = found.lines(RefusalFigures::NAME_WIDTH);
        assert!(lines[0].ends_with("no label reaches 50.0 %, or \"other\" is predicted"), "{lines:?}");
        config.refusal = Some(Refusal { share: 0.5, below: 1 << 15, label: None });
        let found = RefusalFigures::new(&config, rows()).unwrap();
        assert_eq!((found.in_scope, found.in_scope_refused, found.out_of_scope), (5, 2, 0));
        assert_eq!(found.lines(RefusalFigures::NAME_WIDTH).len(), 2);
    }
}
