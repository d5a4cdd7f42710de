//! Recurrent networks and their training: layers as plain loops over slices on the CPU, kernels for CUDA devices, and
//! candle for the gradients of whole networks and for other devices.
//!
//! | module | contents |
//! |---|---|
//! | [`network`], [`stream`] | inference on whole sequences, and token by token |
//! | [`device_training`] | training steps on a CUDA device |
//! | [`graph`], [`optimizer`] | training: gradients of a batch, steps of the optimizer |
//! | [`process_group`] | the processes that share the shards of a batch |
//! | [`stack`], [`head`], [`ops`], [`candle_ops`] | the layers of a network as operations that candle differentiates |
//! | [`gpu`] | layers, losses and optimizer steps as CUDA kernels |
//! | [`objective`], [`sample`] | losses, training samples |
//! | [`recurrent`], [`pooling`], [`linear`], [`ngrams`] | the layers and the n-gram branch, forward and backward |
//! | [`lstm`], [`gru`], [`rnn`], [`cells`] | the element-wise arithmetic of the cells |
//! | [`reference`](mod@reference) | plain implementations that tests compare with |
//! | [`weights`], [`architecture`], [`packed`] | parameters with PyTorch's names, layers and sizes, packed sequences |
//! | [`product`], [`activation`], [`buffer`], [`denormals`] | matrix product, sigmoid and tanh, memory |
//!
//! A module imports only modules in its own row of this table and in lower rows. On the CPU, the outputs for a sequence
//! have the same bits in every batch: the order of each sum does not depend on the other sequences of the batch.
//!
//! A function that returns a candle `Result` fails if an operation of candle fails.
//!
//! This is a separate package so that it is compiled with optimisation even in debug builds of the trainer.

pub mod activation;
pub mod architecture;
pub mod buffer;
pub mod candle_ops;
pub mod cells;
pub mod denormals;
pub mod device_training;
pub mod gpu;
pub mod graph;
pub mod gru;
pub mod head;
pub mod linear;
pub mod lstm;
pub mod network;
pub mod ngrams;
pub mod objective;
pub mod ops;
pub mod optimizer;
pub mod packed;
pub mod pooling;
pub mod process_group;
pub mod product;
pub mod recurrent;
pub mod reference;
pub mod rnn;
pub mod sample;
mod shard_result;
pub mod stack;
pub mod stream;
pub mod weights;
