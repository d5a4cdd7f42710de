//! Training on a CUDA device: the weights, their running average and the optimizer state stay on the device, which
//! computes everything from the packed batch to the updated weights.
//!
//! A training step has three parts. [`Graph::prepare`] packs a batch on the host. [`DeviceTraining::step`] copies the
//! batch to the device and launches the step without waiting for its end, so that the host can prepare the next batch
//! meanwhile. [`Figures::read`] waits for the step and copies three numbers to the host.

use crate::architecture::{Architecture, InputLayer, names};
use crate::gpu::batch::DeviceBatch;
use crate::gpu::losses::{DeviceObjective, DeviceTargets, Figures};
use crate::gpu::parameter::{DeviceParameter, Gradient, Rule, StepSettings};
use crate::gpu::rows::{Rows, Sums, drop_values, gather, select, upload};
use crate::graph::{Graph, packed_tokens, packed_values};
use crate::head::HeadLayers;
use crate::ngrams::{self, KeptNgrams};
use crate::objective::{Objective, Targets};
use crate::optimizer::{LEAST_LAG_FACTOR, Method, Optimizer, Settings, adam_factors, decay_of_average};
use crate::packed::PackedLayout;
use crate::sample::Sample;
use crate::stack::{Stack, StackInput};
use crate::weights::Weights;
use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A batch that is packed on the host, for [`DeviceTraining::step`].
#[derive(Debug)]
pub struct Prepared {
    layout: Arc<PackedLayout>,
    input: PreparedInput,
    /// The n-grams of each text, in the order of the layout; empty without an n-gram branch.
    ngrams: Vec<KeptNgrams>,
    targets: Targets,
    /// Number of targets that have a loss.
    target_count: usize,
    /// Number of batches before this one in the training, which selects the values that dropout zeroes.
    batch: u64,
}

/// The input of the first recurrent layer, packed on the host.
#[derive(Debug)]
enum PreparedInput {
    /// The ids of the tokens that are embedded, and for each packed token its index among these ids; `None` if there is
    /// one id for each packed token.
    Tokens { ids: Vec<u32>, index: Option<Vec<u32>> },
    /// The packed values: `[rows, channels]`.
    Values(Vec<f32>),
    /// The network has no recurrent layers.
    None,
}

impl Prepared {
    /// Number of targets: one for each sequence; for a language model, one for each step that has a target.
    pub fn targets(&self) -> usize {
        self.target_count
    }
}

impl Graph<'_> {
    /// Packs a batch for [`DeviceTraining::step`]. `batch`: as for [`gradients`](Self::gradients).
    pub fn prepare(&self, samples: &[&Sample], batch: u64) -> Prepared {
        let Graph { architecture, objective, dropout, .. } = *self;
        let lengths: Vec<usize> = samples.iter().map(|sample| sample.steps.len()).collect();
        let layout = Arc::new(PackedLayout::new(&lengths));
        let mut rng = self.rng(batch, 0);
        let input = match architecture.input {
            _ if !architecture.is_recurrent() => PreparedInput::None,
            InputLayer::Embedding { vocab_size, .. } => {
                let (mut ids, index) = packed_tokens(samples, &layout, dropout, vocab_size, &mut rng);
                if ids.is_empty() {
                    // All texts are empty. A device cannot allocate an empty tensor, so there is a row that no token
                    // reads.
                    ids.push(0);
                }
                PreparedInput::Tokens { ids, index }
            }
            InputLayer::Values { .. } => PreparedInput::Values(packed_values(samples, &layout)),
        };
        let mut ngrams = Vec::new();
        if architecture.ngrams.is_some() {
            for &sample in layout.order() {
                ngrams.push(KeptNgrams::draw(&samples[sample].ngrams, dropout.ngram_dropout, &mut rng));
            }
        }
        let target_count = samples.iter().map(|sample| sample.target.count()).sum();
        Prepared { input, ngrams, targets: objective.targets(samples, &layout), target_count, layout, batch }
    }
}

/// A network in training on a device.
#[derive(Debug)]
pub struct DeviceTraining {
    architecture: Architecture,
    objective: DeviceObjective,
    settings: Settings,
    /// The parameters with their names, in the order of [`Architecture::shapes`].
    parameters: Vec<(String, DeviceParameter)>,
    /// Number of steps taken.
    steps: i32,
    /// See [`Optimizer::lag_factor`].
    lag_factor: f32,
    /// The rows of the embedding that the training changes, and their number; `None` for all rows.
    trained_rows: Option<(Tensor, usize)>,
    device: Device,
}

impl DeviceTraining {
    /// Copies a training to a device. `average`: as for [`Optimizer::step`]; `trained_rows`: the rows of the embedding
    /// that the training changes, `None` for all rows.
    pub fn new(
        architecture: Architecture,
        objective: &Objective,
        (weights, average, optimizer): (&Weights, &Weights, &Optimizer),
        trained_rows: Option<&[u32]>,
        device: &Device,
    ) -> Result<Self> {
        let mut parameters = Vec::new();
        for (name, shape) in architecture.shapes() {
            let states = optimizer.states().filter(|(parameter, ..)| *parameter == name).map(|(_, _, values)| values);
            let weights_and_average = [&weights[&name], &average[&name]].map(|array| array.data.as_slice());
            let parameter = DeviceParameter::new(&shape, weights_and_average.into_iter().chain(states), device)?;
            parameters.push((name, parameter));
        }
        let trained_rows = match trained_rows {
            Some(rows) => Some((upload(rows, device)?, rows.len())),
            None => None,
        };
        Ok(DeviceTraining {
            parameters,
            objective: DeviceObjective::new(objective, device)?,
            architecture,
            settings: optimizer.settings(),
            steps: optimizer.steps(),
            lag_factor: optimizer.lag_factor(),
            trained_rows,
            device: device.clone(),
        })
    }

    /// Copies the training back to the host: replaces the values of all parameters in `weights` and `average`, and the
    /// state and the progress of `optimizer`.
    pub fn read(&self, weights: &mut Weights, average: &mut Weights, optimizer: &mut Optimizer) -> Result<()> {
        let names = self.settings.method.state_names();
        let mut states = vec![Weights::default(); names.len()];
        for (name, parameter) in &self.parameters {
            // The weights, the average, then the optimizer states.
            let mut arrays = parameter.read()?.into_iter();
            for target in [&mut *weights, &mut *average] {
                target.get_mut(name).data = arrays.next().unwrap_or_default();
            }
            for (state, data) in states.iter_mut().zip(arrays) {
                state.insert(name, crate::weights::Array { shape: weights[name].shape.clone(), data });
            }
        }
        for (name, values) in names.iter().zip(&states) {
            optimizer.restore(name, values);
        }
        optimizer.set_progress(self.steps, self.lag_factor);
        Ok(())
    }

    /// Launches one step with the learning rate `rate`. Returns the figures of the step, which [`Figures::read`] waits
    /// for. If the loss or the norm of the gradients is not finite, the step does not change the arrays of weights,
    /// average and optimizer state. It still counts, and changes the lag factor: the training must then end.
    pub fn step(&mut self, graph: &Graph<'_>, batch: &Prepared, rate: f64) -> Result<Figures> {
        let DeviceGradients { gradients, ngram_rows, figures } = self.gradients(graph, batch)?;
        for gradient in &gradients {
            figures.add_gradient(gradient)?;
        }
        let Settings { method, weight_decay, clip_norm, averaging } = self.settings;
        self.steps += 1;
        let average_decay = decay_of_average(averaging, self.steps);
        let settings = StepSettings { figures: &figures, clip_norm, average_decay };
        let mut lag_factor = self.lag_factor;
        // For each parameter the rule of the method, the rows that have a gradient, and the launch.
        for ((name, parameter), values) in self.parameters.iter().zip(&gradients) {
            let decay = if values.rank() > 1 { weight_decay } else { 0.0 };
            let rule = match method {
                Method::AdamW => {
                    let (corrected_rate, scale) = adam_factors(self.steps, rate);
                    Rule::AdamW { rate: corrected_rate, scale, shrink: 1.0 - rate as f32 * decay }
                }
                Method::Sgd { momentum, nesterov } => Rule::Sgd { rate: rate as f32, decay, momentum, nesterov },
            };
            let is_ngram_table = name == names::NGRAMS;
            let rows = match name.as_str() {
                names::NGRAMS => ngram_rows.as_ref(),
                names::EMBEDDING => self.trained_rows.as_ref().map(|(rows, _)| rows),
                _ => None,
            };
            let rows_and_width = match rows {
                Some(rows) => Some((rows, values.dim(1)?)),
                None => None,
            };
            let gradient = Gradient { values, rows: rows_and_width };
            parameter.step(gradient, rule, settings, if is_ngram_table { lag_factor } else { 0.0 })?;
            if is_ngram_table && average_decay > 0.0 {
                lag_factor *= average_decay;
                if lag_factor < LEAST_LAG_FACTOR {
                    parameter.scale_average(lag_factor)?;
                    lag_factor = 1.0;
                }
            }
        }
        self.lag_factor = lag_factor;
        Ok(figures)
    }

    /// Computes the gradients of a batch, without a step.
    pub fn gradients(&self, graph: &Graph<'_>, batch: &Prepared) -> Result<DeviceGradients> {
        let (device, dropout) = (&self.device, graph.dropout);
        // The n-gram table has no variable: its gradient is computed from that of the sums.
        let mut variables: BTreeMap<&str, Var> = BTreeMap::new();
        for (name, parameter) in self.parameters.iter().filter(|(name, _)| name != names::NGRAMS) {
            variables.insert(name, parameter.variable()?);
        }
        let variable = |name: &str| variables[name].as_tensor();
        // Each call of `drop` in each batch has a separate random stream: the batch and the number of the call.
        let mut call = 0;
        let mut drop = |x: &Tensor, probability: f64| {
            call += 1;
            drop_values(x, probability, graph.seed, batch.batch << 8 | call)
        };
        // The parts of the head's input: the states of the recurrent layers, the sums of the n-gram branch, or both.
        let mut parts = Vec::new();
        if self.architecture.is_recurrent() {
            // The input of the first layer; and, if its rows are those of distinct tokens, the row of each token and
            // the number of rows.
            let (x, index) = match &batch.input {
                PreparedInput::Tokens { ids, index } => {
                    let table = variable(names::EMBEDDING);
                    let rows = Arc::new(Rows::new(ids, table.dim(0)?, device)?);
                    (gather(table, &rows)?, index.as_deref().map(|index| (index, ids.len())))
                }
                PreparedInput::Values(values) => {
                    let shape = (batch.layout.rows(), self.architecture.input.width());
                    (Tensor::from_slice(values, shape, device)?, None)
                }
                PreparedInput::None => candle_core::bail!("the batch is for a network without recurrent layers"),
            };
            let is_embedded = matches!(batch.input, PreparedInput::Tokens { .. });
            let x = drop(&x, if is_embedded { dropout.embedding_dropout } else { 0.0 })?;
            let on_device = Arc::new(DeviceBatch::new(batch.layout.clone(), index, device)?);
            let stack = Stack::on_device(self.architecture.recurrent, variable)?;
            let input = StackInput { x: &x, tokens: None, layout: &batch.layout, on_device: Some(&on_device) };
            let states = match graph.objective.every_step() {
                true => stack.merged_states(input, |x| drop(x, dropout.layer_dropout))?,
                false => stack.pooled(input, |x| drop(x, dropout.layer_dropout))?,
            };
            parts.push(drop(&states, dropout.dropout)?);
        }
        let mut ngram_branch = None;
        if let Some((_, table)) = self.parameters.iter().find(|(name, _)| name == names::NGRAMS) {
            let scales: Vec<f32> = batch.ngrams.iter().map(|text| text.scale).collect();
            let scales = Tensor::from_vec(scales, (batch.ngrams.len(), 1), device)?;
            let buckets: Vec<u32> = batch.ngrams.iter().flat_map(|text| text.buckets.iter().copied()).collect();
            let starts = starts_of(batch.ngrams.iter().map(|text| text.buckets.len()));
            let sums = Sums::new(&buckets, &starts, device)?.compute(&table.weights()?, graph.grid)?;
            let sums = Var::from_tensor(&sums.broadcast_mul(&scales)?)?;
            parts.push(sums.as_tensor().clone());
            ngram_branch = Some((sums, scales));
        }
        let layer = |weight: &str, bias: &str| (variable(weight).clone(), variable(bias).clone());
        let head = HeadLayers {
            hidden: (self.architecture.head.hidden > 0).then(|| layer(names::HIDDEN_WEIGHT, names::HIDDEN_BIAS)),
            fc: layer(names::FC_WEIGHT, names::FC_BIAS),
        };
        let targets = DeviceTargets::new(&batch.targets, device)?;
        let share = 1.0 / batch.target_count.max(1) as f64;
        // The figures are those of the first loss, which is that of all parts; the losses of the branches alone follow.
        let mut figures = None;
        let total = head.loss(&parts, graph.branch_loss, |outputs, weight| {
            let loss = self.objective.loss(outputs, &targets, share * weight)?;
            if figures.is_none() {
                figures = Some(loss.figures()?);
            }
            loss.scalar(outputs)
        })?;
        let store = total.backward()?;
        let mut ngram_rows = None;
        let mut gradients = Vec::with_capacity(self.parameters.len());
        for (name, parameter) in &self.parameters {
            if let Some((sums, scales)) = &ngram_branch
                && name == names::NGRAMS
            {
                let (rows, gradient) = self.table_gradient(&store, batch, sums, scales)?;
                ngram_rows = Some(rows);
                gradients.push(gradient);
                continue;
            }
            let gradient = match store.get(variable(name)) {
                Some(gradient) => gradient.contiguous()?,
                None => parameter.weights()?.zeros_like()?,
            };
            gradients.push(match &self.trained_rows {
                Some((rows, count)) if name == names::EMBEDDING => select(&gradient, rows, *count)?,
                _ => gradient,
            });
        }
        let Some(figures) = figures else { candle_core::bail!("the head computed no loss") };
        Ok(DeviceGradients { gradients, ngram_rows, figures })
    }

    /// Computes the gradient of the n-gram table from the gradient of the sums of the texts. Returns the rows of the
    /// table that the batch uses, in ascending order, and their gradients, `[rows, rank]`. `scales`: the factor of each
    /// text's sum, `[texts, 1]`.
    fn table_gradient(
        &self,
        store: &GradStore,
        batch: &Prepared,
        sums: &Var,
        scales: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let d_sums = match store.get(sums) {
            Some(gradient) => gradient.broadcast_mul(scales)?,
            None => sums.zeros_like()?,
        };
        // Pairs of a row (bucket) and a text, sorted by row.
        let uses = ngrams::uses(&batch.ngrams);
        let uses_of_rows = || uses.chunk_by(|(row, _), (next_row, _)| row == next_row);
        let rows: Vec<u32> = uses_of_rows().map(|uses_of_row| uses_of_row[0].0).collect();
        let starts = starts_of(uses_of_rows().map(<[_]>::len));
        let texts: Vec<u32> = uses.iter().map(|&(_, text)| text).collect();
        let gradient = Sums::new(&texts, &starts, &self.device)?.compute(&d_sums, None)?;
        Ok((upload(&rows, &self.device)?, gradient))
    }
}

/// The gradients of a batch on a device.
#[derive(Debug)]
pub struct DeviceGradients {
    /// The gradients in the order of [`Architecture::shapes`], each with the shape of its parameter. The gradient of
    /// the n-gram table has the rows `ngram_rows` only, and that of the embedding only the rows that the training
    /// changes.
    pub gradients: Vec<Tensor>,
    /// The rows of the n-gram table that the batch uses, in ascending order; `None` without an n-gram branch.
    pub ngram_rows: Option<Tensor>,
    /// The sum of the losses and the number of correct predictions. The norm of the gradients is still 0.
    pub figures: Figures,
}

/// Returns the first position of each part of a concatenation, followed by the total number of positions. `lengths`:
/// those of the parts.
fn starts_of(lengths: impl Iterator<Item = usize>) -> Vec<u32> {
    let mut end = 0;
    let mut starts = vec![end];
    for length in lengths {
        end += length as u32;
        starts.push(end);
    }
    starts
}
