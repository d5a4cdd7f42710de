//! The optimizers AdamW and SGD, with gradient clipping and a running average of the weights.
//!
//! Their steps are those of PyTorch's optimizers of the same names (test `every_step_is_pytorchs`).
//!
//! The table of an n-gram branch is updated sparsely: a step changes only the rows that its batch uses, and takes time
//! in proportion to the number of these rows. Optimizer state and weights of the other rows do not change, as in
//! PyTorch's `SparseAdam`. The running average of the other rows does change: see [`Optimizer::averaged`].

mod rules;

use crate::architecture::names;
use crate::weights::Weights;
use pulp::{Arch, NullaryFnOnce};
use rules::{AdamFactors, AdamW, Sgd, SgdWithMomentum, Update};

/// The algorithm of an optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Adam with decoupled weight decay, as `torch.optim.AdamW` with its default betas (0.9, 0.999) and epsilon (1e-8).
    AdamW,
    /// Stochastic gradient descent, as `torch.optim.SGD` without dampening.
    Sgd {
        /// Momentum; 0 disables it.
        momentum: f32,
        /// True for Nesterov momentum.
        nesterov: bool,
    },
}

impl Method {
    /// The names of the optimizer state of each parameter, as in PyTorch's `state_dict`. Each state has as many values
    /// as the parameter and starts as zeros.
    pub fn state_names(self) -> &'static [&'static str] {
        match self {
            Method::AdamW => &["exp_avg", "exp_avg_sq"],
            Method::Sgd { momentum: 0.0, .. } => &[],
            Method::Sgd { .. } => &["momentum_buffer"],
        }
    }
}

/// The settings that stay the same during a training.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The algorithm.
    pub method: Method,
    /// Weight decay of parameters with two dimensions; biases do not decay.
    pub weight_decay: f32,
    /// The value to which the norm of all gradients together is clipped; 0 disables clipping.
    pub clip_norm: f64,
    /// Decay of the running average of the weights in each step, 0 to below 1; smaller in the first steps, see
    /// [`decay_of_average`]. 0 disables averaging, so that the average equals the weights.
    pub averaging: f64,
}

/// The smallest [`Optimizer::lag_factor`]. If a step makes the factor smaller, all stored differences are multiplied by
/// the factor and the factor is set to 1, so that the stored values do not grow without limit.
pub const LEAST_LAG_FACTOR: f32 = 1e-4;

/// Returns the decay of the running average in step number `step`, counted from 1. `averaging`: see [`Settings`].
pub fn decay_of_average(averaging: f64, step: i32) -> f32 {
    // The decay rises from 0 in the first step, so that the average does not include the random initial weights. It
    // reaches 0.9 in step 91.
    let step = f64::from(step);
    averaging.min((step - 1.0) / (step + 9.0)) as f32
}

/// Returns two factors of Adam for step number `step`, counted from 1: the learning rate `rate` divided by the bias
/// correction of the mean, and the factor that corrects the bias of the root mean square.
pub fn adam_factors(step: i32, rate: f64) -> (f32, f32) {
    let AdamFactors { rate, scale } = AdamFactors::new(step, rate);
    (rate, scale)
}

/// An optimizer with its state.
#[derive(Debug)]
pub struct Optimizer {
    settings: Settings,
    parameters: Vec<Parameter>,
    /// Number of steps taken.
    steps: i32,
    /// See [`Optimizer::lag_factor`].
    lag_factor: f32,
}

/// A parameter of the network with its optimizer state, without its weights.
#[derive(Debug)]
struct Parameter {
    name: String,
    /// True if weight decay applies to it.
    decays: bool,
    /// Width of a row of the n-gram table, which is updated sparsely; `None` for other parameters.
    row_width: Option<usize>,
    /// The optimizer state, in the order of [`Method::state_names`].
    states: Vec<Vec<f32>>,
}

impl Optimizer {
    /// Creates an optimizer with a state of zeros for the parameters of `weights` that have these names.
    pub fn new<S: AsRef<str>>(parameter_names: &[S], weights: &Weights, settings: Settings) -> Self {
        let mut parameters = Vec::new();
        for name in parameter_names {
            let name = name.as_ref();
            let weight = &weights[name];
            parameters.push(Parameter {
                name: name.to_owned(),
                decays: weight.shape.len() > 1,
                row_width: (name == names::NGRAMS).then(|| weight.shape[1]),
                states: vec![vec![0.0; weight.data.len()]; settings.method.state_names().len()],
            });
        }
        Optimizer { settings, parameters, steps: 0, lag_factor: 1.0 }
    }

    /// Updates `weights` by one step with the learning rate `rate`, and `average` with the new weights.
    ///
    /// `gradients`: the flattened gradient of each parameter, in the order of the names of [`new`](Self::new); for the
    /// n-gram table the gradients of the rows `ngram_rows` only. `average`: the arrays of the running average, a copy
    /// of the weights before the first step, but zeros for the n-gram table: see [`averaged`](Self::averaged).
    ///
    /// Returns the norm of the gradients before clipping. If the norm is infinite or NaN, nothing is changed.
    pub fn step(
        &mut self,
        weights: &mut Weights,
        average: &mut Weights,
        gradients: &[Vec<f32>],
        ngram_rows: &[u32],
        rate: f64,
    ) -> f64 {
        let Settings { method, weight_decay, clip_norm, averaging } = self.settings;
        let norm = gradients.iter().map(|gradient| square_norm(gradient)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return norm;
        }
        let exceeds_limit = clip_norm > 0.0 && norm > clip_norm;
        let clip = if exceeds_limit { (clip_norm / norm) as f32 } else { 1.0 };
        self.steps += 1;
        let average_decay = decay_of_average(averaging, self.steps);
        let adam = AdamFactors::new(self.steps, rate);
        for (parameter, gradient) in self.parameters.iter_mut().zip(gradients) {
            let decay = if parameter.decays { weight_decay } else { 0.0 };
            let rule = Rule { method, adam, rate: rate as f32, decay };
            let weights = &mut weights.get_mut(&parameter.name).data;
            let average = &mut average.get_mut(&parameter.name).data;
            let Some(width) = parameter.row_width else {
                let states = parameter.states.iter_mut().map(Vec::as_mut_slice).collect();
                rule.apply(Update { weights, average, gradient, clip, average_decay }, states);
                continue;
            };
            // The n-gram table. Its array in `average` holds lags: see `averaged`.
            let lags = average;
            for (&row, gradient) in ngram_rows.iter().zip(gradient.chunks_exact(width)) {
                let range = row as usize * width..(row as usize + 1) * width;
                let states = parameter.states.iter_mut().map(|state| &mut state[range.clone()]).collect();
                let decreases = rule.apply_to_row(&mut weights[range.clone()], gradient, clip, states);
                if average_decay > 0.0 {
                    for (lag, decrease) in lags[range].iter_mut().zip(decreases) {
                        *lag += decrease / self.lag_factor;
                    }
                }
            }
            if average_decay > 0.0 {
                self.lag_factor *= average_decay;
            }
            if self.lag_factor < LEAST_LAG_FACTOR {
                lags.iter_mut().for_each(|lag| *lag *= self.lag_factor);
                self.lag_factor = 1.0;
            }
        }
        norm
    }

    /// Returns the running averages of all weights. `average`: the arrays that [`step`](Self::step) has updated.
    ///
    /// For the n-gram table, they hold lags: the lag of a weight is (running average − weight) /
    /// [`lag_factor`](Self::lag_factor). A step that changes a weight from w to w' with the decay d changes the
    /// difference average − w to d · (average − w + w − w'). It adds (w − w') / `lag_factor` to the lags of the rows
    /// that it changes, and then multiplies `lag_factor`, which all rows share, by d. So the average of each row is
    /// exact, and a step takes time only for the rows that it changes.
    pub fn averaged(&self, weights: &Weights, average: &Weights) -> Weights {
        let mut averaged = average.clone();
        for Parameter { name, row_width, .. } in &self.parameters {
            let has_lags = row_width.is_some();
            if has_lags {
                for (value, weight) in averaged.get_mut(name).data.iter_mut().zip(&weights[name].data) {
                    let lag = *value;
                    *value = weight + self.lag_factor * lag;
                }
            }
        }
        averaged
    }

    /// The factor that all lags of the n-gram table share: see [`averaged`](Self::averaged). A checkpoint stores it.
    pub fn lag_factor(&self) -> f32 {
        self.lag_factor
    }

    /// The settings.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// The algorithm.
    pub fn method(&self) -> Method {
        self.settings.method
    }

    /// Number of steps taken.
    pub fn steps(&self) -> i32 {
        self.steps
    }

    /// Sets the number of steps taken and the [`lag_factor`](Self::lag_factor), to resume a training.
    pub fn set_progress(&mut self, steps: i32, lag_factor: f32) {
        (self.steps, self.lag_factor) = (steps, lag_factor);
    }

    /// Iterates over the optimizer state as tuples of the parameter's name, the state's name, and its values.
    pub fn states(&self) -> impl Iterator<Item = (&str, &'static str, &[f32])> {
        self.parameters.iter().flat_map(|parameter| {
            let names = self.settings.method.state_names().iter();
            names.zip(&parameter.states).map(|(state, values)| (parameter.name.as_str(), *state, values.as_slice()))
        })
    }

    /// Restores one state for all parameters. `state`: one of [`Method::state_names`], any other name has no effect;
    /// `values`: the state of each parameter, by the name of the parameter.
    ///
    /// # Panics
    /// Panics if the state of a parameter is missing or has the wrong length.
    pub fn restore(&mut self, state: &str, values: &Weights) {
        let state_names = self.settings.method.state_names();
        let Some(index) = state_names.iter().position(|name| *name == state) else { return };
        for parameter in &mut self.parameters {
            parameter.states[index].copy_from_slice(&values[&parameter.name].data);
        }
    }
}

/// The rule by which a step changes a parameter.
#[derive(Clone, Copy)]
struct Rule {
    method: Method,
    adam: AdamFactors,
    /// Learning rate.
    rate: f32,
    /// Weight decay.
    decay: f32,
}

impl Rule {
    /// Updates a parameter, or one of its rows, and its running average. `states`: the optimizer state of the same
    /// values, in the order of [`Method::state_names`].
    fn apply(self, update: Update<'_>, mut states: Vec<&mut [f32]>) {
        let Rule { method, adam, rate, decay } = self;
        match (method, states.as_mut_slice()) {
            (Method::AdamW, [mean, square]) => {
                dispatch(AdamW { update, mean, square, factors: adam, shrink: 1.0 - rate * decay });
            }
            (Method::Sgd { .. }, []) => dispatch(Sgd { update, decay, rate }),
            (Method::Sgd { momentum, nesterov }, [buffer]) => {
                dispatch(SgdWithMomentum { update, buffer, decay, rate, momentum, nesterov });
            }
            _ => unreachable!("the states are created for the method"),
        }
    }

    /// Updates a row of the n-gram table. Returns by how much each weight became smaller. `states`: as in
    /// [`apply`](Self::apply).
    fn apply_to_row(self, weights: &mut [f32], gradient: &[f32], clip: f32, states: Vec<&mut [f32]>) -> Vec<f32> {
        let mut decreases = weights.to_vec();
        // With a decay of 0, the running average equals the weights: it receives a copy of the new ones.
        let mut new_weights = vec![0.0; weights.len()];
        self.apply(Update { weights, average: &mut new_weights, gradient, clip, average_decay: 0.0 }, states);
        for (decrease, new_weight) in decreases.iter_mut().zip(new_weights) {
            *decrease -= new_weight;
        }
        decreases
    }
}

/// Runs `update` with the vector instructions of this processor.
fn dispatch(update: impl NullaryFnOnce) {
    Arch::new().dispatch(update);
}

/// Returns the sum of the squares. It is computed as eight independent sums, which the processor adds up in parallel.
fn square_norm(values: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (chunks, remainder) = values.as_chunks::<8>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*value) * f64::from(*value);
        }
    }
    sums.iter().sum::<f64>() + remainder.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests;
