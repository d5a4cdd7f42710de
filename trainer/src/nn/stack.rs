//! The recurrent part of a network as a candle graph: layers on top of each other, in one direction or both.

use super::ops;
use super::packed::Packing;
use super::pooling::Reduction;
use super::recurrent::Biases;
use crate::architecture::{Merge, Pooling, Recurrent};
use crate::weights::Weights;
use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};
use std::sync::Arc;

/// The parameters of the recurrent layers.
#[derive(Debug)]
pub struct Stack {
    recurrent: Recurrent,
    /// `[layer][direction]`
    layers: Vec<Vec<Parameters>>,
}

#[derive(Debug)]
struct Parameters {
    w_ih: Var,
    w_hh: Var,
    /// [`Biases::sums`]
    bias: Var,
    /// [`Biases::hidden`]
    hidden_bias: Var,
}

impl Stack {
    /// The layers of `weights`, whose shapes fit together (see [`Weights::check`]).
    ///
    /// # Errors
    ///
    /// What candle says.
    pub fn new(weights: &Weights, recurrent: Recurrent) -> Result<Self> {
        let vector = |values: &[f32]| Var::from_slice(values, values.len(), &Device::Cpu);
        let matrix = |name: &str| {
            let array = &weights[name];
            Var::from_slice(&array.data, array.shape.as_slice(), &Device::Cpu)
        };
        let layers = (0..recurrent.layers).map(|layer| {
            let directions = recurrent.directions().iter().map(|&direction| {
                let names = recurrent.names(layer, direction);
                let biases = Biases::new(recurrent.cell, &weights[&names.b_ih].data, &weights[&names.b_hh].data);
                Ok(Parameters {
                    w_ih: matrix(&names.w_ih)?,
                    w_hh: matrix(&names.w_hh)?,
                    bias: vector(&biases.sums)?,
                    hidden_bias: vector(&biases.hidden)?,
                })
            });
            directions.collect()
        });
        Ok(Stack { recurrent, layers: layers.collect::<Result<_>>()? })
    }

    /// x: `[rows, input_size]` → for each layer and each of its directions the hidden states, `[rows, hidden_size]`.
    ///
    /// `between` is applied to what one layer hands to the next.
    ///
    /// # Errors
    ///
    /// What candle says.
    pub fn forward(
        &self,
        x: &Tensor,
        packing: &Arc<Packing>,
        mut between: impl FnMut(&Tensor) -> Result<Tensor>,
    ) -> Result<Vec<Vec<Tensor>>> {
        let mut all: Vec<Vec<Tensor>> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let x = match all.last() {
                Some(below) => between(&merge(below, Merge::Concat)?)?,
                None => x.clone(),
            };
            let states = layer.iter().zip(self.recurrent.directions()).map(|(parameters, &direction)| {
                let Parameters { w_ih, w_hh, bias, hidden_bias } = parameters;
                let gates = ops::linear(&x, w_ih, bias)?;
                let layer = ops::Layer { cell: self.recurrent.cell, packing: packing.clone(), direction };
                ops::recurrent(&gates, w_hh, hidden_bias, layer)
            });
            all.push(states.collect::<Result<_>>()?);
        }
        Ok(all)
    }

    /// What the linear layer reads, `[sequences, head_width]` in the packing's order, from the states of the last
    /// layer: see [`forward`](Self::forward).
    ///
    /// # Errors
    ///
    /// What candle says.
    pub fn head_input(&self, states: &[Tensor], packing: &Arc<Packing>) -> Result<Tensor> {
        let Recurrent { merge: how, pooling, .. } = self.recurrent;
        let reduce = |x: &Tensor, reduction| ops::reduce(x, packing.clone(), reduction);
        if pooling == Pooling::Last {
            let last = states.iter().zip(self.recurrent.directions());
            let last = last.map(|(states, &direction)| reduce(states, Reduction::Last(direction)));
            return merge(&last.collect::<Result<Vec<_>>>()?, how);
        }
        let merged = merge(states, how)?;
        let parts = Reduction::of_merged(pooling).iter().map(|&reduction| reduce(&merged, reduction));
        merge(&parts.collect::<Result<Vec<_>>>()?, Merge::Concat)
    }

    /// The states of the last layer after every step, its directions merged: `[rows, merged_width]`. `states`: as of
    /// [`head_input`](Self::head_input).
    ///
    /// # Errors
    ///
    /// What candle says.
    pub fn every_state(&self, states: &[Tensor]) -> Result<Tensor> {
        merge(states, self.recurrent.merge)
    }

    /// The gradients of PyTorch's parameters: of each layer and direction weight_ih, weight_hh, bias_ih, bias_hh. Zero
    /// where the loss does not depend on one.
    ///
    /// # Errors
    ///
    /// What candle says.
    pub fn gradients(&self, store: &GradStore) -> Result<Vec<Vec<f32>>> {
        let mut all = Vec::new();
        for Parameters { w_ih, w_hh, bias, hidden_bias } in self.layers.iter().flatten() {
            let b_ih = gradient(store, bias)?;
            // Both biases of a gate appear as their sum and share its gradient, but for GRU's b_hn.
            let mut b_hh = b_ih[..b_ih.len() - hidden_bias.elem_count()].to_vec();
            b_hh.extend(gradient(store, hidden_bias)?);
            all.extend([gradient(store, w_ih)?, gradient(store, w_hh)?, b_ih, b_hh]);
        }
        Ok(all)
    }
}

/// The gradient of a variable, flat; zero where the loss does not depend on it.
///
/// # Errors
///
/// What candle says.
pub fn gradient(store: &GradStore, var: &Var) -> Result<Vec<f32>> {
    match store.get(var) {
        Some(gradient) => gradient.flatten_all()?.to_vec1::<f32>(),
        None => Ok(vec![0.0; var.elem_count()]),
    }
}

/// The states of two directions as one tensor; those of a single one as they are.
fn merge(states: &[Tensor], how: Merge) -> Result<Tensor> {
    let [forward, reverse] = states else { return Ok(states[0].clone()) };
    match how {
        Merge::Concat => Tensor::cat(&[forward, reverse], 1)?.contiguous(),
        Merge::Sum => forward + reverse,
        Merge::Mean => (forward + reverse)? * 0.5,
        Merge::Product => forward * reverse,
    }
}
