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
    /// Decay of the running average of the weights in each step, 0 to 1; smaller in the first steps, see
    /// [`decay_of_average`]. 0 disables averaging, so that the average equals the weights.
    pub averaging: f64,
}

/// The smallest [`Optimizer::lag_factor`]. If a step makes the factor smaller, all differences are multiplied by the
/// factor and the factor is set to 1, which preserves the precision of the differences.
pub const LEAST_LAG_FACTOR: f32 = 1e-4;

/// Returns the decay of the running average in step number `step`, counted from 1. `averaging`: see [`Settings`].
pub fn decay_of_average(averaging: f64, step: i32) -> f32 {
    // The decay rises from 0 in the first step, so that the average does not include the random initial weights. It
    // reaches 0.9 in step 91.
    let step = f64::from(step);
    averaging.min((step - 1.0) / (step + 9.0)) as f32
}

/// Returns the factors of Adam for step number `step`, counted from 1: the learning rate divided by the bias correction
/// of the mean, and the factor that corrects the bias of the root mean square. `rate`: the learning rate.
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
    /// Creates an optimizer with a state of zeros for the parameters `names` of `weights`.
    pub fn new<S: AsRef<str>>(names: &[S], weights: &Weights, settings: Settings) -> Self {
        let parameters = names
            .iter()
            .map(|name| {
                let name = name.as_ref();
                let zeros = vec![0.0; weights[name].data.len()];
                let decays = weights[name].shape.len() > 1;
                let states = settings.method.state_names().iter().map(|_| zeros.clone()).collect();
                let row_width = (name == names::NGRAMS).then(|| weights[name].shape[1]);
                Parameter { name: name.to_owned(), decays, row_width, states }
            })
            .collect();
        Optimizer { settings, parameters, steps: 0, lag_factor: 1.0 }
    }

    /// Updates `weights` by one step with the learning rate `rate`, and `average` with the new weights. `gradients`:
    /// the flattened gradient of each parameter, in the order of the names of [`new`](Self::new). The gradient of the
    /// n-gram table has the rows `ngram_rows` only.
    ///
    /// Before the first step, `average` must be a copy of the weights, except for the n-gram table, whose `average`
    /// must be zeros: see [`averaged`](Self::averaged).
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
        let clip = if clip_norm > 0.0 && norm > clip_norm { clip_norm / norm } else { 1.0 } as f32;
        self.steps += 1;
        let average_decay = decay_of_average(averaging, self.steps);
        let adam = AdamFactors::new(self.steps, rate);
        for (parameter, gradient) in self.parameters.iter_mut().zip(gradients) {
            let decay = if parameter.decays { weight_decay } else { 0.0 };
            let rule = Rule { method, adam, rate: rate as f32, decay };
            let weights = &mut weights.get_mut(&parameter.name).data;
            let average = &mut average.get_mut(&parameter.name).data;
            let mut states: Vec<&mut [f32]> = parameter.states.iter_mut().map(Vec::as_mut_slice).collect();
            let Some(width) = parameter.row_width else {
                rule.apply(Update { weights, average, gradient, clip, average_decay }, states);
                continue;
            };
            // The n-gram table, whose `average` has differences in place of averages: see `averaged`.
            let mut new_weights = vec![0.0; width];
            for (&row, gradient) in ngram_rows.iter().zip(gradient.chunks_exact(width)) {
                let range = row as usize * width..(row as usize + 1) * width;
                let old_weights = weights[range.clone()].to_vec();
                // With a decay of 0, the running average equals the weights: `new_weights` receives a copy of them.
                let weights = &mut weights[range.clone()];
                let update = Update { weights, average: &mut new_weights, gradient, clip, average_decay: 0.0 };
                rule.apply(update, states.iter_mut().map(|state| &mut state[range.clone()]).collect());
                if average_decay > 0.0 {
                    for ((lag, old), new) in average[range].iter_mut().zip(&old_weights).zip(&new_weights) {
                        *lag += (old - new) / self.lag_factor;
                    }
                }
            }
            if average_decay > 0.0 {
                self.lag_factor *= average_decay;
            }
            if self.lag_factor < LEAST_LAG_FACTOR {
                average.iter_mut().for_each(|lag| *lag *= self.lag_factor);
                self.lag_factor = 1.0;
            }
        }
        norm
    }

    /// Returns the running averages of all weights. `average`: the arrays that [`step`](Self::step) has updated.
    ///
    /// For the n-gram table, `average` has the differences between the running average and the weights, divided by
    /// [`lag_factor`](Self::lag_factor). Each step multiplies all differences by the decay of the average, d, by
    /// changing only the factor; the difference of a row that the step changes from w to w' becomes d · (average − w +
    /// w − w'). So the average of each row is exact, and a step takes time only for the rows that it changes.
    pub fn averaged(&self, weights: &Weights, average: &Weights) -> Weights {
        let mut averaged = average.clone();
        for Parameter { name, .. } in self.parameters.iter().filter(|parameter| parameter.row_width.is_some()) {
            for (value, weight) in averaged.get_mut(name).data.iter_mut().zip(&weights[name].data) {
                *value = weight + self.lag_factor * *value;
            }
        }
        averaged
    }

    /// The factor of the differences that `average` has for the n-gram table: see [`averaged`](Self::averaged). A
    /// checkpoint stores it.
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

    /// Iterates over the optimizer state: the parameter's name, the state's name, its values.
    pub fn states(&self) -> impl Iterator<Item = (&str, &'static str, &[f32])> {
        self.parameters.iter().flat_map(|parameter| {
            let names = self.settings.method.state_names().iter();
            names.zip(&parameter.states).map(|(state, values)| (parameter.name.as_str(), *state, values.as_slice()))
        })
    }

    /// Restores one state for all parameters. `state`: one of [`Method::state_names`]; `values`: the state of each
    /// parameter, by the name of the parameter.
    ///
    /// # Panics
    /// Panics if the state of a parameter is missing or has the wrong length.
    pub fn restore(&mut self, state: &str, values: &Weights) {
        let names = self.settings.method.state_names();
        for parameter in &mut self.parameters {
            for (name, state_values) in names.iter().zip(&mut parameter.states) {
                if *name == state {
                    state_values.copy_from_slice(&values[&parameter.name].data);
                }
            }
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
    /// Updates a parameter or one of its rows. `states`: the optimizer state of the same values, in the order of
    /// [`Method::state_names`].
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
}

/// Runs `update` with the vector instructions of this processor.
fn dispatch(update: impl NullaryFnOnce) {
    Arch::new().dispatch(update);
}

/// Returns the sum of the squares, in eight independent sums that the processor computes in parallel.
fn square_norm(values: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*value) * f64::from(*value);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests;
