//! The training objectives: losses and their gradients with respect to the outputs of a network.
//!
//! The outputs are a matrix. An objective with a target for every step, [`Objective::NextToken`], has a row for each
//! token of the batch, packed by time step (see [`packed`](crate::packed)); the others have a row for each sequence.

use crate::packed::PackedLayout;
use crate::sample::{NO_TOKEN, Sample, Target};

/// The loss of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Objective {
    /// Cross entropy of the label. The softmax of the outputs gives the probabilities of the labels; with a single
    /// output z, σ(z) is the probability of the second of two labels.
    Classes(Classes),
    /// Cross entropy of the next token after every step.
    NextToken,
    /// Mean squared error over the targets of a sequence. A target that is NaN contributes an error of 0.
    Values,
}

/// Settings of [`Objective::Classes`].
#[derive(Clone, Debug, PartialEq)]
pub struct Classes {
    /// Label smoothing: the part of the target probability that is spread equally over all labels, 0 to 1.
    pub smoothing: f64,
    /// For each label, the factor of the loss of its examples. The mean over the examples of the training set is 1.
    pub weights: Vec<f64>,
    /// The weight of the teachers' probabilities in the target, 0 to 1; the weight of the smoothed label is 1 −
    /// `teacher_weight`. Unused if the samples have no such probabilities; all samples of a batch have them, or none.
    pub teacher_weight: f64,
}

impl Classes {
    /// Returns settings with equal weights for all examples and without teachers.
    pub fn plain(labels: usize, smoothing: f64) -> Self {
        Classes { smoothing, weights: vec![1.0; labels], teacher_weight: 0.0 }
    }

    /// Returns settings with an equal total weight for each label that has examples, without teachers: the weight of an
    /// example is N / (labels with examples · examples of its label), as with scikit-learn's `class_weight="balanced"`.
    /// `counts`: the number of examples of each label.
    pub fn balanced(counts: &[usize], smoothing: f64) -> Self {
        let present = counts.iter().filter(|count| **count > 0).count();
        let total: usize = counts.iter().sum();
        let weight = |&count: &usize| if count == 0 { 0.0 } else { total as f64 / (present * count) as f64 };
        Classes { smoothing, weights: counts.iter().map(weight).collect(), teacher_weight: 0.0 }
    }
}

/// The targets of a batch, one for each row of the outputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Labels or tokens.
    Classes {
        /// The index of the label or the id of the token for each row; [`NO_TOKEN`] for a row without a target.
        labels: Vec<usize>,
        /// The probabilities that teacher models predict, `[rows, labels]`; empty without teachers.
        teacher: Vec<f32>,
    },
    /// Numbers, `[rows, width]`; a missing number is NaN.
    Values {
        /// The numbers in row-major order.
        values: Vec<f32>,
        /// Numbers per row.
        width: usize,
    },
}

/// The value in [`Targets::Classes`] for a row without a target.
const NO_CLASS: usize = NO_TOKEN as usize;

/// The loss of a batch and its gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// Sum of the losses of all rows that have a target.
    pub total: f64,
    /// Number of rows whose most probable class is the target; 0 for [`Objective::Values`].
    pub correct: usize,
    /// Gradient of `total` · `share` with respect to the outputs, for the `share` of [`Objective::loss`]: `[rows,
    /// outputs]`.
    pub gradient: Vec<f32>,
}

impl Objective {
    /// Returns true if every step has a target, false if each sequence has one.
    pub fn every_step(&self) -> bool {
        matches!(self, Objective::NextToken)
    }

    /// Returns true if the task has an accuracy, so that `Loss::correct` is meaningful.
    pub fn has_accuracy(&self) -> bool {
        !matches!(self, Objective::Values)
    }

    /// Returns the targets of `samples` in the order of the rows of the outputs. `samples`: one for each sequence of
    /// `layout`, in the order that the caller gave to [`PackedLayout::new`].
    ///
    /// # Panics
    /// Panics if a sample has a target of another task.
    pub fn targets(&self, samples: &[&Sample], layout: &PackedLayout) -> Targets {
        // The samples in the order of the rows, if there is a row for each sequence.
        let samples_of_rows = layout.order().iter().map(|&sequence| samples[sequence]);
        match self {
            Objective::Classes(_) => {
                let (mut labels, mut teacher) = (Vec::new(), Vec::new());
                for sample in samples_of_rows {
                    match sample.target {
                        Target::Class(label) => labels.push(label),
                        ref other => unreachable!("a classifier has labels as targets, not {other:?}"),
                    }
                    teacher.extend_from_slice(&sample.teacher);
                }
                Targets::Classes { labels, teacher }
            }
            Objective::NextToken => {
                let tokens: Vec<&[u32]> = samples
                    .iter()
                    .map(|sample| match &sample.target {
                        Target::Tokens(tokens) => tokens.as_slice(),
                        other => unreachable!("a language model has tokens as targets, not {other:?}"),
                    })
                    .collect();
                let labels = layout.pack(&tokens).into_iter().map(|token| token as usize).collect();
                Targets::Classes { labels, teacher: Vec::new() }
            }
            Objective::Values => {
                let rows: Vec<&[f32]> = samples_of_rows
                    .map(|sample| match &sample.target {
                        Target::Values(values) => values.as_slice(),
                        other => unreachable!("a forecast has numbers as targets, not {other:?}"),
                    })
                    .collect();
                Targets::Values { values: rows.concat(), width: rows.first().map_or(0, |row| row.len()) }
            }
        }
    }

    /// Computes the loss of `outputs`, `[rows, outputs]`. `share`: the factor of the gradient, 1 / number of targets
    /// for the gradient of the mean loss. A classifier with a single output per row is binary.
    ///
    /// # Panics
    /// Panics if `targets` are numbers and the objective needs labels or tokens, or the reverse.
    pub fn loss(&self, outputs: &[f32], targets: &Targets, share: f64) -> Loss {
        match (self, targets) {
            (Objective::Classes(classes), Targets::Classes { labels, teacher }) => {
                let has_single_output = outputs.len() == labels.len();
                let loss = if has_single_output { binary } else { cross_entropy };
                loss(outputs, labels, teacher, classes, share)
            }
            (Objective::NextToken, Targets::Classes { labels, .. }) => {
                cross_entropy(outputs, labels, &[], &Classes::plain(0, 0.0), share)
            }
            (Objective::Values, Targets::Values { values, width }) => squared(outputs, values, *width, share),
            (objective, _) => unreachable!("{objective:?} has targets of another kind"),
        }
    }
}

/// Computes the loss −w·Σ tₖ·ln softmax(z)ₖ of each row, whose gradient is w·(softmax(z) − t), for the outputs z of the
/// row and the weight w of its label.
///
/// The target t is (1 − a)·s + a·p with the smoothed label s, the probabilities p of `teacher` and the weight a of the
/// teachers; t is s if `teacher` is empty. s is ε/n for each of the n labels, plus 1 − ε for the label of the row, with
/// the smoothing ε.
fn cross_entropy(outputs: &[f32], labels: &[usize], teacher: &[f32], classes: &Classes, share: f64) -> Loss {
    // The number of outputs of a row. 1 for an empty batch, because a slice cannot be divided into chunks of 0 values.
    let width = if labels.is_empty() { 1 } else { (outputs.len() / labels.len()).max(1) };
    let teacher_weight = if teacher.is_empty() { 0.0 } else { classes.teacher_weight };
    // The target t is the sum of three parts: `spread` for every label, `label_share` for the label of the row, and the
    // teachers' part.
    let label_share = (1.0 - teacher_weight) * (1.0 - classes.smoothing);
    let spread = (1.0 - teacher_weight) * classes.smoothing / width as f64;
    let mut loss = Loss { total: 0.0, correct: 0, gradient: vec![0.0; outputs.len()] };
    let rows = outputs.chunks_exact(width).zip(loss.gradient.chunks_exact_mut(width));
    for (index, ((row, gradient), &label)) in rows.zip(labels).enumerate() {
        if label == NO_CLASS {
            continue;
        }
        // `f32::max` ignores NaN, but `sum` keeps it, so the loss is NaN, at which the training stops.
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // The gradient holds e^(z − max) until `sum` is known.
        let mut sum = 0.0f64;
        for (exponential, &z) in gradient.iter_mut().zip(row) {
            *exponential = (z - max).exp();
            sum += f64::from(*exponential);
        }
        // A language model has no weights: all are 1.
        let weight = classes.weights.get(label).copied().unwrap_or(1.0);
        // −Σ tₖ·ln softmax(z)ₖ = ln Σ e^zₖ − Σ tₖ·zₖ, because the targets of a row add up to 1.
        let mut row_loss = sum.ln() + f64::from(max) - label_share * f64::from(row[label]);
        if spread > 0.0 {
            row_loss -= spread * row.iter().map(|&z| f64::from(z)).sum::<f64>();
        }
        // The gradient is softmax(z) = e^(z − max) / sum minus the three parts of the target, times share · weight.
        let softmax_scale = (share * weight / sum) as f32;
        let spread_part = (share * weight * spread) as f32;
        for d_z in gradient.iter_mut() {
            *d_z = *d_z * softmax_scale - spread_part;
        }
        gradient[label] -= (share * weight * label_share) as f32;
        if teacher_weight > 0.0 {
            let probabilities = &teacher[index * width..][..width];
            let teacher_scale = (share * weight * teacher_weight) as f32;
            for ((d_z, &z), &probability) in gradient.iter_mut().zip(row).zip(probabilities) {
                row_loss -= teacher_weight * f64::from(probability) * f64::from(z);
                *d_z -= teacher_scale * probability;
            }
        }
        loss.total += weight * row_loss;
        loss.correct += usize::from(argmax(row) == label);
    }
    loss
}

/// Computes the loss w·(ln(1 + e^z) − t·z) of each row, whose gradient is w·(σ(z) − t), for the single output z of the
/// row. The labels are 0 and 1; t is the target probability of label 1, which is mixed as in [`cross_entropy`].
/// `teacher`: `[rows, 2]`, or empty.
fn binary(outputs: &[f32], labels: &[usize], teacher: &[f32], classes: &Classes, share: f64) -> Loss {
    let mut loss = Loss { total: 0.0, correct: 0, gradient: vec![0.0; outputs.len()] };
    for (index, ((&output, gradient), &label)) in outputs.iter().zip(&mut loss.gradient).zip(labels).enumerate() {
        let (z, weight) = (f64::from(output), classes.weights[label]);
        let mut target = (1.0 - classes.smoothing) * label as f64 + classes.smoothing / 2.0;
        // The teachers' probability of label 1 for this row; there is none without teachers.
        if let Some(&probability) = teacher.get(2 * index + 1) {
            target += classes.teacher_weight * (f64::from(probability) - target);
        }
        // ln(1 + e^z) = max(z, 0) + ln(1 + e^−|z|), which does not overflow.
        loss.total += weight * (z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z);
        let predicted = usize::from(z > 0.0);
        loss.correct += usize::from(predicted == label);
        *gradient = (share * weight * (1.0 / (1.0 + (-z).exp()) - target)) as f32;
    }
    loss
}

/// Computes the loss Σ (y − t)² / width of each row, for outputs y and targets t, `[rows, width]`; a missing target,
/// which is NaN, contributes 0.
fn squared(outputs: &[f32], targets: &[f32], width: usize, share: f64) -> Loss {
    let mut loss = Loss { total: 0.0, correct: 0, gradient: vec![0.0; outputs.len()] };
    for ((&y, &t), gradient) in outputs.iter().zip(targets).zip(&mut loss.gradient) {
        if !t.is_nan() {
            let difference = f64::from(y) - f64::from(t);
            loss.total += difference * difference / width as f64;
            *gradient = (2.0 * share * difference / width as f64) as f32;
        }
    }
    loss
}

/// Returns the index of the largest value, the first of equal ones; 0 for an empty slice.
pub fn argmax<T: PartialOrd + Copy>(values: &[T]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the gradients with finite differences of the loss, and returns the loss.
    fn check_gradients(objective: &Objective, outputs: &[f32], targets: &Targets) -> Loss {
        let share = 0.25;
        let loss = objective.loss(outputs, targets, share);
        for index in 0..outputs.len() {
            let loss_after = |step: f32| {
                let mut moved = outputs.to_vec();
                moved[index] += step;
                objective.loss(&moved, targets, share).total
            };
            let step = 1.0 / 512.0;
            let slope = (loss_after(step) - loss_after(-step)) / (2.0 * f64::from(step));
            let (gradient, expected) = (f64::from(loss.gradient[index]), share * slope);
            assert!((gradient - expected).abs() < 1e-5, "{objective:?}[{index}]: {gradient}, expected {expected}");
        }
        loss
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let outputs = [0.3, -1.2, 0.7, 2.0, 0.1, -0.4];
        for (smoothing, teacher_weight) in [(0.0, 0.0), (0.2, 0.0), (0.2, 0.7), (0.0, 1.0)] {
            let targets = |labels: &[usize], teacher: &[f32]| Targets::Classes {
                labels: labels.to_vec(),
                teacher: if teacher_weight > 0.0 { teacher.to_vec() } else { Vec::new() },
            };
            let classes = Classes { smoothing, weights: vec![0.5, 2.0, 1.5], teacher_weight };
            let two_rows = targets(&[2, 1], &[0.1, 0.2, 0.7, 0.5, 0.25, 0.25]);
            check_gradients(&Objective::Classes(classes), &outputs, &two_rows);
            let classes = Classes { smoothing, weights: vec![0.5, 1.5], teacher_weight };
            let one_output = targets(&[0, 1, 1, 1, 0, 0], &[0.75, 0.25].repeat(6));
            check_gradients(&Objective::Classes(classes), &outputs, &one_output);
        }
        let tokens = |ids: &[usize]| Targets::Classes { labels: ids.to_vec(), teacher: Vec::new() };
        check_gradients(&Objective::NextToken, &outputs, &tokens(&[0, 2]));
        let loss = check_gradients(&Objective::NextToken, &outputs, &tokens(&[NO_CLASS, 2]));
        assert_eq!(loss.gradient[..3], [0.0; 3]);
        let values = vec![0.0, 1.0, f32::NAN, 2.0, -1.0, 0.5];
        let loss = check_gradients(&Objective::Values, &outputs, &Targets::Values { values, width: 3 });
        assert_eq!(loss.gradient[2], 0.0);
    }

    #[test]
    fn one_logit_equals_the_softmax_of_zero_and_that_logit() {
        for (z, label) in [(1.5f32, 0), (1.5, 1), (-40.0, 1), (90.0, 0)] {
            let targets = Targets::Classes { labels: vec![label], teacher: vec![0.25, 0.75] };
            let objective = Objective::Classes(Classes { teacher_weight: 0.5, ..Classes::plain(2, 0.1) });
            let (one, two) = (objective.loss(&[z], &targets, 1.0), objective.loss(&[0.0, z], &targets, 1.0));
            assert!((one.total - two.total).abs() < 1e-5, "{z} {label}: {one:?} {two:?}");
            assert!((one.gradient[0] - two.gradient[1]).abs() < 1e-6);
            assert_eq!(one.correct, two.correct);
        }
    }

    #[test]
    fn the_loss_is_least_at_the_probabilities_of_the_teachers() {
        let teacher = vec![0.2f32, 0.7, 0.1];
        let outputs: Vec<f32> = teacher.iter().map(|p| p.ln()).collect();
        let targets = Targets::Classes { labels: vec![2], teacher };
        let objective = Objective::Classes(Classes { teacher_weight: 1.0, ..Classes::plain(3, 0.3) });
        let loss = objective.loss(&outputs, &targets, 1.0);
        assert!(loss.gradient.iter().all(|gradient| gradient.abs() < 1e-6), "{loss:?}");
    }

    #[test]
    fn balanced_labels_have_equal_total_weight() {
        let counts = [90, 10, 0];
        let weights = Classes::balanced(&counts, 0.0).weights;
        assert_eq!(weights, [100.0 / 180.0, 5.0, 0.0]);
        let mean = counts.iter().zip(&weights).map(|(&count, weight)| count as f64 * weight).sum::<f64>() / 100.0;
        assert!((mean - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nan_in_the_outputs_makes_the_loss_nan() {
        let targets = Targets::Classes { labels: vec![0], teacher: Vec::new() };
        for outputs in [[f32::NAN, 0.0], [0.0, f32::NAN], [f32::INFINITY, f32::INFINITY]] {
            for objective in [Objective::NextToken, Objective::Classes(Classes::plain(2, 0.0))] {
                assert!(!objective.loss(&outputs, &targets, 1.0).total.is_finite());
            }
        }
    }
}
