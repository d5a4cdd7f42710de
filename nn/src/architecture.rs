//! The architecture of a network: its layers and sizes, and the names and shapes of its parameters.
//!
//! Names, shapes and gate orders are those of a PyTorch `state_dict`.

use crate::packed::Direction;
pub use tern_format::limits::MAX_LAYERS;
use tern_format::names::{LayerTensor, parameter};
pub use tern_format::{Cell, Merge, Pooling};

/// The names of the parameters of embedding, n-gram table and head. [`Recurrent::names`] returns those of the recurrent
/// layers.
pub mod names {
    pub use tern_format::names::tensor::{
        EMBEDDING_WEIGHT as EMBEDDING, FC_BIAS, FC_WEIGHT, HIDDEN_BIAS, HIDDEN_WEIGHT, NGRAMS_WEIGHT as NGRAMS,
    };
}

/// The bias vectors of a recurrent cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CellBias {
    /// `bias_ih` alone, as in textbooks and in Keras' SimpleRNN and LSTM. A GRU's b_hn is then 0.
    One,
    /// `bias_ih` and `bias_hh`, as in PyTorch.
    #[default]
    Two,
}

impl CellBias {
    /// Number of bias vectors, the value of `recurrent_biases` in recipes and in `config.json`.
    pub fn count(self) -> u8 {
        match self {
            CellBias::One => 1,
            CellBias::Two => 2,
        }
    }

    /// The inverse of [`count`](Self::count); `None` unless `count` is 1 or 2.
    pub fn from_count(count: u8) -> Option<Self> {
        [CellBias::One, CellBias::Two].into_iter().find(|bias| bias.count() == count)
    }
}

/// The recurrent layers of a network and the pooling of their states.
///
/// As in PyTorch, each layer reads the concatenated hidden states of both directions of the layer below. `merge`
/// applies to the last layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrent {
    /// The kind of cell.
    pub cell: Cell,
    /// Number of stacked layers, 1 to [`MAX_LAYERS`]; 0 for a network that has only an n-gram branch.
    pub num_layers: usize,
    /// True if each layer has a second direction, which reads the sequence from its end.
    pub bidirectional: bool,
    /// The bias vectors of each cell.
    pub bias: CellBias,
    /// The combination of the directions of the last layer.
    pub merge: Merge,
    /// The reduction of the states of all steps to the input of the head.
    pub pooling: Pooling,
}

impl Default for Recurrent {
    /// One unidirectional LSTM layer with two biases, whose final state is pooled.
    fn default() -> Self {
        Recurrent {
            cell: Cell::Lstm,
            num_layers: 1,
            bidirectional: false,
            bias: CellBias::Two,
            merge: Merge::Concat,
            pooling: Pooling::Last,
        }
    }
}

impl Recurrent {
    /// The directions in which a layer reads.
    pub fn directions(&self) -> &'static [Direction] {
        if self.bidirectional { &[Direction::Forward, Direction::Reverse] } else { &[Direction::Forward] }
    }

    /// Width of the merged hidden states of the last layer.
    pub fn merged_width(&self, hidden_size: usize) -> usize {
        if self.bidirectional && self.merge == Merge::Concat { 2 * hidden_size } else { hidden_size }
    }

    /// Width of the pooled states, the head's input without an n-gram branch.
    pub fn head_width(&self, hidden_size: usize) -> usize {
        let merged = self.merged_width(hidden_size);
        if self.pooling == Pooling::MeanMax { 2 * merged } else { merged }
    }

    /// PyTorch's names for the parameters of one direction of a layer.
    pub fn names(&self, layer: usize, direction: Direction) -> LayerNames {
        let (module, layer, reverse) = (self.cell.module(), layer as u8, direction == Direction::Reverse);
        let name = |parameter: &str| LayerTensor { module, parameter, layer, reverse }.to_string();
        let b_hh = (self.bias == CellBias::Two).then(|| name(parameter::BIAS_HH));
        let [w_ih, w_hh, b_ih] = [parameter::WEIGHT_IH, parameter::WEIGHT_HH, parameter::BIAS_IH].map(name);
        LayerNames { w_ih, w_hh, b_ih, b_hh }
    }

    /// Returns a description for users: "one LSTM layer of 64 cells", "2 bidirectional GRU layers of 64 cells each way,
    /// mean over the tokens".
    pub fn describe(&self, hidden_size: usize) -> String {
        let cell = match self.cell {
            Cell::Lstm => "LSTM",
            Cell::Gru => "GRU",
            Cell::Rnn => "RNN",
            Cell::RnnRelu => "RNN (ReLU)",
        };
        let count = if self.num_layers == 1 { "one".to_owned() } else { self.num_layers.to_string() };
        let plural = if self.num_layers == 1 { "" } else { "s" };
        let (direction, each_way) = if self.bidirectional { ("bidirectional ", " each way") } else { ("", "") };
        let merge = match self.merge {
            Merge::Concat => "",
            Merge::Sum => ", merged by sum",
            Merge::Mean => ", merged by mean",
            Merge::Product => ", merged by product",
        };
        let pooling = match self.pooling {
            Pooling::Last => "",
            Pooling::Mean => ", mean over the tokens",
            Pooling::Max => ", maximum over the tokens",
            Pooling::MeanMax => ", mean and maximum over the tokens",
        };
        format!("{count} {direction}{cell} layer{plural} of {hidden_size} cells{each_way}{merge}{pooling}")
    }
}

/// PyTorch's names for the parameters of one direction of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerNames {
    /// `[gates * hidden_size, input_size]`
    pub w_ih: String,
    /// `[gates * hidden_size, hidden_size]`
    pub w_hh: String,
    /// `[gates * hidden_size]`
    pub b_ih: String,
    /// `[gates * hidden_size]`; `None` with [`CellBias::One`].
    pub b_hh: Option<String>,
}

/// The input of a network at each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputLayer {
    /// A token, whose row of the embedding goes to the first recurrent layer.
    Embedding {
        /// Rows of the embedding: all tokens, with PAD and UNK.
        vocab_size: usize,
        /// Columns of the embedding.
        embedding_dim: usize,
    },
    /// Normalised numbers, which go to the first recurrent layer unchanged.
    Values {
        /// Numbers per step.
        channels: usize,
    },
}

impl InputLayer {
    /// Width of the first recurrent layer's input.
    pub fn width(&self) -> usize {
        match *self {
            InputLayer::Embedding { embedding_dim, .. } => embedding_dim,
            InputLayer::Values { channels } => channels,
        }
    }
}

/// The table of an n-gram branch. An n-gram selects a row by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NgramTable {
    /// Rows of the table, a power of 2.
    pub buckets: usize,
    /// Columns of the table.
    pub rank: usize,
    /// Bits of a weight once the table is rounded: 4 or 8.
    pub bits: u32,
}

/// The linear layers between pooling and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Units of the hidden layer, which has a ReLU and precedes the last layer; 0 without a hidden layer.
    pub hidden: usize,
    /// Outputs of the last layer.
    pub outputs: usize,
}

/// The sizes of a network that reads tokens and has a linear head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Rows of the embedding: all tokens, with PAD and UNK.
    pub vocab_size: usize,
    /// Columns of the embedding.
    pub embedding_dim: usize,
    /// Hidden units of a recurrent layer, in each direction.
    pub hidden_size: usize,
    /// Number of outputs, one for each label.
    pub labels: usize,
}

/// A whole network: input, recurrent layers, n-gram branch, head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// The input of each step. Without recurrent layers nothing reads it, and an embedding has no parameter.
    pub input: InputLayer,
    /// Hidden units of a recurrent layer, in each direction.
    pub hidden_size: usize,
    /// The recurrent layers, perhaps none.
    pub recurrent: Recurrent,
    /// The n-gram branch, whose sums follow the pooled states in the head's input; `None` without one.
    pub ngrams: Option<NgramTable>,
    /// The layers after pooling.
    pub head: Head,
}

impl From<Sizes> for Architecture {
    /// A network with one unidirectional LSTM layer and a linear head.
    fn from(sizes: Sizes) -> Self {
        Architecture::of_tokens(sizes, Recurrent::default())
    }
}

impl Architecture {
    /// A network that reads tokens, with a linear head.
    pub fn of_tokens(sizes: Sizes, recurrent: Recurrent) -> Self {
        let Sizes { vocab_size, embedding_dim, hidden_size, labels } = sizes;
        let input = InputLayer::Embedding { vocab_size, embedding_dim };
        Architecture { input, hidden_size, recurrent, ngrams: None, head: Head { hidden: 0, outputs: labels } }
    }

    /// True if the network has recurrent layers, and not only an n-gram branch.
    pub fn is_recurrent(&self) -> bool {
        self.recurrent.num_layers > 0
    }

    /// Width of the head's input: the pooled states, then the sums of the n-gram branch.
    pub fn head_width(&self) -> usize {
        let pooled = if self.is_recurrent() { self.recurrent.head_width(self.hidden_size) } else { 0 };
        pooled + self.ngrams.map_or(0, |table| table.rank)
    }

    /// Returns a description for users: "one LSTM layer of 64 cells", "an n-gram branch of 4096 buckets, rank 16", or
    /// both joined by "and".
    pub fn describe(&self) -> String {
        let mut branches = Vec::new();
        if self.is_recurrent() {
            branches.push(self.recurrent.describe(self.hidden_size));
        }
        if let Some(NgramTable { buckets, rank, .. }) = self.ngrams {
            branches.push(format!("an n-gram branch of {buckets} buckets, rank {rank}"));
        }
        branches.join(" and ")
    }

    /// The name and shape of every parameter, in the order of a PyTorch `state_dict`: embedding, recurrent layers,
    /// n-gram table, head.
    pub fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        let hidden_size = self.hidden_size;
        let rows = self.recurrent.cell.gates() * hidden_size;
        let directions = self.recurrent.directions();
        let mut shapes = Vec::new();
        if let InputLayer::Embedding { vocab_size, embedding_dim } = self.input
            && self.is_recurrent()
        {
            shapes.push((names::EMBEDDING.to_owned(), vec![vocab_size, embedding_dim]));
        }
        for layer in 0..self.recurrent.num_layers {
            let input_size = if layer == 0 { self.input.width() } else { directions.len() * hidden_size };
            for &direction in directions {
                let LayerNames { w_ih, w_hh, b_ih, b_hh } = self.recurrent.names(layer, direction);
                shapes.push((w_ih, vec![rows, input_size]));
                shapes.push((w_hh, vec![rows, hidden_size]));
                shapes.extend(std::iter::once(b_ih).chain(b_hh).map(|bias| (bias, vec![rows])));
            }
        }
        if let Some(NgramTable { buckets, rank, .. }) = self.ngrams {
            shapes.push((names::NGRAMS.to_owned(), vec![buckets, rank]));
        }
        let mut width = self.head_width();
        let Head { hidden, outputs } = self.head;
        if hidden > 0 {
            shapes.push((names::HIDDEN_WEIGHT.to_owned(), vec![hidden, width]));
            shapes.push((names::HIDDEN_BIAS.to_owned(), vec![hidden]));
            width = hidden;
        }
        shapes.push((names::FC_WEIGHT.to_owned(), vec![outputs, width]));
        shapes.push((names::FC_BIAS.to_owned(), vec![outputs]));
        shapes
    }

    /// Number of values in all parameters.
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
        let recurrent = Recurrent { cell: Cell::Gru, num_layers: 2, bidirectional: true, ..Recurrent::default() };
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
    fn head_width_depends_on_direction_merge_and_pooling() {
        let width = |bidirectional, merge, pooling| {
            Recurrent { bidirectional, merge, pooling, ..Recurrent::default() }.head_width(5)
        };
        assert_eq!(width(false, Merge::Concat, Pooling::Last), 5);
        assert_eq!(width(true, Merge::Concat, Pooling::Last), 10);
        assert_eq!(width(true, Merge::Sum, Pooling::Max), 5);
        assert_eq!(width(true, Merge::Concat, Pooling::MeanMax), 20);
    }

    #[test]
    fn hidden_layer_of_the_head_is_between_pooling_and_outputs() {
        let mut architecture = Architecture::from(SIZES);
        architecture.input = InputLayer::Values { channels: 4 };
        architecture.head = Head { hidden: 6, outputs: 1 };
        let shapes = architecture.shapes();
        assert_eq!(shapes[0], ("lstm.weight_ih_l0".to_owned(), vec![20, 4]));
        let entry = |name: &str, shape: &[usize]| (name.to_owned(), shape.to_vec());
        let head = [
            entry("hidden.weight", &[6, 5]),
            entry("hidden.bias", &[6]),
            entry("fc.weight", &[1, 6]),
            entry("fc.bias", &[1]),
        ];
        assert_eq!(shapes[4..], head);
    }

    #[test]
    fn ngram_branch_joins_the_head_or_replaces_the_recurrent_layers() {
        let ngrams = Some(NgramTable { buckets: 16, rank: 4, bits: 4 });
        let both = Architecture { ngrams, ..Architecture::from(SIZES) };
        let entry = |name: &str, shape: &[usize]| (name.to_owned(), shape.to_vec());
        let last = |width| [entry("ngrams.weight", &[16, 4]), entry("fc.weight", &[2, width]), entry("fc.bias", &[2])];
        assert_eq!(both.shapes()[5..], last(9));
        assert_eq!(both.describe(), "one LSTM layer of 5 cells and an n-gram branch of 16 buckets, rank 4");
        let alone = Architecture { recurrent: Recurrent { num_layers: 0, ..Recurrent::default() }, ..both };
        assert_eq!(alone.shapes(), last(4));
        assert_eq!(alone.describe(), "an n-gram branch of 16 buckets, rank 4");
    }

    #[test]
    fn parameters_are_counted_as_pytorch_counts_them() {
        // embedding 10,000 × 100; 4·256·(100 + 256) + 2·1,024; 4·256·(256 + 256) + 2·1,024; 256 + 1.
        let sizes = Sizes { vocab_size: 10_000, embedding_dim: 100, hidden_size: 256, labels: 1 };
        let two_layers = Recurrent { num_layers: 2, ..Recurrent::default() };
        assert_eq!(Architecture::of_tokens(sizes, two_layers).parameters(), 1_893_185);
    }

    #[test]
    fn one_bias_has_no_bias_hh_and_is_counted_once() {
        // embedding 76 × 32; 64·(32 + 64) + 64; 2·64 + 2: the textbook's network.
        let sizes = Sizes { vocab_size: 76, embedding_dim: 32, hidden_size: 64, labels: 2 };
        let recurrent = Recurrent { cell: Cell::Rnn, bias: CellBias::One, ..Recurrent::default() };
        let architecture = Architecture::of_tokens(sizes, recurrent);
        assert_eq!(architecture.parameters(), 8_770);
        assert!(architecture.shapes().iter().all(|(name, _)| !name.contains("bias_hh")));
    }

    #[test]
    fn description_names_cell_directions_merge_and_pooling() {
        assert_eq!(Recurrent::default().describe(64), "one LSTM layer of 64 cells");
        let (merge, pooling) = (Merge::Sum, Pooling::Mean);
        let recurrent =
            Recurrent { cell: Cell::Gru, num_layers: 2, bidirectional: true, merge, pooling, ..Recurrent::default() };
        let expected = "2 bidirectional GRU layers of 8 cells each way, merged by sum, mean over the tokens";
        assert_eq!(recurrent.describe(8), expected);
    }
}
