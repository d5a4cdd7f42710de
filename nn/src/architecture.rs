//! What a network is made of, and what its parameters are called.

use crate::packed::Direction;
use crate::weights::{Sizes, names};
use serde::{Deserialize, Serialize};

/// Recurrent cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "clap", value(rename_all = "snake_case"))]
pub enum Cell {
    /// Long short-term memory, gates i, f, g, o.
    #[default]
    Lstm,
    /// Gated recurrent unit, gates r, z, n; the reset gate acts on W_hn·h + b_hn (PyTorch's form, "reset after").
    Gru,
    /// Plain recurrent cells with tanh.
    Rnn,
    /// Plain recurrent cells with max(0, x).
    RnnRelu,
}

impl Cell {
    /// What PyTorch users call the module, and so the first part of its parameters' names.
    pub fn module(self) -> &'static str {
        match self {
            Cell::Lstm => "lstm",
            Cell::Gru => "gru",
            Cell::Rnn | Cell::RnnRelu => "rnn",
        }
    }

    /// The value of `cell` in recipes and in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Cell::RnnRelu => "rnn_relu",
            other => other.module(),
        }
    }

    /// Rows of W_ih and W_hh for each hidden value.
    pub fn gates(self) -> usize {
        match self {
            Cell::Lstm => 4,
            Cell::Gru => 3,
            Cell::Rnn | Cell::RnnRelu => 1,
        }
    }
}

/// What becomes of the hidden states of the two directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "clap", value(rename_all = "snake_case"))]
pub enum Merge {
    /// Side by side: forward, reverse.
    #[default]
    Concat,
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
    /// Their product, value by value.
    Product,
}

impl Merge {
    /// The value of `merge` in recipes and in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Merge::Concat => "concat",
            Merge::Sum => "sum",
            Merge::Mean => "mean",
            Merge::Product => "product",
        }
    }
}

/// What of the hidden states goes to the linear layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "clap", value(rename_all = "snake_case"))]
pub enum Pooling {
    /// The state after all tokens: of a direction that reads from the end, the state at the first token (`h_n` of
    /// PyTorch).
    #[default]
    Last,
    /// The mean over all tokens.
    Mean,
    /// The largest value over all tokens.
    Max,
    /// Mean and maximum, side by side.
    MeanMax,
}

impl Pooling {
    /// The value of `pooling` in recipes and in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Pooling::Last => "last",
            Pooling::Mean => "mean",
            Pooling::Max => "max",
            Pooling::MeanMax => "mean_max",
        }
    }
}

/// The most recurrent layers on top of each other.
pub const MAX_LAYERS: usize = 4;

/// The recurrent part of a network.
///
/// The two directions of a layer stand side by side in the input of the next one, as in PyTorch; `merge` is for the
/// last layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrent {
    /// Its cells.
    pub cell: Cell,
    /// Layers on top of each other.
    pub layers: usize,
    /// Whether each layer also reads from the end.
    pub bidirectional: bool,
    /// How the directions of the last layer are put together.
    pub merge: Merge,
    /// What of its states goes to the linear layer.
    pub pooling: Pooling,
}

impl Default for Recurrent {
    /// One LSTM layer, one direction, the last state.
    fn default() -> Self {
        let (merge, pooling) = (Merge::Concat, Pooling::Last);
        Recurrent { cell: Cell::Lstm, layers: 1, bidirectional: false, merge, pooling }
    }
}

impl Recurrent {
    /// The directions of a layer.
    pub fn directions(&self) -> &'static [Direction] {
        if self.bidirectional { &[Direction::Forward, Direction::Reverse] } else { &[Direction::Forward] }
    }

    /// Width of the last layer's states once its directions are merged.
    pub fn merged_width(&self, hidden_size: usize) -> usize {
        if self.bidirectional && self.merge == Merge::Concat { 2 * hidden_size } else { hidden_size }
    }

    /// Width of the linear layer's input.
    pub fn head_width(&self, hidden_size: usize) -> usize {
        let merged = self.merged_width(hidden_size);
        if self.pooling == Pooling::MeanMax { 2 * merged } else { merged }
    }

    /// PyTorch's names of a direction's parameters.
    pub fn names(&self, layer: usize, direction: Direction) -> LayerNames {
        let suffix = if direction == Direction::Reverse { "_reverse" } else { "" };
        let name = |parameter: &str| format!("{}.{parameter}_l{layer}{suffix}", self.cell.module());
        LayerNames { w_ih: name("weight_ih"), w_hh: name("weight_hh"), b_ih: name("bias_ih"), b_hh: name("bias_hh") }
    }

    /// For people: "one LSTM layer of 64 cells", "2 bidirectional GRU layers of 64 cells each way, mean".
    pub fn describe(&self, hidden_size: usize) -> String {
        let cell = match self.cell {
            Cell::Lstm => "LSTM",
            Cell::Gru => "GRU",
            Cell::Rnn => "RNN",
            Cell::RnnRelu => "RNN (ReLU)",
        };
        let count = if self.layers == 1 { "one".to_owned() } else { self.layers.to_string() };
        let plural = if self.layers == 1 { "" } else { "s" };
        let (both, way) = if self.bidirectional { ("bidirectional ", " each way") } else { ("", "") };
        let mut text = format!("{count} {both}{cell} layer{plural} of {hidden_size} cells{way}");
        match self.merge {
            Merge::Concat => {}
            Merge::Sum => text.push_str(", merged by sum"),
            Merge::Mean => text.push_str(", merged by mean"),
            Merge::Product => text.push_str(", merged by product"),
        }
        match self.pooling {
            Pooling::Last => {}
            Pooling::Mean => text.push_str(", mean over the tokens"),
            Pooling::Max => text.push_str(", maximum over the tokens"),
            Pooling::MeanMax => text.push_str(", mean and maximum over the tokens"),
        }
        text
    }
}

/// PyTorch's names of the parameters of one direction of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerNames {
    /// `[gates * hidden_size, input_size]`
    pub w_ih: String,
    /// `[gates * hidden_size, hidden_size]`
    pub w_hh: String,
    /// `[gates * hidden_size]`
    pub b_ih: String,
    /// `[gates * hidden_size]`
    pub b_hh: String,
}

/// What a network reads at each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputLayer {
    /// A token, whose row of the embedding goes to the first recurrent layer.
    Embedding {
        /// Rows of the embedding: the tokens, PAD and UNK among them.
        vocab_size: usize,
        /// Width of the embedding.
        embedding_dim: usize,
    },
    /// Normalised numbers, which go to the first recurrent layer as they are.
    Values {
        /// How many of them.
        channels: usize,
    },
}

impl InputLayer {
    /// Width of what the first recurrent layer reads.
    pub fn width(&self) -> usize {
        match *self {
            InputLayer::Embedding { embedding_dim, .. } => embedding_dim,
            InputLayer::Values { channels } => channels,
        }
    }
}

/// What comes after the recurrent layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Units of a layer with max(0, x) before the last one. 0: there is no such layer.
    pub hidden: usize,
    /// Outputs of the last layer.
    pub outputs: usize,
}

/// A whole network: what it reads, recurrent layers, head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// What it reads.
    pub input: InputLayer,
    /// Cells of a recurrent layer, in each direction.
    pub hidden_size: usize,
    /// The recurrent layers.
    pub recurrent: Recurrent,
    /// What reads their states.
    pub head: Head,
}

impl From<Sizes> for Architecture {
    /// One LSTM layer of these sizes.
    fn from(sizes: Sizes) -> Self {
        Architecture::of_tokens(sizes, Recurrent::default())
    }
}

impl Architecture {
    /// A network that reads tokens, with a linear head.
    pub fn of_tokens(sizes: Sizes, recurrent: Recurrent) -> Self {
        let Sizes { vocab_size, embedding_dim, hidden_size, labels } = sizes;
        let input = InputLayer::Embedding { vocab_size, embedding_dim };
        Architecture { input, hidden_size, recurrent, head: Head { hidden: 0, outputs: labels } }
    }

    /// The name and shape of every parameter, in PyTorch's order.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let hidden_size = self.hidden_size;
        let rows = self.recurrent.cell.gates() * hidden_size;
        let directions = self.recurrent.directions();
        let mut shapes = Vec::new();
        if let InputLayer::Embedding { vocab_size, embedding_dim } = self.input {
            shapes.push((names::EMBEDDING.to_owned(), vec![vocab_size, embedding_dim]));
        }
        for layer in 0..self.recurrent.layers {
            let inputs = if layer == 0 { self.input.width() } else { directions.len() * hidden_size };
            for &direction in directions {
                let LayerNames { w_ih, w_hh, b_ih, b_hh } = self.recurrent.names(layer, direction);
                shapes.push((w_ih, vec![rows, inputs]));
                shapes.push((w_hh, vec![rows, hidden_size]));
                shapes.extend([(b_ih, vec![rows]), (b_hh, vec![rows])]);
            }
        }
        let mut read = self.recurrent.head_width(hidden_size);
        let Head { hidden, outputs } = self.head;
        if hidden > 0 {
            shapes.push((names::HIDDEN_WEIGHT.to_owned(), vec![hidden, read]));
            shapes.push((names::HIDDEN_BIAS.to_owned(), vec![hidden]));
            read = hidden;
        }
        shapes.push((names::FC_WEIGHT.to_owned(), vec![outputs, read]));
        shapes.push((names::FC_BIAS.to_owned(), vec![outputs]));
        shapes
    }

    /// Number of values in all parameters, with two biases a gate as PyTorch counts.
    pub fn parameters(&self) -> usize {
        self.shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { vocab_size: 10, embedding_dim: 3, hidden_size: 5, labels: 2 };

    #[test]
    fn names_and_shapes_are_pytorchs() {
        let recurrent = Recurrent { cell: Cell::Gru, layers: 2, bidirectional: true, ..Recurrent::default() };
        let shapes = Architecture::of_tokens(SIZES, recurrent).shapes();
        let shape = |name: &str| shapes.iter().find(|(known, _)| known == name).map(|(_, shape)| shape.as_slice());
        assert_eq!(shape("gru.weight_ih_l0"), Some(&[15, 3][..]));
        assert_eq!(shape("gru.weight_ih_l1_reverse"), Some(&[15, 10][..]));
        assert_eq!(shape("gru.bias_hh_l1"), Some(&[15][..]));
        assert_eq!(shape("fc.weight"), Some(&[2, 10][..]));
        assert_eq!(shapes.len(), 1 + 2 * 2 * 4 + 2);
        let rnn = Recurrent { cell: Cell::RnnRelu, ..Recurrent::default() };
        assert_eq!(rnn.names(0, Direction::Forward).w_hh, "rnn.weight_hh_l0");
    }

    #[test]
    fn the_head_is_as_wide_as_what_it_reads() {
        let width = |bidirectional, merge, pooling| {
            Recurrent { bidirectional, merge, pooling, ..Recurrent::default() }.head_width(5)
        };
        assert_eq!(width(false, Merge::Concat, Pooling::Last), 5);
        assert_eq!(width(true, Merge::Concat, Pooling::Last), 10);
        assert_eq!(width(true, Merge::Sum, Pooling::Max), 5);
        assert_eq!(width(true, Merge::Concat, Pooling::MeanMax), 20);
    }

    #[test]
    fn a_hidden_layer_stands_between_states_and_outputs() {
        let mut architecture = Architecture::from(SIZES);
        architecture.input = InputLayer::Values { channels: 4 };
        architecture.head = Head { hidden: 6, outputs: 1 };
        let shapes = architecture.shapes();
        assert_eq!(shapes[0], ("lstm.weight_ih_l0".to_owned(), vec![20, 4]));
        let of = |name: &str, shape: &[usize]| (name.to_owned(), shape.to_vec());
        let head =
            [of("hidden.weight", &[6, 5]), of("hidden.bias", &[6]), of("fc.weight", &[1, 6]), of("fc.bias", &[1])];
        assert_eq!(shapes[4..], head);
    }

    #[test]
    fn parameters_are_counted_as_pytorch_counts_them() {
        // embedding 10,000 × 100; 4·256·(100 + 256) + 2·1,024; 4·256·(256 + 256) + 2·1,024; 256 + 1.
        let sizes = Sizes { vocab_size: 10_000, embedding_dim: 100, hidden_size: 256, labels: 1 };
        let two_layers = Recurrent { layers: 2, ..Recurrent::default() };
        assert_eq!(Architecture::of_tokens(sizes, two_layers).parameters(), 1_893_185);
    }

    #[test]
    fn described_for_people() {
        assert_eq!(Recurrent::default().describe(64), "one LSTM layer of 64 cells");
        let recurrent =
            Recurrent { cell: Cell::Gru, layers: 2, bidirectional: true, merge: Merge::Sum, pooling: Pooling::Mean };
        let expected = "2 bidirectional GRU layers of 8 cells each way, merged by sum, mean over the tokens";
        assert_eq!(recurrent.describe(8), expected);
    }
}
