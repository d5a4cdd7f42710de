//! The gradients of a batch.
//!
//! A batch is dealt out to a fixed number of shards, each a candle graph of its own that any thread may compute. Their
//! results are added in the order of the shards.

use crate::architecture::Architecture;
use crate::denormals::Flush;
use crate::metrics::argmax;
use crate::nn::ops;
use crate::nn::packed::Packing;
use crate::nn::stack::{Stack, gradient};
use crate::vocabulary::UNK;
use crate::weights::{Weights, names};
use candle_core::{D, Device, Result, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::sync::Arc;

/// Shards of a batch. More threads than shards are of no use.
const SHARDS: usize = 4;

/// What keeps the network from learning by heart.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    /// Probability to drop a value that the linear layer reads.
    pub dropout: f64,
    /// Probability to drop a value that one recurrent layer hands to the next.
    pub layer_dropout: f64,
    /// Probability to drop a value of an embedded token.
    pub embedding_dropout: f64,
    /// Probability to replace a token by UNK.
    pub word_dropout: f64,
    /// Share of the target probability that goes to all labels.
    pub label_smoothing: f64,
}

/// A text of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// Its tokens.
    pub ids: &'a [u32],
    /// Its label.
    pub label: usize,
}

/// Gradients of the mean loss of a batch, and how it went.
#[derive(Debug)]
pub struct BatchResult {
    /// One for each parameter in the order of [`Architecture::shapes`], as long as the parameter.
    pub gradients: Vec<Vec<f32>>,
    /// Sum of the losses, with label smoothing.
    pub loss: f64,
    /// Texts that were predicted right, noise and all.
    pub correct: usize,
}

/// Computes the gradients of a batch on the current thread pool. `batch` counts the batches of the whole training: no
/// two of them see the same noise.
pub fn gradients(
    weights: &Weights,
    architecture: &Architecture,
    texts: &[Text<'_>],
    noise: Noise,
    seed: u64,
    batch: u64,
) -> Result<BatchResult> {
    let parameters = Parameters::new(weights, architecture)?;
    // Sorted by length and dealt out like cards: all shards have about as much to do.
    let mut order: Vec<&Text<'_>> = texts.iter().collect();
    order.sort_by_key(|text| std::cmp::Reverse(text.ids.len()));
    let shards: Vec<Vec<&Text<'_>>> =
        (0..SHARDS).map(|shard| order.iter().skip(shard).step_by(SHARDS).copied().collect()).collect();
    let results: Vec<ShardResult> = shards
        .par_iter()
        .enumerate()
        .filter(|(_, shard)| !shard.is_empty())
        .map(|(index, shard)| {
            let _flush = Flush::denormals();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            // Stream 0 belongs to the weights' beginning and the order of the texts.
            rng.set_stream(1 + batch * SHARDS as u64 + index as u64);
            parameters.shard(shard, noise, texts.len(), &mut rng)
        })
        .collect::<Result<_>>()?;
    let mut sum = BatchResult {
        gradients: architecture.shapes().iter().map(|(_, shape)| vec![0.0; shape.iter().product()]).collect(),
        loss: 0.0,
        correct: 0,
    };
    for result in &results {
        result.add_to(&mut sum, parameters.embedding_dim);
    }
    Ok(sum)
}

struct Parameters<'a> {
    embedding: &'a [f32],
    embedding_dim: usize,
    labels: usize,
    stack: Stack,
    fc_weight: Var,
    fc_bias: Var,
}

struct ShardResult {
    /// The packed tokens, and the gradients of their embedded values: [tokens, embedding_dim].
    ids: Vec<u32>,
    d_x: Vec<f32>,
    /// Of all other parameters, in the order of [`Architecture::shapes`].
    dense: Vec<Vec<f32>>,
    loss: f64,
    correct: usize,
}

impl<'a> Parameters<'a> {
    fn new(weights: &'a Weights, architecture: &Architecture) -> Result<Self> {
        let var = |name: &str| {
            let array = &weights[name];
            Var::from_slice(&array.data, array.shape.as_slice(), &Device::Cpu)
        };
        let embedding = &weights[names::EMBEDDING];
        Ok(Parameters {
            embedding: &embedding.data,
            embedding_dim: embedding.shape[1],
            labels: weights[names::FC_BIAS].data.len(),
            stack: Stack::new(weights, architecture.recurrent)?,
            fc_weight: var(names::FC_WEIGHT)?,
            fc_bias: var(names::FC_BIAS)?,
        })
    }

    /// The graph of one shard, forward and backward.
    fn shard(&self, texts: &[&Text<'_>], noise: Noise, batch: usize, rng: &mut ChaCha8Rng) -> Result<ShardResult> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
        let packing = Arc::new(Packing::new(&lengths));
        let views: Vec<&[u32]> = texts.iter().map(|text| text.ids).collect();
        let mut ids = packing.pack(&views);
        for id in &mut ids {
            if rng.random::<f64>() < noise.word_dropout {
                *id = UNK;
            }
        }

        // The embedded tokens are the leaves: their gradients are added to the embedding's rows afterwards.
        let mut x = Vec::with_capacity(ids.len() * self.embedding_dim);
        for &id in &ids {
            x.extend_from_slice(&self.embedding[id as usize * self.embedding_dim..][..self.embedding_dim]);
        }
        let x = Var::from_vec(x, (ids.len(), self.embedding_dim), &Device::Cpu)?;
        let embedded = dropout(&x, noise.embedding_dropout, rng)?;
        let states = self.stack.forward(&embedded, &packing, |x| dropout(x, noise.layer_dropout, rng))?;
        let read = self.stack.head_input(states.last().map_or(&[], Vec::as_slice), &packing)?;
        let logits = ops::linear(&dropout(&read, noise.dropout, rng)?, &self.fc_weight, &self.fc_bias)?;

        let labels: Vec<usize> = packing.order().iter().map(|&text| texts[text].label).collect();
        let targets = self.targets(&labels, noise.label_smoothing)?;
        let log_probabilities = candle_nn::ops::log_softmax(&logits, D::Minus1)?;
        let loss = (targets * log_probabilities)?.sum_all()?.neg()?;
        let correct =
            logits.to_vec2::<f32>()?.iter().zip(&labels).filter(|(row, label)| argmax(row) == **label).count();

        let gradients = (&loss * (1.0 / batch as f64))?.backward()?;
        let mut dense = self.stack.gradients(&gradients)?;
        dense.extend([gradient(&gradients, &self.fc_weight)?, gradient(&gradients, &self.fc_bias)?]);
        Ok(ShardResult {
            ids,
            d_x: gradient(&gradients, &x)?,
            dense,
            loss: f64::from(loss.to_scalar::<f32>()?),
            correct,
        })
    }

    /// Target probabilities: [texts, labels].
    fn targets(&self, labels: &[usize], smoothing: f64) -> Result<Tensor> {
        let spread = (smoothing / self.labels as f64) as f32;
        let mut targets = vec![spread; labels.len() * self.labels];
        for (row, label) in labels.iter().enumerate() {
            targets[row * self.labels + label] += (1.0 - smoothing) as f32;
        }
        Tensor::from_vec(targets, (labels.len(), self.labels), &Device::Cpu)
    }
}

impl ShardResult {
    fn add_to(&self, sum: &mut BatchResult, embedding_dim: usize) {
        let embedding = &mut sum.gradients[0];
        for (&id, d_x) in self.ids.iter().zip(self.d_x.chunks_exact(embedding_dim)) {
            add(&mut embedding[id as usize * embedding_dim..][..embedding_dim], d_x);
        }
        for (total, part) in sum.gradients[1..].iter_mut().zip(&self.dense) {
            add(total, part);
        }
        sum.loss += self.loss;
        sum.correct += self.correct;
    }
}

fn add(total: &mut [f32], part: &[f32]) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += part;
    }
}

/// Zeroes values with the given probability and makes up for them in the others.
fn dropout(x: &Tensor, probability: f64, rng: &mut ChaCha8Rng) -> Result<Tensor> {
    if probability == 0.0 {
        return Ok(x.clone());
    }
    let kept = (1.0 / (1.0 - probability)) as f32;
    let threshold = (probability * f64::from(u32::MAX)) as u32;
    let mask: Vec<f32> =
        (0..x.elem_count()).map(|_| if rng.random::<u32>() < threshold { 0.0 } else { kept }).collect();
    x * Tensor::from_vec(mask, x.shape(), x.device())?
}
