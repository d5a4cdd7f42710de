//! Recurrent networks and their training on the CPU: fused layers as plain loops over slices, and candle for the
//! gradients of whole networks and for other devices.
//!
//! | module | contents |
//! |---|---|
//! | [`network`], [`stream`] | inference on whole sequences, and token by token |
//! | [`device_training`] | training steps on a CUDA device |
//! | [`graph`], [`objective`], [`sample`], [`optimizer`] | training: gradients of a batch, losses, samples, steps |
//! | [`process_group`] | the processes that share the shards of a batch |
//! | [`stack`], [`head`], [`ops`], [`candle_ops`] | the layers of a network as operations that candle differentiates |
//! | [`gpu`] | training on a CUDA device with kernels of our own |
//! | [`recurrent`], [`pooling`], [`linear`], [`ngrams`] | the layers and the n-gram branch, forward and backward |
//! | [`lstm`], [`gru`], [`rnn`], [`cells`] | the element-wise arithmetic of the cells |
//! | [`weights`], [`architecture`], [`packed`] | parameters with PyTorch's names, layers and sizes, packed sequences |
//! | [`product`], [`activation`], [`buffer`], [`denormals`] | matrix product, sigmoid and tanh, memory |
//! | [`reference`](mod@reference) | plain implementations that tests compare with |
//!
//! Imports run from the upper rows of this table to the lower ones. In every layer a row of the result depends on its
//! own sequence only, to the last bit: the order of each sum depends on the sizes of the layer, not on the batch.
//!
//! A function that returns a candle `Result` passes on the errors of candle.
//!
//! This is a package of its own so that it is compiled with optimisation even in debug builds of the trainer.

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
