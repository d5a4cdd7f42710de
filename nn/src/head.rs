//! The head of a network in a training graph: from the pooled states and the n-gram sums to the loss.

use crate::ops;
use candle_core::{Result, Tensor};

/// The layers of the head as candle tensors: for each the weight, `[out_features, in_features]`, and the bias,
/// `[out_features]`.
#[derive(Clone, Debug)]
pub struct HeadLayers {
    /// The hidden layer with ReLU, if there is one.
    pub hidden: Option<(Tensor, Tensor)>,
    /// The last layer.
    pub fc: (Tensor, Tensor),
}

impl HeadLayers {
    /// Computes the loss of a batch, a scalar: (1 − s) · L(all parts) + s · Σ L(part), with s = `branch_loss`; see
    /// [`Graph::branch_loss`](crate::graph::Graph::branch_loss), which is 0 if there is a hidden layer.
    ///
    /// `parts`: the parts of the head's input, `[rows, width]` each: the states of the recurrent layers, the sums of
    /// the n-gram branch, or both. `loss`: computes the loss of some outputs, `[rows, outputs]`, multiplied by a weight
    /// from 0 to 1. The first call of `loss` is that for all parts together.
    pub fn loss(
        &self,
        parts: &[Tensor],
        branch_loss: f64,
        mut loss: impl FnMut(&Tensor, f64) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut input = match parts {
            [part] => part.clone(),
            parts => Tensor::cat(parts, 1)?.contiguous()?,
        };
        if let Some((weight, bias)) = &self.hidden {
            input = ops::linear(&input, weight, bias)?.relu()?;
        }
        let (weight, bias) = &self.fc;
        let mut total = loss(&ops::linear(&input, weight, bias)?, 1.0 - branch_loss)?;
        if branch_loss > 0.0 {
            let mut first_column = 0;
            for part in parts {
                let width = part.dim(1)?;
                let weight_of_part = weight.narrow(1, first_column, width)?.contiguous()?;
                first_column += width;
                let outputs = ops::linear(&part.contiguous()?, &weight_of_part, bias)?;
                total = (total + loss(&outputs, branch_loss)?)?;
            }
        }
        Ok(total)
    }
}
