//! The gradients of a batch.
//!
//! On the CPU a batch is dealt out to a fixed number of shards, each a candle graph of its own that any thread may compute.
//! Their results are added in the order of the shards. On another device it is one graph.

use super::objective::Objective;
use super::sample::{Sample, Target};
use crate::architecture::{Architecture, InputLayer};
use crate::denormals::Flush;
use crate::ops;
use crate::packed::Packing;
use crate::sample::UNK;
use crate::stack::{Input, Stack, gradient};
use crate::weights::{Weights, names};
use candle_core::{Device, Result, Tensor, Var};
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
}

/// Gradients of the mean loss of a batch, and how it went.
#[derive(Debug)]
pub struct BatchResult {
    /// One for each parameter in the order of [`Architecture::shapes`], as long as the parameter.
    pub gradients: Vec<Vec<f32>>,
    /// Sum of the losses over all targets, as they are learnt from: with label smoothing and class weights.
    pub loss: f64,
    /// Targets that were met, noise and all.
    pub correct: usize,
    /// How many targets there are: one a sequence, or one a step.
    pub targets: usize,
}

/// What the gradients of every batch of a training have in common.
#[derive(Clone, Copy, Debug)]
pub struct Graph<'a> {
    /// What the network is made of.
    pub architecture: &'a Architecture,
    /// What its outputs should be.
    pub objective: &'a Objective,
    /// What keeps it from learning by heart.
    pub noise: Noise,
    /// Where all random numbers begin.
    pub seed: u64,
    /// What computes: the CPU by the fused loops, any other device by candle's operations.
    pub device: &'a Device,
}

impl Graph<'_> {
    /// Computes the gradients of a batch, on the CPU on the current thread pool. `batch` counts the batches of the whole
    /// training: no two of them see the same noise.
    ///
    /// # Errors
    ///
    /// What candle says.
    pub fn gradients(&self, weights: &Weights, samples: &[&Sample], batch: u64) -> Result<BatchResult> {
        let Graph { architecture, objective, noise, seed, device } = *self;
        let parameters = Parameters::new(weights, architecture, device)?;
        // Sorted by length and dealt out like cards: all shards have about as much to do.
        let mut order: Vec<&Sample> = samples.to_vec();
        order.sort_by_key(|sample| std::cmp::Reverse(sample.steps.len()));
        let count = if device.is_cpu() { SHARDS } else { 1 };
        let shards: Vec<Vec<&Sample>> =
            (0..count).map(|shard| order.iter().skip(shard).step_by(count).copied().collect()).collect();
        let targets = samples.iter().map(|sample| sample.target.count()).sum::<usize>();
        let results: Vec<ShardResult> = shards
            .par_iter()
            .enumerate()
            .filter(|(_, shard)| !shard.is_empty())
            .map(|(index, shard)| {
                let _flush = Flush::denormals();
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                // Stream 0 belongs to the weights' beginning and the order of the samples.
                rng.set_stream(1 + batch * SHARDS as u64 + index as u64);
                parameters.shard(shard, objective, noise, 1.0 / targets.max(1) as f64, &mut rng)
            })
            .collect::<Result<_>>()?;
        let mut sum = BatchResult {
            gradients: architecture.shapes().iter().map(|(_, shape)| vec![0.0; shape.iter().product()]).collect(),
            loss: 0.0,
            correct: 0,
            targets,
        };
        for result in &results {
            result.add_to(&mut sum, parameters.input.width());
        }
        Ok(sum)
    }
}

struct Parameters<'a> {
    input: InputLayer,
    /// Empty where the network reads values.
    embedding: &'a [f32],
    stack: Stack,
    hidden: Option<(Var, Var)>,
    fc: (Var, Var),
    device: &'a Device,
}

struct ShardResult {
    /// The distinct tokens, and the gradients of their embedded values: `[tokens, embedding_dim]`. Empty where the network
    /// reads values.
    ids: Vec<u32>,
    d_x: Vec<f32>,
    /// Of all other parameters, in the order of [`Architecture::shapes`].
    dense: Vec<Vec<f32>>,
    loss: f64,
    correct: usize,
}

impl<'a> Parameters<'a> {
    fn new(weights: &'a Weights, architecture: &Architecture, device: &'a Device) -> Result<Self> {
        let var = |name: &str| {
            let array = &weights[name];
            Var::from_slice(&array.data, array.shape.as_slice(), device)
        };
        let hidden = match architecture.head.hidden {
            0 => None,
            _ => Some((var(names::HIDDEN_WEIGHT)?, var(names::HIDDEN_BIAS)?)),
        };
        Ok(Parameters {
            input: architecture.input,
            embedding: weights.get(names::EMBEDDING).map_or(&[], |embedding| &embedding.data),
            stack: Stack::new(weights, architecture.recurrent, device)?,
            hidden,
            fc: (var(names::FC_WEIGHT)?, var(names::FC_BIAS)?),
            device,
        })
    }

    /// The graph of one shard, forward and backward. `share`: what a target counts in the gradient.
    fn shard(
        &self,
        samples: &[&Sample],
        objective: &Objective,
        noise: Noise,
        share: f64,
        rng: &mut ChaCha8Rng,
    ) -> Result<ShardResult> {
        let lengths: Vec<usize> = samples.iter().map(|sample| sample.steps.len()).collect();
        let packing = Arc::new(Packing::new(&lengths));
        let Leaves { ids, tokens, x } = self.leaves(samples, &packing, noise, rng)?;
        // Numbers are read as they are.
        let noise_of_input = if ids.is_empty() { 0.0 } else { noise.embedding_dropout };
        let input = Input { x: &dropout(&x, noise_of_input, rng)?, tokens: tokens.as_ref(), packing: &packing };
        let between = |x: &Tensor| dropout(x, noise.layer_dropout, rng);
        let read = if objective.every_step() {
            let states = self.stack.forward(input, between)?;
            self.stack.every_state(states.last().map_or(&[][..], Vec::as_slice))?
        } else {
            self.stack.pooled(input, between)?
        };
        let mut read = dropout(&read, noise.dropout, rng)?;
        if let Some((weight, bias)) = &self.hidden {
            read = ops::linear(&read, weight, bias)?.relu()?;
        }
        let outputs = ops::linear(&read, &self.fc.0, &self.fc.1)?;

        let targets: Vec<&Target> = samples.iter().map(|sample| &sample.target).collect();
        let targets = objective.targets(&targets, &packing);
        let loss = objective.loss(&outputs.flatten_all()?.to_vec1::<f32>()?, &targets, share);
        // A sum whose gradient with respect to the outputs is that of the loss.
        let d_outputs = Tensor::from_vec(loss.gradient, outputs.shape(), self.device)?;
        let store = (outputs * d_outputs)?.sum_all()?.backward()?;
        let mut dense = self.stack.gradients(&store)?;
        for (weight, bias) in self.hidden.iter().chain([&self.fc]) {
            dense.extend([gradient(&store, weight)?, gradient(&store, bias)?]);
        }
        let d_x = if ids.is_empty() { Vec::new() } else { gradient(&store, &x)? };
        Ok(ShardResult { ids, d_x, dense, loss: loss.total, correct: loss.correct })
    }

    /// What the first recurrent layer reads.
    fn leaves(&self, samples: &[&Sample], packing: &Packing, noise: Noise, rng: &mut ChaCha8Rng) -> Result<Leaves> {
        let width = self.input.width();
        let (mut ids, mut tokens, mut x) = (Vec::new(), None, Vec::new());
        match self.input {
            InputLayer::Embedding { .. } => {
                let mut packed = packing.pack(&samples.iter().map(|sample| sample.steps.tokens()).collect::<Vec<_>>());
                if noise.word_dropout > 0.0 {
                    for id in &mut packed {
                        if rng.random::<f64>() < noise.word_dropout {
                            *id = UNK;
                        }
                    }
                }
                // Half of all words are a few hundred different ones: what a token costs before the first step is paid once
                // for each of those, unless each occurrence is to lose other values.
                if noise.embedding_dropout == 0.0 {
                    (ids, packed) = distinct(packed, self.embedding.len() / width);
                    tokens = Some(packed.into());
                } else {
                    ids = packed;
                }
                for &id in &ids {
                    x.extend_from_slice(&self.embedding[id as usize * width..][..width]);
                }
            }
            InputLayer::Values { .. } => {
                let rows: Vec<Vec<&[f32]>> = samples.iter().map(|sample| sample.steps.rows()).collect();
                let rows: Vec<&[&[f32]]> = rows.iter().map(Vec::as_slice).collect();
                packing.pack(&rows).into_iter().for_each(|row| x.extend_from_slice(row));
            }
        }
        let x = Var::from_vec(x, (if tokens.is_some() { ids.len() } else { packing.rows() }, width), self.device)?;
        Ok(Leaves { ids, tokens, x })
    }
}

/// What the first recurrent layer reads.
struct Leaves {
    /// The distinct tokens. Empty where the network reads values.
    ids: Vec<u32>,
    /// The place of each packed token among them.
    tokens: Option<Arc<[u32]>>,
    /// The embedded distinct tokens, `[ids, width]`, whose gradients are added to the embedding's rows afterwards; or the
    /// values, `[rows, width]`.
    x: Var,
}

/// The distinct ids in the order of their first appearance, and in place of each id its position among them.
fn distinct(mut ids: Vec<u32>, vocab_size: usize) -> (Vec<u32>, Vec<u32>) {
    let mut distinct = Vec::new();
    let mut places = vec![u32::MAX; vocab_size];
    for id in &mut ids {
        let place = &mut places[*id as usize];
        if *place == u32::MAX {
            *place = distinct.len() as u32;
            distinct.push(*id);
        }
        *id = *place;
    }
    (distinct, ids)
}

impl ShardResult {
    fn add_to(&self, sum: &mut BatchResult, width: usize) {
        let others = sum.gradients.len() - self.dense.len();
        let (embedding, dense) = sum.gradients.split_at_mut(others);
        for (&id, d_x) in self.ids.iter().zip(self.d_x.chunks_exact(width)) {
            add(&mut embedding[0][id as usize * width..][..width], d_x);
        }
        for (total, part) in dense.iter_mut().zip(&self.dense) {
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
