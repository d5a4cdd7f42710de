//! What a network is made of, and what its parameters are called.

use serde::{Deserialize, Serialize};

/// Recurrent cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
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
