//! The networks and programs that `bench train` measures.

/// The number of tokens to which the texts of the comparison with other programs are truncated.
pub const MAX_LENGTH: usize = 400;
/// The size of the vocabulary, with the tokens PAD (padding) and UNK (unknown words).
pub const VOCABULARY: usize = 20_000;
/// The lengths of texts at which the time that Tern takes for each token is measured.
pub const LENGTHS: [usize; 4] = [50, 200, 800, 2_400];

/// A program that trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Tern.
    Tern,
    /// PyTorch with batches of texts in the order of the file, padded to the longest, and denormals flushed to zero.
    PyTorch,
    /// As `PyTorch`, but with batches of texts of similar length.
    PyTorchBucketed,
    /// The crate candle-nn, which loops over the time steps.
    CandleNn,
}

impl Program {
    /// Returns the name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Program::Tern => "tern",
            Program::PyTorch => "pytorch",
            Program::PyTorchBucketed => "pytorch-bucketed",
            Program::CandleNn => "candle-nn",
        }
    }
}

/// A network and the settings of its training.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// `lstm`, `gru` or `rnn`.
    pub cell: &'static str,
    /// True if the network is bidirectional.
    pub bidirectional: bool,
    /// The embedding dimension.
    pub embedding: usize,
    /// The hidden size of each direction.
    pub hidden: usize,
    /// Texts in each batch.
    pub batch: usize,
    /// The number of threads.
    pub threads: usize,
    /// `cpu` or `cuda`.
    pub device: &'static str,
    /// Texts in each turn.
    pub texts: usize,
    /// The target for the ratio of Tern's speed to that of [`Program::PyTorch`].
    pub target: f64,
    /// The target for the ratio of Tern's speed to that of [`Program::PyTorchBucketed`], if there is one.
    pub bucketed_target: Option<f64>,
    /// True if candle-nn, which takes long, is measured too.
    pub with_candle: bool,
}

/// The small LSTM of Raschka and others, *Machine Learning with PyTorch and Scikit-Learn*, chapter 15.
pub const SMALL_LSTM: Network = Network {
    cell: "lstm",
    bidirectional: false,
    embedding: 20,
    hidden: 64,
    batch: 32,
    threads: 1,
    device: "cpu",
    texts: 512,
    target: 4.0,
    bucketed_target: Some(2.0),
    with_candle: false,
};

impl Network {
    /// Returns the programs to measure, Tern first.
    pub fn programs(&self) -> Vec<Program> {
        let mut programs = vec![Program::Tern, Program::PyTorch, Program::PyTorchBucketed];
        if self.with_candle {
            programs.push(Program::CandleNn);
        }
        programs
    }

    /// Returns the target for the ratio of Tern's speed to that of a program, if there is one.
    pub fn target(&self, program: Program) -> Option<f64> {
        match program {
            Program::PyTorch => Some(self.target),
            Program::PyTorchBucketed => self.bucketed_target,
            Program::Tern | Program::CandleNn => None,
        }
    }

    /// Returns the arguments of `pytorch.py`.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--cell={}", self.cell),
            format!("--vocabulary={VOCABULARY}"),
            format!("--device={}", self.device),
        ];
        for (name, value) in
            [("embedding", self.embedding), ("hidden", self.hidden), ("batch", self.batch), ("threads", self.threads)]
        {
            arguments.push(format!("--{name}={value}"));
        }
        if self.bidirectional {
            arguments.push("--bidirectional".to_owned());
        }
        arguments
    }
}

/// Returns all networks; the first one only if `quick` is true.
pub fn networks(quick: bool) -> Vec<Network> {
    let first = Network { with_candle: true, ..SMALL_LSTM };
    if quick {
        return vec![Network { texts: 256, ..first }];
    }
    let other = Network { target: 2.0, bucketed_target: None, texts: 256, ..SMALL_LSTM };
    vec![
        first,
        Network { threads: 2, ..SMALL_LSTM },
        Network { batch: 128, ..SMALL_LSTM },
        Network { batch: 128, threads: 2, ..SMALL_LSTM },
        Network { hidden: 128, target: 2.5, ..other },
        Network { embedding: 100, hidden: 256, texts: 64, ..other },
        Network { cell: "gru", ..other },
        Network { cell: "rnn", ..other },
        Network { bidirectional: true, ..other },
    ]
}

/// Returns the number of texts of this length for one turn: about 100,000 tokens in whole batches, so that a turn takes
/// about the same time at every length.
pub fn texts_of_length(length: usize) -> usize {
    (100_000 / length).next_multiple_of(SMALL_LSTM.batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_has_whole_batches_and_a_target() {
        for network in networks(false) {
            assert_eq!(network.texts % network.batch, 0, "{network:?}");
            assert!(network.target(Program::PyTorch) >= Some(2.0));
            assert_eq!(network.programs()[0], Program::Tern);
        }
        assert_eq!(LENGTHS.map(texts_of_length), [2_016, 512, 128, 64]);
    }
}
