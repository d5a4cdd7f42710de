//! The network, in plain loops over plain slices.
//!
//! [`product`] multiplies matrices, [`lstm`], [`gru`] and [`rnn`] hold the arithmetic of the cells, [`recurrent`] runs
//! them over packed sequences, forward and backward, and [`linear`] is a fully connected layer and [`pooling`] makes one vector
//! of many. [`network`] puts them together for inference. In every one of them a row of the result depends on its own sequence and on nothing else in the batch,
//! to the last bit: the order of each sum is fixed by the layer's sizes alone.
//!
//! [`stream`] goes on reading a text without end, token by token.
//!
//! [`ops`] wraps the layers, with their gradients, as operations that candle can differentiate; [`stack`] is the recurrent
//! part of a network made of them.

pub mod activation;
pub mod buffer;
pub mod gru;
pub mod linear;
pub mod lstm;
pub mod network;
pub mod ops;
pub mod packed;
pub mod pooling;
pub mod product;
pub mod recurrent;
pub mod rnn;
pub mod stack;
pub mod stream;

#[cfg(test)]
mod golden;
#[cfg(test)]
pub(crate) mod reference;
