//! The recurrent layers of a network as a candle graph, in which each layer reads the states of the layer below.
//!
//! Each direction of a layer is one candle operation. It is that of [`ops`] for a stack of [`Stack::new`], or kernels
//! on a GPU for one of [`Stack::on_device`] ([`gpu`](mod@crate::gpu)). Batches are packed by time step, see
//! [`packed`](crate::packed): rows are the tokens of the batch.

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
    /// The layer for [`ops::recurrent`], with packed copies of the weights; `None` for a stack that runs with the
    /// kernels of [`gpu`](mod@crate::gpu).
    layer: Option<Arc<Layer>>,
    /// W_ih, W_hh and the [`Biases`], flattened and concatenated.
    flat: Tensor,
}

/// The input of the first layer.
#[derive(Clone, Copy, Debug)]
pub struct StackInput<'a> {
    /// `[rows of x, input_size]`: one row for each row of the packed batch, or one for each distinct token.
    pub x: &'a Tensor,
    /// For each row of the packed batch, the index of its row of x; `None` if x has one row for each row of the batch.
    /// Unused with `on_device`, which has these indices itself.
    pub tokens: Option<&'a Arc<[u32]>>,
    /// The layout of the batch.
    pub layout: &'a Arc<PackedLayout>,
    /// The layout on the device, which a stack of [`Stack::on_device`] requires; `None` for a stack of [`Stack::new`].
    pub on_device: Option<&'a Arc<DeviceBatch>>,
}

impl Stack {
    /// Copies the layers of `weights`, which must have passed [`Weights::check`], to candle variables on `device`.
    pub fn new(weights: &Weights, recurrent: Recurrent, device: &Device) -> Result<Self> {
        let mut layers = Vec::new();
        for index in 0..recurrent.num_layers {
            let mut directions = Vec::new();
            for &direction in recurrent.directions() {
                let names = recurrent.names(index, direction);
                let [w_ih, w_hh] = [&names.w_ih, &names.w_hh].map(|name| weights[name].data.as_slice());
                let biases = Biases::of_layer(recurrent.cell, weights, &names);
                let flat = [w_ih, w_hh, &biases.input, &biases.b_hn].concat();
                let layer = Layer::new(recurrent.cell, direction, w_ih, w_hh, &biases);
                directions.push(Parameters {
                    shape: layer.shape(),
                    layer: Some(Arc::new(layer)),
                    flat: Var::from_slice(&flat, flat.len(), device)?.into_inner(),
                });
            }
            layers.push(directions);
        }
        Ok(Stack { recurrent, layers })
    }

    /// Creates the layers from tensors that are on a device; candle computes the gradients of these tensors. The layers
    /// run with the kernels of [`gpu`](mod@crate::gpu). `parameter`: returns a parameter by its PyTorch name.
    pub fn on_device<'a>(recurrent: Recurrent, parameter: impl Fn(&str) -> &'a Tensor) -> Result<Self> {
        let cell = recurrent.cell;
        let mut layers = Vec::new();
        for index in 0..recurrent.num_layers {
            let mut directions = Vec::new();
            for &direction in recurrent.directions() {
                let names = recurrent.names(index, direction);
                let [w_ih, w_hh, b_ih] = [&names.w_ih, &names.w_hh, &names.b_ih].map(|name| parameter(name));
                let hidden_size = w_hh.dim(1)?;
                let b_hh = names.b_hh.as_ref().map(|name| parameter(name));
                let mut flat = vec![w_ih.flatten_all()?, w_hh.flatten_all()?];
                flat.extend(bias_tensors(cell, b_ih, b_hh, hidden_size)?);
                let shape = LayerShape { cell, direction, input_size: w_ih.dim(1)?, hidden_size };
                directions.push(Parameters { shape, layer: None, flat: Tensor::cat(&flat, 0)? });
            }
            layers.push(directions);
        }
        Ok(Stack { recurrent, layers })
    }

    /// Computes the hidden states of every layer and direction: `[layer][direction]`, each `[rows, hidden_size]`.
    ///
    /// `between` is applied to the output of every layer but the last, before the next layer reads it; it is there for
    /// dropout. With two directions, it receives their concatenated states.
    pub fn forward(
        &self,
        input: StackInput<'_>,
        between: impl FnMut(&Tensor) -> Result<Tensor>,
    ) -> Result<Vec<Vec<Tensor>>> {
        self.run(input, between, |_| LayerOutput::States)
    }

    /// Computes the merged states of the last layer after every step: `[rows, merged_width]`. `between`: as in
    /// [`forward`](Self::forward).
    pub fn merged_states(
        &self,
        input: StackInput<'_>,
        between: impl FnMut(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let states = self.forward(input, between)?;
        merge(states.last().map_or(&[], Vec::as_slice), self.recurrent.merge)
    }

    /// Computes the input of the head, `[sequences, head_width]` in the order of the layout. The result equals
    /// [`head_input`](Self::head_input) of the last layer's states, but the layer returns only reductions of them where
    /// pooling before merging gives the same result. `between`: as in [`forward`](Self::forward).
    pub fn pooled(&self, input: StackInput<'_>, between: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let Recurrent { merge: how, pooling, bidirectional, .. } = self.recurrent;
        let reductions = Reduction::after_merging(pooling);
        if pooling != Pooling::Last && bidirectional && how != Merge::Concat {
            // Merging must come first: the maximum of a sum is not the sum of the maxima, nor the mean of a product the
            // product of the means. The mean of a sum could be exchanged, but takes the same path for simplicity.
            let states = self.forward(input, between)?;
            return self.head_input(states.last().map_or(&[], Vec::as_slice), input.layout, input.on_device);
        }
        let last_output = |direction| match pooling {
            Pooling::Last => LayerOutput::Reduced(vec![Reduction::Last(direction)]),
            _ => LayerOutput::Reduced(reductions.to_vec()),
        };
        let pooled_directions = self.run(input, between, last_output)?.pop().unwrap_or_default();
        if pooling == Pooling::Last || reductions.len() == 1 || !bidirectional {
            return merge(&pooled_directions, how);
        }
        // Each direction has its means and then its maxima. The head expects the means of both directions, then the
        // maxima of both.
        let n = pooled_directions[0].dim(1)? / reductions.len();
        let mut columns = Vec::new();
        for reduction in 0..reductions.len() {
            for direction in &pooled_directions {
                columns.push(direction.narrow(1, reduction * n, n)?);
            }
        }
        Tensor::cat(&columns, 1)?.contiguous()
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
            // Only the first layer reads rows by the index of their token.
            let (x, tokens) = match outputs.last() {
                Some(below) => (between(&merge(below, Merge::Concat)?)?, None),
                None => (input.x.clone(), input.tokens),
            };
            let is_last = index + 1 == self.layers.len();
            let is_first = index == 0;
            let mut outputs_of_layer = Vec::with_capacity(directions.len());
            for Parameters { shape, layer, flat } in directions {
                let output = if is_last { last_output(shape.direction) } else { LayerOutput::States };
                outputs_of_layer.push(match (layer, input.on_device) {
                    (Some(layer), _) => {
                        let (layer, layout, tokens) = (layer.clone(), input.layout.clone(), tokens.cloned());
                        ops::recurrent(&x, flat, LayerRun { layer, layout, tokens, output })?
                    }
                    (None, Some(batch)) => gpu::layer::recurrent(&x, flat, *shape, is_first, batch, &output)?,
                    (None, None) => candle_core::bail!("a stack on a device needs `StackInput::on_device`, found none"),
                });
            }
            outputs.push(outputs_of_layer);
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
            let mut final_states = Vec::new();
            for (states_of_direction, &direction) in states.iter().zip(self.recurrent.directions()) {
                final_states.push(reduce(states_of_direction, Reduction::Last(direction))?);
            }
            return merge(&final_states, how);
        }
        let merged = merge(states, how)?;
        let mut reduced = Vec::new();
        for &reduction in Reduction::after_merging(pooling) {
            reduced.push(reduce(&merged, reduction)?);
        }
        merge(&reduced, Merge::Concat)
    }

    /// Returns the flattened gradients of PyTorch's parameters, for each layer and direction in turn: weight_ih,
    /// weight_hh, bias_ih and, with two biases, bias_hh. A parameter that the loss does not depend on has a gradient of
    /// zero. `store`: the gradients that candle computed.
    pub fn gradients(&self, store: &GradStore) -> Result<Vec<Vec<f32>>> {
        let mut gradients = Vec::new();
        for Parameters { shape, flat, .. } in self.layers.iter().flatten() {
            let gradient = gradient(store, flat)?;
            let (w_ih, after_w_ih) = gradient.split_at(shape.width() * shape.input_size);
            let (w_hh, biases) = after_w_ih.split_at(shape.width() * shape.hidden_size);
            let (b_ih, b_hn) = biases.split_at(shape.width());
            gradients.extend([w_ih.to_vec(), w_hh.to_vec(), b_ih.to_vec()]);
            if self.recurrent.bias == CellBias::Two {
                // The layer adds the two biases of a gate, so both have the gradient of the sum. Only the last rows of
                // a GRU's bias_hh, b_hn, have a gradient of their own.
                let shared = b_ih.len() - b_hn.len();
                gradients.push([&b_ih[..shared], b_hn].concat());
            }
        }
        Ok(gradients)
    }
}

/// Returns the [`Biases`] of a layer as tensors, to be concatenated: [`Biases::input`], in one or two tensors, and for
/// a GRU [`Biases::b_hn`]. `b_ih`, `b_hh`: PyTorch's biases, `[gates * hidden_size]`; a missing `b_hh` counts as 0.
fn bias_tensors(cell: Cell, b_ih: &Tensor, b_hh: Option<&Tensor>, hidden_size: usize) -> Result<Vec<Tensor>> {
    if cell != Cell::Gru {
        return Ok(match b_hh {
            Some(b_hh) => vec![(b_ih + b_hh)?],
            None => vec![b_ih.clone()],
        });
    }
    let Some(b_hh) = b_hh else {
        return Ok(vec![b_ih.clone(), Tensor::zeros(hidden_size, DType::F32, b_ih.device())?]);
    };
    // The biases of the gates r and z are added, those of the gate n stay separate.
    let shared = 2 * hidden_size;
    let shared_biases = (b_ih.narrow(0, 0, shared)? + b_hh.narrow(0, 0, shared)?)?;
    Ok(vec![shared_biases, b_ih.narrow(0, shared, hidden_size)?, b_hh.narrow(0, shared, hidden_size)?])
}

/// Returns the flattened gradient of a variable; zeros if the loss does not depend on it.
pub fn gradient(store: &GradStore, var: &Tensor) -> Result<Vec<f32>> {
    match store.get(var) {
        Some(gradient) => gradient.flatten_all()?.to_vec1::<f32>(),
        None => Ok(vec![0.0; var.elem_count()]),
    }
}

/// Merges two tensors: those of both directions, or the results of two reductions. A single one is returned unchanged.
///
/// # Panics
/// Panics if there is none.
fn merge(tensors: &[Tensor], how: Merge) -> Result<Tensor> {
    let [first, second] = tensors else {
        return Ok(tensors[0].clone());
    };
    match how {
        Merge::Concat => Tensor::cat(&[first, second], 1)?.contiguous(),
        Merge::Sum => first + second,
        Merge::Mean => (first + second)? * 0.5,
        Merge::Product => first * second,
    }
}

#[cfg(test)]
mod tests;
