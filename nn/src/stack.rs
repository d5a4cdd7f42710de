//! The recurrent layers of a network as a candle graph: stacked layers in one direction or both.

use crate::architecture::{Cell, CellBias, Merge, Pooling, Recurrent};
use crate::gpu::{self, batch::DeviceBatch};
use crate::ops;
use crate::packed::{Direction, PackedLayout};
use crate::pooling::Reduction;
use crate::recurrent::{Biases, Layer, LayerOutput, LayerRun, LayerShape};
use crate::weights::Weights;
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var};
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
    shape: LayerShape,
    /// The layer for [`ops::recurrent`]; `None` for a stack that runs with the kernels of [`gpu`](crate::gpu).
    layer: Option<Arc<Layer>>,
    /// W_ih, W_hh and the [`Biases`], concatenated.
    flat: Tensor,
}

/// The input of the first layer.
#[derive(Clone, Copy, Debug)]
pub struct StackInput<'a> {
    /// `[rows, input_size]`: one row for each step of the packed batch, or one for each distinct token.
    pub x: &'a Tensor,
    /// For each step of the packed batch, the index of its row of x; `None` if x has one row for each step. Unused with
    /// `on_device`, which has this index itself.
    pub tokens: Option<&'a Arc<[u32]>>,
    /// The layout of the batch.
    pub layout: &'a Arc<PackedLayout>,
    /// The layout on the device; required by a stack that [`Stack::on_device`] created.
    pub on_device: Option<&'a Arc<DeviceBatch>>,
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
                let layer = Layer::new(recurrent.cell, direction, w_ih, w_hh, &biases);
                Ok(Parameters {
                    shape: layer.shape(),
                    layer: Some(Arc::new(layer)),
                    flat: Var::from_slice(&flat, flat.len(), device)?.into_inner(),
                })
            });
            directions.collect()
        });
        Ok(Stack { recurrent, layers: layers.collect::<Result<_>>()? })
    }

    /// Creates the layers from tensors that are on a device; candle computes the gradients of these tensors. The layers
    /// run with the kernels of [`gpu`](mod@crate::gpu). `parameter`: returns a parameter by its PyTorch name.
    pub fn on_device<'a>(recurrent: Recurrent, parameter: impl Fn(&str) -> &'a Tensor) -> Result<Self> {
        let cell = recurrent.cell;
        let layers = (0..recurrent.num_layers).map(|layer| {
            let directions = recurrent.directions().iter().map(|&direction| {
                let names = recurrent.names(layer, direction);
                let [w_ih, w_hh, b_ih] = [&names.w_ih, &names.w_hh, &names.b_ih].map(|name| parameter(name));
                let hidden_size = w_hh.dim(1)?;
                let mut parts = vec![w_ih.flatten_all()?, w_hh.flatten_all()?];
                // As in `Biases::new`: the two biases of the first `shared` rows are added, those of a GRU's gate n are
                // separate.
                let shared = if cell == Cell::Gru { 2 * hidden_size } else { b_ih.dim(0)? };
                let rest = b_ih.dim(0)? - shared;
                match names.b_hh.as_ref().map(|name| parameter(name)) {
                    Some(b_hh) => {
                        parts.push((b_ih.narrow(0, 0, shared)? + b_hh.narrow(0, 0, shared)?)?);
                        if rest > 0 {
                            parts.extend([b_ih.narrow(0, shared, rest)?, b_hh.narrow(0, shared, rest)?]);
                        }
                    }
                    None => {
                        parts.push(b_ih.clone());
                        if rest > 0 {
                            parts.push(Tensor::zeros(rest, DType::F32, b_ih.device())?);
                        }
                    }
                }
                let shape = LayerShape { cell, direction, input_size: w_ih.dim(1)?, hidden_size };
                Ok(Parameters { shape, layer: None, flat: Tensor::cat(&parts, 0)? })
            });
            directions.collect()
        });
        Ok(Stack { recurrent, layers: layers.collect::<Result<_>>()? })
    }

    /// Computes the hidden states of every layer and direction: `[layer][direction]`, each `[rows, hidden_size]`.
    ///
    /// `between` is applied to the output of every layer but the last, for dropout.
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
            return self.head_input(states.last().map_or(&[], Vec::as_slice), input.layout, input.on_device);
        }
        let output = |direction| match pooling {
            Pooling::Last => LayerOutput::Reduced(vec![Reduction::Last(direction)]),
            _ => LayerOutput::Reduced(reductions.to_vec()),
        };
        let parts = self.run(input, between, output)?.pop().unwrap_or_default();
        // With a single reduction the directions are side by side; a single direction has its reductions side by side.
        if pooling == Pooling::Last || reductions.len() == 1 || !bidirectional {
            return merge(&parts, how);
        }
        // `parts` has the means and maxima of each direction; the head expects the means of both directions, then the
        // maxima of both.
        let n = parts[0].dim(1)? / reductions.len();
        let columns =
            (0..reductions.len()).flat_map(|index| parts.iter().map(move |part| part.narrow(1, index * n, n)));
        Tensor::cat(&columns.collect::<Result<Vec<_>>>()?, 1)?.contiguous()
    }

    /// Runs all layers and returns their outputs, `[layer][direction]`. `last_output` selects the output of each
    /// direction of the last layer; all other layers return their hidden states.
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
            let states = directions.iter().map(|Parameters { shape, layer, flat }| {
                let output = if is_last { last_output(shape.direction) } else { LayerOutput::States };
                match (layer, input.on_device) {
                    (Some(layer), _) => {
                        let (layer, layout, tokens) = (layer.clone(), input.layout.clone(), tokens.cloned());
                        ops::recurrent(&x, flat, LayerRun { layer, layout, tokens, output })
                    }
                    // The batch has an index of tokens for the first layer only.
                    (None, Some(batch)) => gpu::layer::recurrent(&x, flat, *shape, index == 0, batch, &output),
                    (None, None) => candle_core::bail!("a stack on a device needs `StackInput::on_device`, found none"),
                }
            });
            outputs.push(states.collect::<Result<_>>()?);
        }
        Ok(outputs)
    }

    /// Merges and pools the states of the last layer. Returns the input of the head, `[sequences, head_width]` in the
    /// order of the layout. `states`: those of each direction, `[rows, hidden_size]`; `on_device`: as in
    /// [`StackInput`].
    pub fn head_input(
        &self,
        states: &[Tensor],
        layout: &Arc<PackedLayout>,
        on_device: Option<&Arc<DeviceBatch>>,
    ) -> Result<Tensor> {
        let Recurrent { merge: how, pooling, .. } = self.recurrent;
        let reduce = |x: &Tensor, reduction| match on_device {
            Some(batch) => gpu::reduce::reduce(x, batch, reduction),
            None => ops::reduce(x, layout.clone(), reduction),
        };
        if pooling == Pooling::Last {
            let last = states.iter().zip(self.recurrent.directions());
            let last = last.map(|(states, &direction)| reduce(states, Reduction::Last(direction)));
            return merge(&last.collect::<Result<Vec<_>>>()?, how);
        }
        let merged = merge(states, how)?;
        let parts = Reduction::after_merging(pooling).iter().map(|&reduction| reduce(&merged, reduction));
        merge(&parts.collect::<Result<Vec<_>>>()?, Merge::Concat)
    }

    /// Returns the flattened gradients of PyTorch's parameters: weight_ih, weight_hh, bias_ih and, with two biases,
    /// bias_hh of each layer and direction. A parameter that the loss does not depend on has a gradient of zero.
    pub fn gradients(&self, store: &GradStore) -> Result<Vec<Vec<f32>>> {
        let mut gradients = Vec::new();
        for Parameters { shape, flat, .. } in self.layers.iter().flatten() {
            let gradient = gradient(store, flat)?;
            let (w_ih, rest) = gradient.split_at(shape.width() * shape.input_size);
            let (w_hh, rest) = rest.split_at(shape.width() * shape.hidden_size);
            let (b_ih, b_hn) = rest.split_at(shape.width());
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
pub fn gradient(store: &GradStore, var: &Tensor) -> Result<Vec<f32>> {
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
