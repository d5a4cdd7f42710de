//! A parameter on a device, with its running average and its optimizer state.

use super::launch::{Argument, Launch};
use super::losses::Figures;
use candle_core::{Device, Result, Tensor, Var};

/// A parameter with its running average and its optimizer state.
#[derive(Debug)]
pub struct DeviceParameter {
    shape: Vec<usize>,
    /// The weights, their running average and the optimizer states, each of as many values as `shape` has,
    /// concatenated.
    values: Tensor,
}

/// The gradient of a parameter.
#[derive(Clone, Copy, Debug)]
pub struct Gradient<'a> {
    /// The gradient of some rows, `[rows, width]`, or of the whole parameter.
    pub values: &'a Tensor,
    /// The indices of the rows that have a gradient, u32, and the width of a row; `None` for the whole parameter.
    pub rows: Option<(&'a Tensor, usize)>,
}

/// The rule of the optimizer for one parameter and step.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// AdamW; see [`adam_factors`](crate::optimizer::adam_factors).
    AdamW {
        /// The learning rate divided by the bias correction of the mean.
        rate: f32,
        /// The factor that corrects the bias of the root mean square.
        scale: f32,
        /// The factor of the weights: 1 − learning rate · weight decay.
        shrink: f32,
    },
    /// Stochastic gradient descent.
    Sgd {
        /// Learning rate.
        rate: f32,
        /// Weight decay.
        decay: f32,
        /// Momentum; 0 disables it.
        momentum: f32,
        /// True for Nesterov momentum.
        nesterov: bool,
    },
}

/// The settings that all parameters share in a step.
#[derive(Clone, Copy, Debug)]
pub struct StepSettings<'a> {
    /// The figures of the step. If the loss or the norm of the gradients is not finite, the step changes nothing.
    pub figures: &'a Figures,
    /// The value to which the norm of all gradients together is clipped; 0 disables clipping.
    pub clip_norm: f64,
    /// Decay of the running average in this step.
    pub average_decay: f32,
}

impl DeviceParameter {
    /// Copies a parameter to a device. `arrays`: the weights, the average and the optimizer states, each with as many
    /// values as `shape` has.
    pub fn new<'a>(shape: &[usize], arrays: impl Iterator<Item = &'a [f32]>, device: &Device) -> Result<Self> {
        let values: Vec<f32> = arrays.flatten().copied().collect();
        Ok(DeviceParameter { shape: shape.to_vec(), values: Tensor::new(values.as_slice(), device)? })
    }

    /// Number of weights.
    fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Returns the weights as a variable, whose gradient candle computes.
    pub fn variable(&self) -> Result<Var> {
        Var::from_tensor(&self.weights()?)
    }

    /// Returns the weights as a view of the parameter's memory.
    pub fn weights(&self) -> Result<Tensor> {
        self.values.narrow(0, 0, self.count())?.reshape(self.shape.as_slice())
    }

    /// Copies the weights, the average and the optimizer states to the host, in this order.
    pub fn read(&self) -> Result<Vec<Vec<f32>>> {
        Ok(self.values.to_vec1::<f32>()?.chunks_exact(self.count()).map(<[f32]>::to_vec).collect())
    }

    /// Launches one step of the optimizer for this parameter. `lag_factor`: the
    /// [`lag_factor`](crate::optimizer::Optimizer::lag_factor) of the n-gram table; 0 for other parameters.
    pub fn step(&self, gradient: Gradient<'_>, rule: Rule, settings: StepSettings<'_>, lag_factor: f32) -> Result<()> {
        let StepSettings { figures, clip_norm, average_decay } = settings;
        // Without `rows` the kernel updates the whole parameter, and does not read the width.
        let (index, width) = gradient.rows.unzip();
        let mut arguments = vec![
            Argument::Read(gradient.values, 0),
            Argument::read_or_null(index),
            Argument::Read(figures.tensor(), 0),
            Argument::int(gradient.values.elem_count()),
            Argument::int(width.unwrap_or(1)),
            Argument::int(self.count()),
            Argument::Float(clip_norm as f32),
            Argument::Float(average_decay),
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

    /// Multiplies the running average by a factor.
    pub fn scale_average(&self, factor: f32) -> Result<()> {
        let count = self.count();
        // The average follows the weights in `values`.
        let arguments = vec![Argument::Float(factor), Argument::int(count), Argument::Write(count)];
        Launch::one_thread_each("scale_values", count, arguments).write(&self.values)
    }
}
