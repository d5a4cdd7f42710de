//! The recurrent part of a network as a candle graph: layers on top of each other, in one direction or both.

use super::ops::{self, Read};
use super::packed::{Direction, Packing};
use super::pooling::Reduction;
use super::recurrent::{Biases, Layer};
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

/// One direction of a layer.
#[derive(Debug)]
struct Parameters {
    layer: Arc<Layer>,
    /// W_ih, W_hh, [`Biases::sums`] and [`Biases::hidden`], in a row.
    flat: Var,
}

/// What the first layer reads.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// `[rows, input_size]`, or one row for each distinct token.
    pub x: &'a Tensor,
    /// For each token its row of x: `[rows]`. Without it x has a row for each token.
    pub tokens: Option<&'a Arc<[u32]>>,
    /// Where the tokens stand.
    pub packing: &'a Arc<Packing>,
}

impl Stack {
    /// The layers of `weights`, whose shapes fit together (see [`Weights::check`]), on a device.
    ///
    /// # Errors
    ///
    /// What candle says.
    pub fn new(weights: &Weights, recurrent: Recurrent, device: &Device) -> Result<Self> {
        let layers = (0..recurrent.layers).map(|layer| {
            let directions = recurrent.directions().iter().map(|&direction| {
                let names = recurrent.names(layer, direction);
                let [w_ih, w_hh, b_ih, b_hh] =
                    [&names.w_ih, &names.w_hh, &names.b_ih, &names.b_hh].map(|name| &weights[name].data);
                let biases = Biases::new(recurrent.cell, b_ih, b_hh);
                let flat = [w_ih, w_hh, biases.sums.as_slice(), &biases.hidden].concat();
                Ok(Parameters {
                    layer: Arc::new(Layer::new(recurrent.cell, direction, w_ih, w_hh, &biases)),
                    flat: Var::from_slice(&flat, flat.len(), device)?,
                })
            });
            directions.collect()
        });
        Ok(Stack { recurrent, layers: layers.collect::<Result<_>>()? })
    }

    /// For each layer and each of its directions the hidden states, `[rows, hidden_size]`.
    ///
    /// `between` is applied to what one layer hands to the next.
    ///
    /// # Errors
    ///
    /// What candle says.
    pub fn forward(
        &self,
        input: Input<'_>,
        mut between: impl FnMut(&Tensor) -> Result<Tensor>,
    ) -> Result<Vec<Vec<Tensor>>> {
        self.states(input, &mut between, self.layers.len())
    }

    /// What the head reads of each sequence, `[sequences, head_width]` in the packing's order: what
    /// [`head_input`](Self::head_input) makes of the last layer's states, but here those need not all be handed out.
    ///
    /// # Errors
    ///
    /// What candle says.
    pub fn pooled(&self, input: Input<'_>, mut between: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let Recurrent { merge: how, pooling, bidirectional, .. } = self.recurrent;
        let reductions = Reduction::of_merged(pooling);
        if pooling != Pooling::Last && bidirectional && how != Merge::Concat {
            // The reduction of a sum is not the sum of the reductions.
            let states = self.states(input, &mut between, self.layers.len())?;
            return self.head_input(states.last().map_or(&[], Vec::as_slice), input.packing);
        }
        let below = self.states(input, &mut between, self.layers.len() - 1)?;
        let read = |direction| match pooling {
            Pooling::Last => Read::Reduced(vec![Reduction::Last(direction)]),
            _ => Read::Reduced(reductions.to_vec()),
        };
        let parts = self.layer(input, below.last(), &mut between, self.layers.len() - 1, read)?;
        if pooling == Pooling::Last || reductions.len() == 1 || !bidirectional {
            return merge(&parts, how);
        }
        // Both directions' means, then both directions' maxima.
        let n = parts[0].dim(1)? / reductions.len();
        let columns =
            (0..reductions.len()).flat_map(|index| parts.iter().map(move |part| part.narrow(1, index * n, n)));
        Tensor::cat(&columns.collect::<Result<Vec<_>>>()?, 1)?.contiguous()
    }

    /// The states of the first `count` layers.
    fn states(
        &self,
        input: Input<'_>,
        between: &mut impl FnMut(&Tensor) -> Result<Tensor>,
        count: usize,
    ) -> Result<Vec<Vec<Tensor>>> {
        let mut all: Vec<Vec<Tensor>> = Vec::with_capacity(count);
        for index in 0..count {
            let states = self.layer(input, all.last(), between, index, |_| Read::States)?;
            all.push(states);
        }
        Ok(all)
    }

    /// What is wanted of each direction of a layer.
    fn layer(
        &self,
        input: Input<'_>,
        below: Option<&Vec<Tensor>>,
        between: &mut impl FnMut(&Tensor) -> Result<Tensor>,
        index: usize,
        read: impl Fn(Direction) -> Read,
    ) -> Result<Vec<Tensor>> {
        let (x, tokens) = match below {
            Some(below) => (between(&merge(below, Merge::Concat)?)?, None),
            None => (input.x.clone(), input.tokens.cloned()),
        };
        let directions = self.layers[index].iter().zip(self.recurrent.directions());
        let states = directions.map(|(Parameters { layer, flat }, &direction)| {
            let (layer, packing, tokens) = (layer.clone(), input.packing.clone(), tokens.clone());
            ops::recurrent(&x, flat, ops::Recurrent { layer, packing, tokens, read: read(direction) })
        });
        states.collect()
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
        for Parameters { layer, flat } in self.layers.iter().flatten() {
            let gradient = gradient(store, flat)?;
            let (w_ih, rest) = gradient.split_at(layer.width() * layer.input_size());
            let (w_hh, rest) = rest.split_at(layer.width() * layer.hidden_size());
            let (b_ih, hidden_bias) = rest.split_at(layer.width());
            // Both biases of a gate appear as their sum and share its gradient, but for GRU's b_hn.
            let b_hh = [&b_ih[..b_ih.len() - hidden_bias.len()], hidden_bias].concat();
            all.extend([w_ih.to_vec(), w_hh.to_vec(), b_ih.to_vec(), b_hh]);
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
