//! The optimizers AdamW and SGD, with gradient clipping and a running average of the weights.
//!
//! Their steps are those of PyTorch's optimizers of the same names (test `every_step_is_pytorchs`).

mod rules;

use crate::weights::Weights;
use pulp::{Arch, NullaryFnOnce};
use rules::{AdamFactors, AdamW, Sgd, SgdWithMomentum, Update};

/// The optimizer's algorithm.
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
    /// Weight decay of matrices; biases do not decay.
    pub weight_decay: f32,
    /// Clip the norm of all gradients together to this value; 0 disables clipping.
    pub clip_norm: f64,
    /// Decay of the running average of the weights for each step; 0 disables averaging.
    pub averaging: f64,
}

/// An optimizer with its state.
#[derive(Debug)]
pub struct Optimizer {
    settings: Settings,
    parameters: Vec<Parameter>,
    steps: i32,
}

#[derive(Debug)]
struct Parameter {
    name: String,
    decays: bool,
    /// The optimizer state, in the order of [`Method::state_names`].
    states: Vec<Vec<f32>>,
}

impl Optimizer {
    /// Creates an optimizer for the parameters `names`.
    pub fn new<S: AsRef<str>>(names: &[S], weights: &Weights, settings: Settings) -> Self {
        let parameters = names
            .iter()
            .map(|name| {
                let name = name.as_ref();
                let zeros = vec![0.0; weights[name].data.len()];
                let decays = weights[name].shape.len() > 1;
                let states = settings.method.state_names().iter().map(|_| zeros.clone()).collect();
                Parameter { name: name.to_owned(), decays, states }
            })
            .collect();
        Optimizer { settings, parameters, steps: 0 }
    }

    /// Updates `weights` by one step with `gradients`, one for each parameter, and `average` with the new weights.
    ///
    /// Returns the norm of the gradients before clipping. If it is infinite or NaN, nothing is changed.
    pub fn step(&mut self, weights: &mut Weights, average: &mut Weights, gradients: &[Vec<f32>], rate: f64) -> f64 {
        let Settings { method, weight_decay, clip_norm, averaging } = self.settings;
        let norm = gradients.iter().map(|gradient| square_norm(gradient)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return norm;
        }
        let clip = if clip_norm > 0.0 && norm > clip_norm { clip_norm / norm } else { 1.0 } as f32;
        self.steps += 1;
        // A shorter average for the first steps, so that it does not include the random initial weights.
        let steps = f64::from(self.steps);
        let kept = averaging.min((steps - 1.0) / (steps + 9.0)) as f32;
        let adam = AdamFactors::new(self.steps, rate);
        for (parameter, gradient) in self.parameters.iter_mut().zip(gradients) {
            let decay = if parameter.decays { weight_decay } else { 0.0 };
            let update = Update {
                weights: &mut weights.get_mut(&parameter.name).data,
                average: &mut average.get_mut(&parameter.name).data,
                gradient,
                clip,
                kept,
            };
            match (method, parameter.states.as_mut_slice()) {
                (Method::AdamW, [mean, square]) => {
                    dispatch(AdamW { update, mean, square, factors: adam, shrink: 1.0 - rate as f32 * decay });
                }
                (Method::Sgd { .. }, []) => dispatch(Sgd { update, decay, rate: rate as f32 }),
                (Method::Sgd { momentum, nesterov }, [buffer]) => {
                    dispatch(SgdWithMomentum { update, buffer, decay, rate: rate as f32, momentum, nesterov });
                }
                _ => unreachable!("the states are created for the method"),
            }
        }
        norm
    }

    /// The algorithm.
    pub fn method(&self) -> Method {
        self.settings.method
    }

    /// Number of steps taken.
    pub fn steps(&self) -> i32 {
        self.steps
    }

    /// Sets the number of steps taken, to resume a training.
    pub fn set_steps(&mut self, steps: i32) {
        self.steps = steps;
    }

    /// Iterates over the optimizer state: the parameter's name, the state's name, its values.
    pub fn states(&self) -> impl Iterator<Item = (&str, &'static str, &[f32])> {
        self.parameters.iter().flat_map(|parameter| {
            let names = self.settings.method.state_names().iter();
            names.zip(&parameter.states).map(|(state, values)| (parameter.name.as_str(), *state, values.as_slice()))
        })
    }

    /// Restores one state of [`Method::state_names`] for all parameters. `values`: by the names of the parameters.
    pub fn restore(&mut self, state: &str, values: &Weights) {
        let names = self.settings.method.state_names();
        for parameter in &mut self.parameters {
            for (_, slot) in names.iter().zip(&mut parameter.states).filter(|(name, _)| **name == state) {
                slot.copy_from_slice(&values[&parameter.name].data);
            }
        }
    }
}

fn dispatch(update: impl NullaryFnOnce) {
    Arch::new().dispatch(update);
}

/// Sum of squares, in eight independent sums that the processor computes in parallel.
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
