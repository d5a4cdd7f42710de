//! Steps against the gradients, with clipping and a running average of the weights.
//!
//! | file | what |
//! |---|---|
//! | `adamw` | Adam with decoupled weight decay; without decay, plain Adam |
//! | `sgd` | gradient descent, with momentum (Nesterov's too) |
//!
//! Both take the steps that PyTorch's optimizers of the same names take: `golden` holds them to it.

mod adamw;
mod sgd;

use crate::weights::Weights;
use pulp::{Arch, NullaryFnOnce};

/// How a gradient becomes a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// As `torch.optim.AdamW` with its betas (0.9, 0.999) and epsilon (1e-8).
    AdamW,
    /// As `torch.optim.SGD` without dampening.
    Sgd {
        /// Share of a step that the next one keeps; 0: none.
        momentum: f32,
        /// Whether the gradient is added once more after the momentum (Nesterov).
        nesterov: bool,
    },
}

impl Method {
    /// The names of what is remembered of each parameter from step to step, as in PyTorch's `state_dict`. Each is as
    /// long as the parameter and begins as zeros.
    pub fn memories(self) -> &'static [&'static str] {
        match self {
            Method::AdamW => &["exp_avg", "exp_avg_sq"],
            Method::Sgd { momentum: 0.0, .. } => &[],
            Method::Sgd { .. } => &["momentum_buffer"],
        }
    }
}

/// The settings that hold for the whole training.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How a gradient becomes a step.
    pub method: Method,
    /// Decay of weight matrices. AdamW shrinks them by this and the rate; SGD adds this share of them to the gradients.
    pub weight_decay: f32,
    /// The greatest norm of all gradients together; 0: any.
    pub clip_norm: f64,
    /// Decay of the running average per step; 0: none.
    pub averaging: f64,
}

/// The optimizer and its memory of the steps so far.
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
    /// In the order of [`Method::memories`].
    memories: Vec<Vec<f32>>,
}

impl Optimizer {
    /// An optimizer of the parameters `names`.
    pub fn new<S: AsRef<str>>(names: &[S], weights: &Weights, settings: Settings) -> Self {
        let parameters = names
            .iter()
            .map(|name| {
                let name = name.as_ref();
                let zeros = vec![0.0; weights[name].data.len()];
                // Biases do not grow with the size of the input: there is nothing to hold down.
                let decays = weights[name].shape.len() > 1;
                let memories = settings.method.memories().iter().map(|_| zeros.clone()).collect();
                Parameter { name: name.to_owned(), decays, memories }
            })
            .collect();
        Optimizer { settings, parameters, steps: 0 }
    }

    /// Takes a step against `gradients`, one for each parameter, and moves `average` towards the new weights.
    ///
    /// Returns the norm of the gradients before clipping. Where that is not a number, nothing is changed.
    pub fn step(&mut self, weights: &mut Weights, average: &mut Weights, gradients: &[Vec<f32>], rate: f64) -> f64 {
        let Settings { method, weight_decay, clip_norm, averaging } = self.settings;
        let norm = gradients.iter().map(|gradient| square_norm(gradient)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return norm;
        }
        let clip = if clip_norm > 0.0 && norm > clip_norm { clip_norm / norm } else { 1.0 } as f32;
        self.steps += 1;
        // Early on the average follows closely: it must not remember the random beginning.
        let steps = f64::from(self.steps);
        let kept = averaging.min((steps - 1.0) / (steps + 9.0)) as f32;
        let adam = adamw::Factors::new(self.steps, rate);
        for (parameter, gradient) in self.parameters.iter_mut().zip(gradients) {
            let decay = if parameter.decays { weight_decay } else { 0.0 };
            let step = Step {
                weights: &mut weights.get_mut(&parameter.name).data,
                average: &mut average.get_mut(&parameter.name).data,
                gradient,
                clip,
                kept,
            };
            match (method, parameter.memories.as_mut_slice()) {
                (Method::AdamW, [mean, square]) => {
                    dispatch(adamw::Update { step, mean, square, factors: adam, shrink: 1.0 - rate as f32 * decay });
                }
                (Method::Sgd { .. }, []) => dispatch(sgd::Plain { step, decay, rate: rate as f32 }),
                (Method::Sgd { momentum, nesterov }, [buffer]) => {
                    dispatch(sgd::Momentum { step, buffer, decay, rate: rate as f32, momentum, nesterov });
                }
                _ => unreachable!("the memories are made by the method"),
            }
        }
        norm
    }
}

impl Optimizer {
    /// How a gradient becomes a step.
    pub fn method(&self) -> Method {
        self.settings.method
    }

    /// Steps taken.
    pub fn steps(&self) -> i32 {
        self.steps
    }

    /// Continues after so many steps.
    pub fn set_steps(&mut self, steps: i32) {
        self.steps = steps;
    }

    /// All memories: the parameter's name, the memory's, its values.
    pub fn memories(&self) -> impl Iterator<Item = (&str, &'static str, &[f32])> {
        self.parameters.iter().flat_map(|parameter| {
            let names = self.settings.method.memories().iter();
            names.zip(&parameter.memories).map(|(memory, values)| (parameter.name.as_str(), *memory, values.as_slice()))
        })
    }

    /// Puts values, by the parameters' names, into a memory of [`Method::memories`].
    pub fn restore(&mut self, memory: &str, values: &Weights) {
        let names = self.settings.method.memories();
        for parameter in &mut self.parameters {
            for (_, slot) in names.iter().zip(&mut parameter.memories).filter(|(name, _)| **name == memory) {
                slot.copy_from_slice(&values[&parameter.name].data);
            }
        }
    }
}

/// What every method needs of a parameter. All slices are of its length.
struct Step<'a> {
    weights: &'a mut [f32],
    average: &'a mut [f32],
    gradient: &'a [f32],
    /// The gradient is multiplied by this.
    clip: f32,
    /// Share of the average that stays.
    kept: f32,
}

impl Step<'_> {
    /// Puts what `rule` makes of each place, its weight and its clipped gradient in the weight's stead, and moves the average there.
    #[inline(always)]
    fn take(self, mut rule: impl FnMut(usize, f32, f32) -> f32) {
        let Step { weights, average, gradient, clip, kept } = self;
        let n = weights.len();
        let (average, gradient) = (&mut average[..n], &gradient[..n]);
        for i in 0..n {
            weights[i] = rule(i, weights[i], gradient[i] * clip);
            average[i] = kept * average[i] + (1.0 - kept) * weights[i];
        }
    }
}

fn dispatch(update: impl NullaryFnOnce) {
    Arch::new().dispatch(update);
}

/// Sum of squares, in eight chains so that they overlap.
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
mod golden;
#[cfg(test)]
mod tests;
