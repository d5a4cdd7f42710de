//! The losses of [`Objective`] and their gradients on a device.

use super::launch::{Argument, Launch};
use super::rows::upload;
use crate::objective::{Objective, Targets};
use candle_core::{DType, Device, Result, Tensor};

/// The targets of a batch on a device.
#[derive(Clone, Debug)]
pub enum DeviceTargets {
    /// Labels or tokens.
    Classes {
        /// The index of a label or token for each row of the outputs: u32, `[rows]`. `u32::MAX` for a row without a
        /// target.
        labels: Tensor,
        /// The probabilities that teachers predict, `[rows, labels]`; `None` without teachers.
        teacher: Option<Tensor>,
    },
    /// Numbers, `[rows, width]`; NaN for a missing target.
    Values(Tensor),
}

impl DeviceTargets {
    /// Copies targets to a device.
    pub fn new(targets: &Targets, device: &Device) -> Result<Self> {
        Ok(match targets {
            Targets::Classes { labels, teacher } => DeviceTargets::Classes {
                // `NO_CLASS`, the mark of a row without a target, becomes `u32::MAX`.
                labels: upload(&labels.iter().map(|&label| label as u32).collect::<Vec<_>>(), device)?,
                teacher: match teacher.as_slice() {
                    [] => None,
                    teacher => Some(Tensor::new(teacher, device)?),
                },
            },
            Targets::Values { values, .. } => DeviceTargets::Values(Tensor::new(values.as_slice(), device)?),
        })
    }
}

/// An objective with its class weights on a device.
#[derive(Clone, Debug)]
pub struct DeviceObjective {
    /// Label smoothing, 0 to 1.
    smoothing: f32,
    /// The weight of the teachers' probabilities in the target, 0 to 1.
    teacher_weight: f32,
    /// The class weights, `[labels]`; `None` for an objective without class weights.
    weights: Option<Tensor>,
}

/// The loss of a batch on a device.
#[derive(Clone, Debug)]
pub struct DeviceLoss {
    /// Three arrays in one buffer: the gradient with respect to the outputs, `[rows, outputs]`; the loss of each row,
    /// `[rows]`; and, for each row, 1 if the prediction is correct, otherwise 0, `[rows]`.
    buffer: Tensor,
    /// Number of rows of the outputs.
    rows: usize,
}

impl DeviceObjective {
    /// Copies an objective to a device.
    pub fn new(objective: &Objective, device: &Device) -> Result<Self> {
        let Objective::Classes(classes) = objective else {
            return Ok(DeviceObjective { smoothing: 0.0, teacher_weight: 0.0, weights: None });
        };
        let weights: Vec<f32> = classes.weights.iter().map(|&weight| weight as f32).collect();
        Ok(DeviceObjective {
            smoothing: classes.smoothing as f32,
            teacher_weight: classes.teacher_weight as f32,
            weights: Some(Tensor::new(weights.as_slice(), device)?),
        })
    }

    /// Computes the loss of `outputs`, `[rows, outputs]`. `share`: the factor of the gradient, as in
    /// [`Loss::gradient`](crate::objective::Loss::gradient).
    pub fn loss(&self, outputs: &Tensor, targets: &DeviceTargets, share: f64) -> Result<DeviceLoss> {
        let (rows, width) = outputs.dims2()?;
        let (outputs, share) = (outputs.detach().contiguous()?, Argument::Float(share as f32));
        let weights = Argument::read_or_null(self.weights.as_ref());
        let smoothing = Argument::Float(self.smoothing);
        let read = |tensor| Argument::Read(tensor, 0);
        let gradient_size = rows * width;
        // The three arrays of `DeviceLoss::buffer`.
        let written = [0, gradient_size, gradient_size + rows].map(Argument::Write);
        // One output for each row is that of a binary classifier.
        let is_binary = width == 1;
        let launch = match targets {
            DeviceTargets::Classes { labels, teacher } => {
                let teacher_weight = teacher.as_ref().map_or(0.0, |_| self.teacher_weight);
                let mut arguments = vec![
                    read(&outputs),
                    read(labels),
                    weights,
                    Argument::read_or_null(teacher.as_ref()),
                    // The binary kernel takes the number of rows, the other one the number of outputs.
                    Argument::int(if is_binary { rows } else { width }),
                    smoothing,
                    Argument::Float(teacher_weight),
                    share,
                ];
                arguments.extend(written);
                if is_binary {
                    Launch::one_thread_each("binary_cross_entropy", rows, arguments)
                } else {
                    Launch::combining("cross_entropy", rows, arguments)
                }
            }
            DeviceTargets::Values(values) => {
                let mut arguments =
                    vec![read(&outputs), read(values), Argument::int(rows), Argument::int(width), share];
                arguments.extend(written);
                Launch::one_thread_each("squared_error", rows, arguments)
            }
        };
        Ok(DeviceLoss { buffer: launch.write_new(gradient_size + 2 * rows, outputs.device())?, rows })
    }
}

impl DeviceLoss {
    /// A scalar for automatic differentiation: its gradient with respect to `outputs` is the gradient of the loss. Its
    /// value is not the loss.
    pub fn scalar(&self, outputs: &Tensor) -> Result<Tensor> {
        let gradient = self.buffer.narrow(0, 0, outputs.elem_count())?.reshape(outputs.shape())?;
        (outputs * gradient)?.sum_all()
    }

    /// Computes the figures of a step. The norm of the gradients starts at 0: see [`Figures::add_gradient`].
    pub fn figures(&self) -> Result<Figures> {
        // The gradient comes before the losses, and as many marks of correct predictions come after them.
        let losses_start = self.buffer.elem_count() - 2 * self.rows;
        let arguments = vec![
            Argument::Read(&self.buffer, losses_start),
            Argument::Read(&self.buffer, losses_start + self.rows),
            Argument::int(self.rows),
            Argument::Write(0),
        ];
        let figures = Tensor::zeros(3, DType::F64, self.buffer.device())?;
        Launch::combining("sum_losses", 1, arguments).write(&figures)?;
        Ok(Figures(figures))
    }
}

/// The figures of a training step on the device, `[3]` in f64: the sum of the losses, the number of correct
/// predictions, and the squared norm of the gradients.
#[derive(Clone, Debug)]
pub struct Figures(Tensor);

impl Figures {
    /// Adds the squared norm of the gradient of one parameter. Call it once for each parameter before
    /// [`read`](Self::read).
    pub fn add_gradient(&self, gradient: &Tensor) -> Result<()> {
        let arguments = vec![Argument::Read(gradient, 0), Argument::int(gradient.elem_count()), Argument::Write(0)];
        Launch::combining("add_square_norm", 1, arguments).write(&self.0)
    }

    /// The figures on the device, as the argument of a kernel.
    pub(super) fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Waits for the device, and returns the sum of the losses, the number of correct predictions and the norm of the
    /// gradients.
    pub fn read(&self) -> Result<(f64, usize, f64)> {
        let figures = self.0.to_vec1::<f64>()?;
        Ok((figures[0], figures[1] as usize, figures[2].sqrt()))
    }
}
