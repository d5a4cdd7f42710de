//! The computation graph of a training step: dropout, forward pass, loss and gradients of one batch.
//!
//! A batch is split into a fixed number of shards. Each shard has a separate candle graph, which any thread of its
//! process may compute. The results are added in the order of the shards, so the sum depends neither on the number of
//! threads nor on the number of processes. In one process with a device other than the CPU, the batch is one graph.

use crate::architecture::{Architecture, InputLayer, names};
use crate::denormals::Flush;
use crate::head::HeadLayers;
use crate::ngrams::{self, Grid, KeptNgrams, Table};
use crate::objective::{Loss, Objective, Targets};
use crate::packed::PackedLayout;
use crate::process_group::{ProcessGroup, add};
use crate::sample::{Sample, UNK};
use crate::shard_result::{ShardResult, exchange};
use crate::stack::{Stack, StackInput, gradient};
use crate::weights::Weights;
use candle_core::{Device, Result, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::sync::Arc;

/// Dropout probabilities used during training.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// Probability of zeroing a value of the states that the head reads: the pooled states, or the states after every
    /// step for a language model.
    pub dropout: f64,
    /// Probability of zeroing a value that a recurrent layer passes to the next one.
    pub layer_dropout: f64,
    /// Probability of zeroing a value of a token's embedding.
    pub embedding_dropout: f64,
    /// Probability of replacing a token by UNK.
    pub word_dropout: f64,
    /// Probability of leaving out an n-gram of the n-gram branch.
    pub ngram_dropout: f64,
}

/// The gradients of a batch's mean loss, and its loss and accuracy.
#[derive(Debug)]
pub struct BatchResult {
    /// The flattened gradient of each parameter, in the order of [`Architecture::shapes`]. The gradient of the n-gram
    /// table has the rows `ngram_rows` only, each of `rank` values.
    pub gradients: Vec<Vec<f32>>,
    /// The rows of the n-gram table that the batch uses, in ascending order.
    pub ngram_rows: Vec<u32>,
    /// Sum of the losses of all targets, with label smoothing, class weights and teachers, but without the losses of
    /// the branches alone.
    pub loss: f64,
    /// Number of correct predictions of the forward pass, which uses dropout.
    pub correct: usize,
    /// Number of targets: one for each sequence; for a language model, one for each step that has a target.
    pub targets: usize,
}

/// The settings that all batches of a training share.
#[derive(Clone, Copy, Debug)]
pub struct Graph<'a> {
    /// The network.
    pub architecture: &'a Architecture,
    /// The loss.
    pub objective: &'a Objective,
    /// Dropout probabilities.
    pub dropout: Dropout,
    /// The grid that the n-gram table is rounded to in the forward pass; `None` if the table is not rounded. The
    /// gradients of the rounded table are those of the table (straight-through estimator).
    pub grid: Option<Grid>,
    /// The weight s, 0 to 1, of the losses of the branches alone, for a network with recurrent layers, an n-gram branch
    /// and no hidden layer in the head. The gradients are those of (1 − s) · L(both) + s · (L(recurrent) + L(n-grams)),
    /// where L(branch) is the loss of the head's bias plus its product with the columns of that branch.
    pub branch_loss: f64,
    /// Random seed.
    pub seed: u64,
    /// Number of shards of a batch, at least 1. More threads and processes than shards do not make a step faster. The
    /// number determines the order of additions and the dropout masks, and so the result.
    pub shards: usize,
    /// The device on which [`gradients`](Self::gradients) computes: the CPU with the loops of this crate, any other
    /// device with candle's operations.
    pub device: &'a Device,
    /// The processes that share the shards. Each process computes a contiguous range of shards; the ranges are in the
    /// order of the ranks and of nearly equal length.
    pub group: &'a dyn ProcessGroup,
}

impl Graph<'_> {
    /// Returns the random number generator for one shard of a batch.
    pub(crate) fn rng(&self, batch: u64, shard: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        // Stream 0 is used for the initial weights and the order of the samples.
        rng.set_stream(1 + batch * self.shards as u64 + shard as u64);
        rng
    }

    /// Computes the gradients of a batch, in rayon's current thread pool. `batch`: the number of batches before this
    /// one in the whole training, which selects the dropout masks. All processes of the group call this function with
    /// the same arguments and get the same result.
    ///
    /// # Errors
    /// Fails in every process if an operation of candle fails in one, or if a message of another process is malformed.
    pub fn gradients(&self, weights: &Weights, samples: &[&Sample], batch: u64) -> Result<BatchResult> {
        let Graph { architecture, grid, device, group, .. } = *self;
        let parameters = Parameters::new(weights, architecture, grid, device)?;
        let shards = self.shards_of(samples);
        let targets = samples.iter().map(|sample| sample.target.count()).sum::<usize>();
        let share = 1.0 / targets.max(1) as f64;
        // The shards of this process, without empty ones.
        let is_own =
            |shard: &usize| shard * group.world_size() / shards.len() == group.rank() && !shards[*shard].is_empty();
        let own_results: Result<Vec<ShardResult>> = (0..shards.len())
            .into_par_iter()
            .filter(is_own)
            .map(|shard| {
                let _flush = Flush::denormals();
                let mut rng = self.rng(batch, shard);
                parameters.shard(&shards[shard], self, share, &mut rng)
            })
            .collect();

        let shapes = architecture.shapes();
        // The dense gradients are those of all parameters but the embedding and the n-gram table. The exchange adds
        // them up; the two others are computed here from the results of all shards.
        let dense_sizes: Vec<usize> = shapes
            .iter()
            .filter(|(name, _)| name != names::EMBEDDING && name != names::NGRAMS)
            .map(|(_, shape)| shape.iter().product())
            .collect();
        let (results, dense) = exchange(own_results, &dense_sizes, group)?;
        let (ngrams, d_sums): (Vec<_>, Vec<_>) =
            results.iter().map(|result| (&*result.ngrams, &*result.d_sums)).unzip();
        let rank = architecture.ngrams.map_or(0, |table| table.rank);
        let (ngram_rows, mut d_table) = ngrams::backward(&ngrams.concat(), &d_sums.concat(), rank);
        let mut dense = dense.into_iter();
        let mut gradients = Vec::with_capacity(shapes.len());
        for (name, shape) in &shapes {
            gradients.push(match name.as_str() {
                names::NGRAMS => std::mem::take(&mut d_table),
                names::EMBEDDING => embedding_gradient(&results, shape[0], shape[1]),
                _ => dense.next().unwrap_or_default(),
            });
        }
        let mut batch_result = BatchResult { gradients, ngram_rows, loss: 0.0, correct: 0, targets };
        for result in &results {
            batch_result.loss += result.loss;
            batch_result.correct += result.correct;
        }
        Ok(batch_result)
    }

    /// Splits a batch into shards: by length and in turn, so that all shards take about the same time. Some shards are
    /// empty if there are fewer samples than shards.
    fn shards_of<'s>(&self, samples: &[&'s Sample]) -> Vec<Vec<&'s Sample>> {
        let shard_count = if self.device.is_cpu() || self.group.world_size() > 1 { self.shards } else { 1 };
        let mut order = samples.to_vec();
        order.sort_by_key(|sample| std::cmp::Reverse(sample.steps.len()));
        (0..shard_count).map(|shard| order.iter().skip(shard).step_by(shard_count).copied().collect()).collect()
    }
}

/// Adds up the gradients of the embedded tokens of all shards: `[vocab_size, embedding_dim]`.
fn embedding_gradient(results: &[ShardResult], vocab_size: usize, embedding_dim: usize) -> Vec<f32> {
    let mut d_embedding = vec![0.0; vocab_size * embedding_dim];
    for ShardResult { ids, d_x, .. } in results {
        for (&id, d_token) in ids.iter().zip(d_x.chunks_exact(embedding_dim)) {
            add(&mut d_embedding[id as usize * embedding_dim..][..embedding_dim], d_token);
        }
    }
    d_embedding
}

/// The parameters of a network as candle variables.
struct Parameters<'a> {
    input: InputLayer,
    /// `[vocab_size, embedding_dim]`; empty if the network reads values or has no recurrent layers.
    embedding: &'a [f32],
    stack: Stack,
    /// False if there is only an n-gram branch.
    is_recurrent: bool,
    /// The table of the n-gram branch; `None` without one.
    ngrams: Option<Table<'a>>,
    head: HeadLayers,
    device: &'a Device,
}

impl<'a> Parameters<'a> {
    fn new(weights: &'a Weights, architecture: &Architecture, grid: Option<Grid>, device: &'a Device) -> Result<Self> {
        let var = |name: &str| {
            let array = &weights[name];
            Ok::<_, candle_core::Error>(Var::from_slice(&array.data, array.shape.as_slice(), device)?.into_inner())
        };
        let hidden = match architecture.head.hidden {
            0 => None,
            _ => Some((var(names::HIDDEN_WEIGHT)?, var(names::HIDDEN_BIAS)?)),
        };
        Ok(Parameters {
            input: architecture.input,
            embedding: weights.get(names::EMBEDDING).map_or(&[], |embedding| &embedding.data),
            stack: Stack::new(weights, architecture.recurrent, device)?,
            is_recurrent: architecture.is_recurrent(),
            ngrams: architecture.ngrams.map(|table| Table {
                weight: &weights[names::NGRAMS].data,
                rank: table.rank,
                grid,
            }),
            head: HeadLayers { hidden, fc: (var(names::FC_WEIGHT)?, var(names::FC_BIAS)?) },
            device,
        })
    }

    /// Computes the forward and the backward pass of one shard. `share`: the weight of each target in the gradient, 1 /
    /// number of targets of the batch.
    fn shard(&self, samples: &[&Sample], graph: &Graph, share: f64, rng: &mut ChaCha8Rng) -> Result<ShardResult> {
        let Graph { objective, dropout, branch_loss, .. } = *graph;
        let lengths: Vec<usize> = samples.iter().map(|sample| sample.steps.len()).collect();
        let layout = Arc::new(PackedLayout::new(&lengths));
        // The parts of the head's input: the states of the recurrent layers, the sums of the n-gram branch, or both.
        let mut parts = Vec::new();
        let mut first_input = None;
        if self.is_recurrent {
            let input = self.first_input(samples, &layout, dropout, rng)?;
            let states = self.states(&input, &layout, objective, dropout, rng)?;
            parts.push(drop_values(&states, dropout.dropout, rng)?);
            first_input = Some(input);
        }
        let (mut ngrams, mut ngram_sums) = (Vec::new(), None);
        if let Some(table) = self.ngrams {
            for &sample in layout.order() {
                ngrams.push(KeptNgrams::draw(&samples[sample].ngrams, dropout.ngram_dropout, rng));
            }
            let sums = ngrams.iter().flat_map(|text| table.sum(&text.buckets, text.scale)).collect();
            let sums = Var::from_vec(sums, (samples.len(), table.rank), self.device)?;
            parts.push(sums.as_tensor().clone());
            ngram_sums = Some(sums);
        }
        let targets = objective.targets(samples, &layout);
        // The first loss is that of all parts, which is reported; the losses of the branches alone follow.
        let mut first_loss = None;
        let total = self.head.loss(&parts, branch_loss, |outputs, weight| {
            let (loss, scalar) = self.loss(outputs, objective, &targets, share * weight)?;
            if first_loss.is_none() {
                first_loss = Some(loss);
            }
            Ok(scalar)
        })?;
        let loss = first_loss.expect("the head computes at least one loss");
        let store = total.backward()?;
        let mut dense = self.stack.gradients(&store)?;
        for (weight, bias) in self.head.hidden.iter().chain([&self.head.fc]) {
            dense.extend([gradient(&store, weight)?, gradient(&store, bias)?]);
        }
        let d_sums = ngram_sums.map_or(Ok(Vec::new()), |sums| gradient(&store, &sums))?;
        let (ids, d_x) = match first_input {
            Some(FirstInput { ids, x, .. }) if !ids.is_empty() => (ids, gradient(&store, &x)?),
            _ => (Vec::new(), Vec::new()),
        };
        Ok(ShardResult { ids, d_x, dense, ngrams, d_sums, loss: loss.total, correct: loss.correct })
    }

    /// Computes the loss of `outputs` and a scalar for automatic differentiation. The gradient of the scalar with
    /// respect to `outputs` is [`Loss::gradient`]; its value has no meaning.
    fn loss(&self, outputs: &Tensor, objective: &Objective, targets: &Targets, share: f64) -> Result<(Loss, Tensor)> {
        let mut loss = objective.loss(&outputs.flatten_all()?.to_vec1::<f32>()?, targets, share);
        let gradient = Tensor::from_vec(std::mem::take(&mut loss.gradient), outputs.shape(), self.device)?;
        let scalar = (outputs * gradient)?.sum_all()?;
        Ok((loss, scalar))
    }

    /// Runs the recurrent layers. Returns the merged states after every step, `[rows, merged_width]`, for an objective
    /// that has a target at every step, otherwise the pooled states, `[sequences, head_width]`.
    fn states(
        &self,
        FirstInput { ids, tokens, x }: &FirstInput,
        layout: &Arc<PackedLayout>,
        objective: &Objective,
        dropout: Dropout,
        rng: &mut ChaCha8Rng,
    ) -> Result<Tensor> {
        // Embedding dropout does not apply to values.
        let input_dropout = if ids.is_empty() { 0.0 } else { dropout.embedding_dropout };
        let x = drop_values(x, input_dropout, rng)?;
        let input = StackInput { x: &x, tokens: tokens.as_ref(), layout, on_device: None };
        let between_layers = |x: &Tensor| drop_values(x, dropout.layer_dropout, rng);
        if objective.every_step() {
            self.stack.merged_states(input, between_layers)
        } else {
            self.stack.pooled(input, between_layers)
        }
    }

    /// Prepares the input of the first recurrent layer.
    fn first_input(
        &self,
        samples: &[&Sample],
        layout: &PackedLayout,
        dropout: Dropout,
        rng: &mut ChaCha8Rng,
    ) -> Result<FirstInput> {
        let width = self.input.width();
        let (mut ids, mut tokens, mut x) = (Vec::new(), None, Vec::new());
        match self.input {
            InputLayer::Embedding { .. } => {
                let packed;
                (ids, packed) = packed_tokens(samples, layout, dropout, self.embedding.len() / width, rng);
                tokens = packed.map(Arc::from);
                for &id in &ids {
                    x.extend_from_slice(&self.embedding[id as usize * width..][..width]);
                }
            }
            InputLayer::Values { .. } => x = packed_values(samples, layout),
        }
        let rows = if tokens.is_some() { ids.len() } else { layout.rows() };
        let x = Var::from_vec(x, (rows, width), self.device)?;
        Ok(FirstInput { ids, tokens, x })
    }
}

/// The input of the first recurrent layer.
struct FirstInput {
    /// The ids of the tokens that are embedded; empty if the network reads values.
    ids: Vec<u32>,
    /// The index in `ids` of each packed token, `[rows]`; `None` if `ids` has one entry for each packed token.
    tokens: Option<Arc<[u32]>>,
    /// The embeddings of `ids`, `[ids, width]`, or the values, `[rows, width]`.
    x: Var,
}

/// Packs the tokens of a batch and replaces some of them by UNK (word dropout). Returns the ids of the tokens that are
/// embedded and, for each packed token, its index among these ids; `None` if there is one id for each packed token.
///
/// About half of the words of a text are among a few hundred frequent ones, so each distinct token is embedded only
/// once. With embedding dropout every occurrence is embedded separately, since each has its own dropout mask.
pub(crate) fn packed_tokens(
    samples: &[&Sample],
    layout: &PackedLayout,
    dropout: Dropout,
    vocab_size: usize,
    rng: &mut ChaCha8Rng,
) -> (Vec<u32>, Option<Vec<u32>>) {
    let mut packed = layout.pack(&samples.iter().map(|sample| sample.steps.tokens()).collect::<Vec<_>>());
    if dropout.word_dropout > 0.0 {
        for id in &mut packed {
            if rng.random::<f64>() < dropout.word_dropout {
                *id = UNK;
            }
        }
    }
    if dropout.embedding_dropout > 0.0 {
        return (packed, None);
    }
    let (ids, tokens) = distinct(packed, vocab_size);
    (ids, Some(tokens))
}

/// Packs the values of a batch: `[rows, channels]`.
pub(crate) fn packed_values(samples: &[&Sample], layout: &PackedLayout) -> Vec<f32> {
    let rows: Vec<Vec<&[f32]>> = samples.iter().map(|sample| sample.steps.rows()).collect();
    let rows: Vec<&[&[f32]]> = rows.iter().map(Vec::as_slice).collect();
    layout.pack(&rows).concat()
}

/// Returns the distinct ids in the order of their first appearance, and for each id its index among them.
fn distinct(ids: Vec<u32>, vocab_size: usize) -> (Vec<u32>, Vec<u32>) {
    const NOT_SEEN: u32 = u32::MAX;
    let mut distinct = Vec::new();
    let mut index_of = vec![NOT_SEEN; vocab_size];
    let mut indices = ids;
    for id in &mut indices {
        let index = &mut index_of[*id as usize];
        if *index == NOT_SEEN {
            *index = distinct.len() as u32;
            distinct.push(*id);
        }
        // Replaces the id by its index, in place.
        *id = *index;
    }
    (distinct, indices)
}

/// Zeroes values with the given probability and scales the others by 1 / (1 - probability).
fn drop_values(x: &Tensor, probability: f64, rng: &mut ChaCha8Rng) -> Result<Tensor> {
    if probability == 0.0 {
        return Ok(x.clone());
    }
    let scale = (1.0 / (1.0 - probability)) as f32;
    let threshold = (probability * f64::from(u32::MAX)) as u32;
    let mask: Vec<f32> =
        (0..x.elem_count()).map(|_| if rng.random::<u32>() < threshold { 0.0 } else { scale }).collect();
    x * Tensor::from_vec(mask, x.shape(), x.device())?
}
