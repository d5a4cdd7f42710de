//! What is measured.

/// Longer texts are cut to this many tokens, as the textbook does.
pub const CUT: usize = 400;
/// Ids of the vocabulary.
pub const VOCABULARY: usize = 20_000;
/// Lengths of texts for which our own time a token is shown.
pub const LENGTHS: [usize; 4] = [50, 200, 800, 2_400];

/// Who trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `tern train`, the whole step.
    Tern,
    /// PyTorch on shuffled batches, padded, denormals flushed.
    PyTorch,
    /// The same on texts that were sorted by length before they were put in batches.
    PyTorchBucketed,
    /// candle-nn's loop over the steps.
    CandleNn,
}

impl Program {
    /// Its name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Program::Tern => "tern",
            Program::PyTorch => "pytorch",
            Program::PyTorchBucketed => "pytorch-bucketed",
            Program::CandleNn => "candle-nn",
        }
    }
}

/// A network and how it is trained.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// `lstm`, `gru` or `rnn`.
    pub cell: &'static str,
    /// Whether it also reads from the end.
    pub bidirectional: bool,
    /// Width of the embedding.
    pub embedding: usize,
    /// Cells in each direction.
    pub hidden: usize,
    /// Texts in a batch.
    pub batch: usize,
    /// Threads.
    pub threads: usize,
    /// Texts of a turn.
    pub texts: usize,
    /// How many times as fast as PyTorch we want to be: padded, bucketed.
    pub targets: [f64; 2],
    /// Whether candle-nn, which takes long, is measured too.
    pub candle: bool,
}

/// The textbook's network.
pub const TEXTBOOK: Network = Network {
    cell: "lstm",
    bidirectional: false,
    embedding: 20,
    hidden: 64,
    batch: 32,
    threads: 1,
    texts: 512,
    targets: [4.0, 2.0],
    candle: false,
};

impl Network {
    /// Those that are measured, ours first.
    pub fn programs(&self) -> Vec<Program> {
        let mut programs = vec![Program::Tern, Program::PyTorch, Program::PyTorchBucketed];
        if self.candle {
            programs.push(Program::CandleNn);
        }
        programs
    }

    /// The target beside a program.
    pub fn target(&self, program: Program) -> Option<f64> {
        match program {
            Program::PyTorch => Some(self.targets[0]),
            Program::PyTorchBucketed if self.targets[1] > 0.0 => Some(self.targets[1]),
            _ => None,
        }
    }

    /// Arguments of `pytorch.py`.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![format!("--cell={}", self.cell), format!("--vocabulary={VOCABULARY}")];
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

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Who was measured.
    pub program: Program,
    /// On what.
    pub network: &'a Network,
    /// Median over the turns.
    pub tokens_per_s: f64,
    /// How many times as long as ours it took, median over the turns.
    pub ratio: Option<f64>,
}

/// All networks, or with `quick` the first.
pub fn networks(quick: bool) -> Vec<Network> {
    let first = Network { candle: true, ..TEXTBOOK };
    if quick {
        return vec![Network { texts: 256, ..first }];
    }
    let other = Network { targets: [2.0, 0.0], texts: 256, ..TEXTBOOK };
    vec![
        first,
        Network { threads: 2, ..TEXTBOOK },
        Network { batch: 128, ..TEXTBOOK },
        Network { batch: 128, threads: 2, ..TEXTBOOK },
        Network { hidden: 128, targets: [2.5, 0.0], ..other },
        Network { embedding: 100, hidden: 256, texts: 64, ..other },
        Network { cell: "gru", ..other },
        Network { cell: "rnn", ..other },
        Network { bidirectional: true, ..other },
    ]
}

/// So many texts of this length that a turn takes about as long at every length; whole batches.
pub fn texts_of_length(length: usize) -> usize {
    (100_000 / length).next_multiple_of(TEXTBOOK.batch)
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
