//! A parameter on a device, with its running average and the state of its optimizer.

use super::launch::{Argument, Launch};
use super::losses::Figures;
use candle_core::{Device, Result, Tensor, Var};

/// A parameter with its running average and the states of its optimizer, `[2 + states, count]`.
#[derive(Debug)]
pub struct DeviceParameter {
    shape: Vec<usize>,
    values: Tensor,
}

/// The gradient of a parameter.
#[derive(Clone, Copy, Debug)]
pub struct Gradient<'a> {
    /// `[rows, width]`, or all values of the parameter.
    pub values: &'a Tensor,
    /// The rows of the parameter that `values` holds, and their width; `None` if it holds all.
    pub rows: Option<(&'a Tensor, usize)>,
}

/// The rule of the optimizer for one parameter and step.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// AdamW: the corrected learning rate, the correction of the root mean square, and the factor of the weights.
    AdamW {
        /// The learning rate divided by the bias correction of the mean.
        rate: f32,
        /// The bias correction of the root mean square.
        scale: f32,
        /// Factor of the weights, from weight decay.
        shrink: f32,
    },
    /// Stochastic gradient descent.
    Sgd {
        /// Learning rate.
        rate: f32,
        /// Weight decay.
        decay: f32,
        /// Momentum; 0 for none.
        momentum: f32,
        /// True for Nesterov momentum.
        nesterov: bool,
    },
}

/// The settings that all parameters share in a step.
#[derive(Clone, Copy, Debug)]
pub struct StepSettings<'a> {
    /// The figures of the step. If its loss or norm is not finite, nothing changes.
    pub figures: &'a Figures,
    /// Clip the norm of all gradients to this value; 0 for no clipping.
    pub clip_norm: f64,
    /// Decay of the running average.
    pub kept: f32,
}

impl DeviceParameter {
    /// Copies a parameter to a device. `arrays`: the weights, the average, and the states of the optimizer.
    pub fn new<'a>(shape: &[usize], arrays: impl Iterator<Item = &'a [f32]>, device: &Device) -> Result<Self> {
        let values: Vec<f32> = arrays.flatten().copied().collect();
        Ok(DeviceParameter { shape: shape.to_vec(), values: Tensor::new(values.as_slice(), device)? })
    }

    fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// A copy of the weights as a variable, whose gradient candle computes.
    pub fn variable(&self) -> Result<Var> {
        Var::from_tensor(&self.weights()?)
    }

    /// The weights, which share the memory of the parameter.
    pub fn weights(&self) -> Result<Tensor> {
        self.values.narrow(0, 0, self.count())?.reshape(self.shape.as_slice())
    }

    /// Copies the weights, the average and the states of the optimizer to the host.
    pub fn read(&self) -> Result<Vec<Vec<f32>>> {
        Ok(self.values.to_vec1::<f32>()?.chunks_exact(self.count()).map(<[f32]>::to_vec).collect())
    }

    /// Changes the parameter by one step. `lag_factor`: that of the average of an n-gram table, otherwise 0.
    pub fn step(&self, gradient: Gradient<'_>, rule: Rule, settings: StepSettings<'_>, lag_factor: f32) -> Result<()> {
        let StepSettings { figures, clip_norm, kept } = settings;
        let (index, width) = gradient.rows.unzip();
        let mut arguments = vec![
            Argument::Read(gradient.values, 0),
            Argument::read_or_null(index),
            Argument::Read(figures.tensor(), 0),
            Argument::int(gradient.values.elem_count()),
            Argument::int(width.unwrap_or(1)),
            Argument::int(self.count()),
            Argument::Float(clip_norm as f32),
            Argument::Float(kept),
            Argument::Float(lag_factor),
        ];
        let kernel = match rule {
            Rule::AdamW { rate, scale, shrink } => {
                arguments.extend([rate, scale, shrink].map(Argument::Float));
                "adamw"
            }
            Rule::Sgd { rate, decay, momentum, nesterov } => {
                arguments.extend([rate, decay, momentum].map(Argument::Float));
                arguments.push(Argument::int(nesterov.into()));
                "sgd"
            }
        };
        arguments.push(Argument::Write(0));
        Launch::one_thread_each(kernel, gradient.values.elem_count(), arguments).write(&self.values)
    }

    /// Multiplies the average by a factor.
    pub fn scale_average(&self, factor: f32) -> Result<()> {
        let count = self.count();
        let arguments = vec![Argument::Float(factor), Argument::int(count), Argument::Write(count)];
        Launch::one_thread_each("scale_values", count, arguments).write(&self.values)
    }
}
