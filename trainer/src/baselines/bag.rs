//! The bag of embeddings: a linear layer on the mean of a text's embedded tokens.
//!
//! The model is that of Joulin, Grave, Bojanowski and Mikolov, "Bag of tricks for efficient text classification", 2016,
//! without their n-grams. It is trained with Adam on mini-batches; a step updates only the embedding rows of the tokens
//! in its batch.

use super::rows::{Baseline, Rows};
use crate::data::Example;
use crate::metrics::{Evaluation, argmax, log_softmax};
use crate::recipe::Metric;
use crate::train::Validation;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// The embedding dimension.
const WIDTH: usize = 32;

/// The initial learning rate. It falls linearly to zero.
const LEARNING_RATE: f32 = 0.01;

/// The number of training rows that all epochs together read, as far as [`EPOCHS`] allows.
const ROWS_READ: usize = 250_000;

/// The smallest and the largest number of epochs.
const EPOCHS: std::ops::RangeInclusive<usize> = 5..=40;

/// The decay β₁ of Adam's running mean of the gradients.
const BETA1: f32 = 0.9;

/// The decay β₂ of Adam's running mean of the squared gradients.
const BETA2: f32 = 0.999;

/// A row of the embedding or of the linear layer.
type Vector = [f32; WIDTH];

/// A row as token ids.
struct EncodedRow {
    ids: Vec<u32>,
    /// The index of the right label.
    label: usize,
}

/// Trains on the training rows and returns the best evaluation on the validation rows by `metric`: before the training
/// or after one of the epochs.
pub fn measure(data: &Rows<'_>, metric: Metric, seed: u64) -> Baseline {
    let encoded = |example: &&Example| EncodedRow { ids: data.vocabulary.encode(&example.text), label: example.label };
    let train: Vec<EncodedRow> = data.train.par_iter().map(encoded).collect();
    let valid: Vec<EncodedRow> = data.valid.par_iter().map(encoded).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut bag = Bag::new(data.vocabulary.len(), data.labels, &mut rng);
    let epochs = (ROWS_READ / train.len().max(1)).clamp(*EPOCHS.start(), *EPOCHS.end());
    // About 50 steps in an epoch, but not fewer than 4 rows in a batch and not more than 32.
    let batch_size = (train.len() / 50).clamp(4, 32);
    let mut order: Vec<usize> = (0..train.len()).collect();
    let mut best = bag.evaluate(&valid);
    for epoch in 0..epochs {
        order.shuffle(&mut rng);
        for (index, batch) in order.chunks(batch_size).enumerate() {
            // Approximate in the last batch of an epoch, which may be shorter.
            let share_of_epoch = index as f32 * batch.len() as f32 / order.len() as f32;
            let share_of_training = (epoch as f32 + share_of_epoch) / epochs as f32;
            let rows: Vec<&EncodedRow> = batch.iter().map(|&row| &train[row]).collect();
            bag.step(&rows, LEARNING_RATE * (1.0 - share_of_training));
        }
        let evaluation = bag.evaluate(&valid);
        if Validation::of_classes(&evaluation).is_better_than(&Validation::of_classes(&best), metric) {
            best = evaluation;
        }
    }
    Baseline {
        name: "bag_of_embeddings",
        title: format!("bag of embeddings, {WIDTH} wide"),
        evaluation: best,
        parameters: WIDTH * (data.vocabulary.len() + data.labels) + data.labels,
    }
}

/// A matrix of parameters and its state of Adam.
struct Parameter {
    /// The rows of the matrix.
    values: Vec<Vector>,
    /// The running mean of the gradient of each row.
    means: Vec<Vector>,
    /// The running mean of the squared gradient of each row.
    square_means: Vec<Vector>,
}

impl Parameter {
    fn new(values: Vec<Vector>) -> Self {
        let zeros = vec![[0.0; WIDTH]; values.len()];
        Parameter { values, means: zeros.clone(), square_means: zeros }
    }

    /// Takes a step of Adam on one row. `rate`: the learning rate times Adam's bias correction.
    fn step(&mut self, row: usize, gradient: &Vector, rate: f32) {
        let (values, means, squares) = (&mut self.values[row], &mut self.means[row], &mut self.square_means[row]);
        for column in 0..WIDTH {
            means[column] += (1.0 - BETA1) * (gradient[column] - means[column]);
            squares[column] += (1.0 - BETA2) * (gradient[column] * gradient[column] - squares[column]);
            // The small number is the ε of Adam, which avoids a division by zero.
            values[column] -= rate * means[column] / (squares[column].sqrt() + 1e-8);
        }
    }
}

/// The model during its training.
struct Bag {
    embedding: Parameter,
    /// The weights of the linear layer: a row for each label.
    linear: Parameter,
    /// The biases of the linear layer, one for each label. Since a [`Parameter`] has rows of [`WIDTH`] values, a bias
    /// is the first value of a row, whose other values are unused.
    bias: Parameter,
    /// The number of steps that were taken, for Adam's bias correction.
    steps: i32,
    /// The gradient of each embedding row, used within a step; zero between steps.
    gradients: Vec<Vector>,
}

impl Bag {
    fn new(tokens: usize, labels: usize, rng: &mut ChaCha8Rng) -> Self {
        // Uniform, with a standard deviation of 0.3464 / √12 = 0.1.
        let embedding = (0..tokens).map(|_| std::array::from_fn(|_| (rng.random::<f32>() - 0.5) * 0.3464)).collect();
        let zeros = || Parameter::new(vec![[0.0; WIDTH]; labels]);
        let gradients = vec![[0.0; WIDTH]; tokens];
        Bag { embedding: Parameter::new(embedding), linear: zeros(), bias: zeros(), steps: 0, gradients }
    }

    /// Returns the mean of a text's embedded tokens, or zero for a text without tokens.
    fn mean(&self, ids: &[u32]) -> Vector {
        let mut mean = [0.0; WIDTH];
        for &id in ids {
            add_scaled(&mut mean, &self.embedding.values[id as usize], 1.0);
        }
        mean.map(|value| value / ids.len().max(1) as f32)
    }

    /// Returns the logits of a text from the mean of its embedded tokens.
    fn logits(&self, mean: &Vector) -> Vec<f32> {
        let rows = self.linear.values.iter().zip(&self.bias.values);
        rows.map(|(row, bias)| bias[0] + row.iter().zip(mean).map(|(a, b)| a * b).sum::<f32>()).collect()
    }

    /// Takes a step of Adam on the mean cross-entropy of a batch. `learning_rate`: without Adam's bias correction.
    fn step(&mut self, batch: &[&EncodedRow], learning_rate: f32) {
        let labels = self.linear.values.len();
        let mut d_linear = vec![[0.0; WIDTH]; labels];
        let mut d_bias = vec![[0.0; WIDTH]; labels];
        let mut ids_in_batch: Vec<u32> = Vec::new();
        for EncodedRow { ids, label } in batch {
            let mean = self.mean(ids);
            let logits = self.logits(&mean);
            // The softmax of the logits. Their maximum is subtracted so that no exponential overflows.
            let largest = logits.iter().copied().fold(f32::MIN, f32::max);
            let exponentials: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
            let total: f32 = exponentials.iter().sum();
            // The cross-entropy has the gradient softmax − target with respect to the logits.
            let mut d_mean = [0.0; WIDTH];
            for (class, exponential) in exponentials.iter().enumerate() {
                let target = if class == *label { 1.0 } else { 0.0 };
                let d_logit = (exponential / total - target) / batch.len() as f32;
                add_scaled(&mut d_linear[class], &mean, d_logit);
                d_bias[class][0] += d_logit;
                add_scaled(&mut d_mean, &self.linear.values[class], d_logit);
            }
            for &id in ids {
                add_scaled(&mut self.gradients[id as usize], &d_mean, 1.0 / ids.len() as f32);
            }
            ids_in_batch.extend(ids);
        }
        self.steps += 1;
        let rate = learning_rate * (1.0 - BETA2.powi(self.steps)).sqrt() / (1.0 - BETA1.powi(self.steps));
        // Each embedding row that the batch uses takes one step with its summed gradient.
        ids_in_batch.sort_unstable();
        ids_in_batch.dedup();
        for id in ids_in_batch {
            let row = id as usize;
            self.embedding.step(row, &self.gradients[row], rate);
            self.gradients[row] = [0.0; WIDTH];
        }
        for class in 0..labels {
            self.linear.step(class, &d_linear[class], rate);
            self.bias.step(class, &d_bias[class], rate);
        }
    }

    /// Predicts the labels of the rows and compares them with the right ones.
    fn evaluate(&self, rows: &[EncodedRow]) -> Evaluation {
        let mut evaluation = Evaluation::new(self.linear.values.len());
        for EncodedRow { ids, label } in rows {
            let logits = self.logits(&self.mean(ids));
            let log_probabilities = log_softmax(logits.iter().map(|&logit| f64::from(logit)));
            evaluation.add(*label, argmax(&logits), -log_probabilities[*label]);
        }
        evaluation
    }
}

/// Adds `factor` times `vector` to `total`.
fn add_scaled(total: &mut Vector, vector: &Vector, factor: f32) {
    for (sum, value) in total.iter_mut().zip(vector) {
        *sum += factor * value;
    }
}
