//! Recurrent networks and how they learn: fused layers in plain loops over plain slices, behind candle's tensors.
//!
//! [`product`] multiplies matrices; [`lstm`], [`gru`] and [`rnn`] hold the arithmetic of the cells; [`recurrent`] runs
//! them over sequences [`packed`] by length, forward and backward; [`linear`] is a fully connected layer, and
//! [`pooling`] makes one vector of many. In every one of them a row of the result depends on its own sequence and on
//! nothing else in the batch, to the last bit: the order of each sum is fixed by the layer's sizes alone.
//!
//! What a network is made of is an [`architecture`]; its parameters have the names of PyTorch's `state_dict`
//! ([`weights`]). [`network`] is the forward pass alone, and [`stream`] goes on reading a text without end.
//!
//! [`ops`] wraps the layers, with their gradients, as operations that candle can differentiate, and on other devices than the
//! CPU calls candle's own ([`tensors`]); [`stack`] is the
//! recurrent part of a network made of them. [`graph`] computes the gradients of a batch of [`sample`]s for an
//! [`objective`], and the [`optimizer`] follows them. [`reference`](mod@reference) has the plain layers that the fused ones are tested against.
//!
//! It is a package of its own for those who compile it: its loops are worth optimising also where everything around them is not.

pub mod activation;
pub mod architecture;
pub mod buffer;
pub mod denormals;
pub mod graph;
pub mod gru;
pub mod linear;
pub mod lstm;
pub mod network;
pub mod objective;
pub mod ops;
pub mod optimizer;
pub mod packed;
pub mod pooling;
pub mod product;
pub mod recurrent;
pub mod reference;
pub mod rnn;
pub mod sample;
pub mod stack;
pub mod stream;
pub mod tensors;
pub mod weights;

#[cfg(test)]
mod golden;
