//! The recurrent layers of a network as a candle graph: stacked layers in one direction or both.

use crate::architecture::{CellBias, Merge, Pooling, Recurrent};
use crate::ops;
use crate::packed::{Direction, PackedLayout};
use crate::pooling::Reduction;
use crate::recurrent::{Biases, Layer, LayerOutput, LayerRun};
use crate::weights::Weights;
use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};
use std::sync::Arc;

/// The recurrent layers of a network and their parameters as candle variables.
#[derive(Debug)]
pub struct Stack {
    recurrent: Recurrent,
    /// `[layer][direction]`
    layers: Vec<Vec<Parameters>>,
}

/// One direction of a layer.
#[derive(Debug)]
struct Parameters {
    layer: Arc<Layer>,
    /// W_ih, W_hh and the [`Biases`], concatenated.
    flat: Var,
}

/// The input of the first layer.
#[derive(Clone, Copy, Debug)]
pub struct StackInput<'a> {
    /// `[rows, input_size]`: one row for each step of the packed batch, or one for each distinct token.
    pub x: &'a Tensor,
    /// For each step of the packed batch, the index of its row of x; `None` if x has one row for each step.
    pub tokens: Option<&'a Arc<[u32]>>,
    /// The layout of the batch.
    pub layout: &'a Arc<PackedLayout>,
}

impl Stack {
    /// Copies the layers of `weights`, which must have passed [`Weights::check`], to a device.
    pub fn new(weights: &Weights, recurrent: Recurrent, device: &Device) -> Result<Self> {
        let layers = (0..recurrent.num_layers).map(|layer| {
            let directions = recurrent.directions().iter().map(|&direction| {
                let names = recurrent.names(layer, direction);
                let [w_ih, w_hh] = [&names.w_ih, &names.w_hh].map(|name| &weights[name].data);
                let biases = Biases::of_layer(recurrent.cell, weights, &names);
                let flat = [w_ih, w_hh, biases.input.as_slice(), &biases.b_hn].concat();
                Ok(Parameters {
                    layer: Arc::new(Layer::new(recurrent.cell, direction, w_ih, w_hh, &biases)),
                    flat: Var::from_slice(&flat, flat.len(), device)?,
                })
            });
            directions.collect()
        });
        Ok(Stack { recurrent, layers: layers.collect::<Result<_>>()? })
    }

    /// Computes the hidden states of every layer and direction: `[layer][direction]`, each `[rows, hidden_size]`.
    ///
    /// `between` is applied to the output of every layer but the last; it is where dropout goes.
    pub fn forward(
        &self,
        input: StackInput<'_>,
        between: impl FnMut(&Tensor) -> Result<Tensor>,
    ) -> Result<Vec<Vec<Tensor>>> {
        self.run(input, between, |_| LayerOutput::States)
    }

    /// Computes the merged states of the last layer after every step: `[rows, merged_width]`.
    pub fn merged_states(
        &self,
        input: StackInput<'_>,
        between: impl FnMut(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let states = self.forward(input, between)?;
        merge(states.last().map_or(&[], Vec::as_slice), self.recurrent.merge)
    }

    /// Computes the input of the head, `[sequences, head_width]` in the order of the layout. The result equals
    /// [`head_input`](Self::head_input) of the last layer's states, but these are not materialised where pooling and
    /// merging can be exchanged.
    pub fn pooled(&self, input: StackInput<'_>, between: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let Recurrent { merge: how, pooling, bidirectional, .. } = self.recurrent;
        let reductions = Reduction::after_merging(pooling);
        if pooling != Pooling::Last && bidirectional && how != Merge::Concat {
            // The maximum of a sum is not the sum of the maxima, nor the mean of a product the product of the means.
            // The mean of a sum could be exchanged, but takes the same path for simplicity.
            let states = self.forward(input, between)?;
            return self.head_input(states.last().map_or(&[], Vec::as_slice), input.layout);
        }
        let output = |direction| match pooling {
            Pooling::Last => LayerOutput::Reduced(vec![Reduction::Last(direction)]),
            _ => LayerOutput::Reduced(reductions.to_vec()),
        };
        let parts = self.run(input, between, output)?.pop().unwrap_or_default();
        if pooling == Pooling::Last || reductions.len() == 1 || !bidirectional {
            return merge(&parts, how);
        }
        // Each direction has given its means and maxima; the head expects the means of both, then the maxima of both.
        let n = parts[0].dim(1)? / reductions.len();
        let columns =
            (0..reductions.len()).flat_map(|index| parts.iter().map(move |part| part.narrow(1, index * n, n)));
        Tensor::cat(&columns.collect::<Result<Vec<_>>>()?, 1)?.contiguous()
    }

    /// Runs all layers. `last_output` selects the output of each direction of the last layer.
    fn run(
        &self,
        input: StackInput<'_>,
        mut between: impl FnMut(&Tensor) -> Result<Tensor>,
        last_output: impl Fn(Direction) -> LayerOutput,
    ) -> Result<Vec<Vec<Tensor>>> {
        let mut outputs: Vec<Vec<Tensor>> = Vec::with_capacity(self.layers.len());
        for (index, directions) in self.layers.iter().enumerate() {
            let (x, tokens) = match outputs.last() {
                Some(below) => (between(&merge(below, Merge::Concat)?)?, None),
                None => (input.x.clone(), input.tokens),
            };
            let is_last = index + 1 == self.layers.len();
            let states = directions.iter().map(|Parameters { layer, flat }| {
                let output = if is_last { last_output(layer.direction()) } else { LayerOutput::States };
                let run =
                    LayerRun { layer: layer.clone(), layout: input.layout.clone(), tokens: tokens.cloned(), output };
                ops::recurrent(&x, flat, run)
            });
            outputs.push(states.collect::<Result<_>>()?);
        }
        Ok(outputs)
    }

    /// Merges and pools the states of the last layer: the input of the head, `[sequences, head_width]` in the order of
    /// the layout.
    pub fn head_input(&self, states: &[Tensor], layout: &Arc<PackedLayout>) -> Result<Tensor> {
        let Recurrent { merge: how, pooling, .. } = self.recurrent;
        let reduce = |x: &Tensor, reduction| ops::reduce(x, layout.clone(), reduction);
        if pooling == Pooling::Last {
            let last = states.iter().zip(self.recurrent.directions());
            let last = last.map(|(states, &direction)| reduce(states, Reduction::Last(direction)));
            return merge(&last.collect::<Result<Vec<_>>>()?, how);
        }
        let merged = merge(states, how)?;
        let parts = Reduction::after_merging(pooling).iter().map(|&reduction| reduce(&merged, reduction));
        merge(&parts.collect::<Result<Vec<_>>>()?, Merge::Concat)
    }

    /// Returns the gradients of PyTorch's parameters: weight_ih, weight_hh, bias_ih and, with two biases, bias_hh of
    /// each layer and direction. A parameter that the loss does not depend on has a gradient of zero.
    pub fn gradients(&self, store: &GradStore) -> Result<Vec<Vec<f32>>> {
        let mut gradients = Vec::new();
        for Parameters { layer, flat } in self.layers.iter().flatten() {
            let gradient = gradient(store, flat)?;
            let (w_ih, rest) = gradient.split_at(layer.width() * layer.input_size());
            let (w_hh, rest) = rest.split_at(layer.width() * layer.hidden_size());
            let (b_ih, b_hn) = rest.split_at(layer.width());
            gradients.extend([w_ih.to_vec(), w_hh.to_vec(), b_ih.to_vec()]);
            if self.recurrent.bias == CellBias::Two {
                // The layer adds the two biases of a gate, so both have the gradient of the sum. b_hn is separate.
                gradients.push([&b_ih[..b_ih.len() - b_hn.len()], b_hn].concat());
            }
        }
        Ok(gradients)
    }
}

/// Returns the flattened gradient of a variable; zeros if the loss does not depend on it.
pub fn gradient(store: &GradStore, var: &Var) -> Result<Vec<f32>> {
    match store.get(var) {
        Some(gradient) => gradient.flatten_all()?.to_vec1::<f32>(),
        None => Ok(vec![0.0; var.elem_count()]),
    }
}

/// Merges two tensors: those of both directions, or the results of two reductions. A single one is returned unchanged.
fn merge(tensors: &[Tensor], how: Merge) -> Result<Tensor> {
    let [first, second] = tensors else { return Ok(tensors[0].clone()) };
    match how {
        Merge::Concat => Tensor::cat(&[first, second], 1)?.contiguous(),
        Merge::Sum => first + second,
        Merge::Mean => (first + second)? * 0.5,
        Merge::Product => first * second,
    }
}

#[cfg(test)]
mod tests;
