//! What kind of network a model is: the words of a device file's metadata.

use crate::parts::POOLING;

/// An enum whose values are words of the format, in the order in which `model/keys.rs` lists them.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of_value:meta])* $value:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub enum $name { $($(#[$of_value])* $value),* }

        impl $name {
            /// All of them, in the order of the format's page.
            pub const ALL: &'static [$name] = &[$($name::$value),*];

            /// What a device file says.
            pub const fn word(self) -> &'static str {
                match self { $($name::$value => $word),* }
            }
        }
    };
}

words! {
    /// What a model is for: `tern.task`.
    Task {
        /// One label for a text or for a sequence of values.
        Classify = "classify",
        /// The token that follows.
        LanguageModel = "language-model",
        /// The values that follow.
        Forecast = "forecast",
    }
}

words! {
    /// What a step reads: `tern.input`.
    Input {
        /// The embedding of a token.
        Tokens = "tokens",
        /// A number for each channel.
        Values = "values",
    }
}

words! {
    /// The recurrent cell: `tern.cell`.
    CellKind {
        /// Long short-term memory; gates i, f, g, o.
        Lstm = "lstm",
        /// Gated recurrent unit, PyTorch's form; gates r, z, n.
        Gru = "gru",
        /// Plain cells with tanh.
        Rnn = "rnn",
        /// Plain cells with max(0, x).
        RnnRelu = "rnn_relu",
    }
}

impl CellKind {
    /// The first part of its tensors' names.
    pub const fn module(self) -> &'static str {
        match self {
            CellKind::Lstm => "lstm",
            CellKind::Gru => "gru",
            CellKind::Rnn | CellKind::RnnRelu => "rnn",
        }
    }

    /// The cells that lie in a file as these do: plain ones all alike.
    pub(crate) const fn plain(self) -> Self {
        match self {
            CellKind::RnnRelu => CellKind::Rnn,
            cell => cell,
        }
    }

    /// Rows of a unit.
    pub const fn gates(self) -> usize {
        match self {
            CellKind::Lstm => 4,
            CellKind::Gru => 3,
            CellKind::Rnn | CellKind::RnnRelu => 1,
        }
    }

    /// Words of 32 bits that a unit's state needs beside its hidden state.
    pub const fn state_words(self) -> usize {
        match self {
            CellKind::Lstm | CellKind::Gru => 1,
            CellKind::Rnn | CellKind::RnnRelu => 0,
        }
    }
}

words! {
    /// What becomes of the hidden states of two directions: `tern.merge`.
    Merge {
        /// Side by side: forward, reverse.
        Concat = "concat",
        /// Their sum. Computed as the mean; the head's weights are twice as large.
        Sum = "sum",
        /// Their mean.
        Mean = "mean",
        /// Their product, value by value.
        Product = "product",
    }
}

words! {
    /// What of the hidden states the head reads: `tern.pooling`.
    Pooling {
        /// The state after all steps; of the reverse direction, that at the first.
        Last = "last",
        /// The mean over all steps.
        Mean = "mean",
        /// The largest over all steps.
        Max = "max",
        /// Mean and largest, side by side.
        MeanMax = "mean_max",
    }
}

impl Pooling {
    pub(crate) const fn is_last(self) -> bool {
        !POOLING || matches!(self, Pooling::Last)
    }

    pub(crate) const fn has_mean(self) -> bool {
        POOLING && matches!(self, Pooling::Mean | Pooling::MeanMax)
    }

    pub(crate) const fn has_max(self) -> bool {
        POOLING && matches!(self, Pooling::Max | Pooling::MeanMax)
    }
}

words! {
    /// What the last layer's numbers are: `tern.output`.
    Output {
        /// A logit for each class.
        Softmax = "softmax",
        /// One logit, that of the second of two classes; the first one's is 0.
        Sigmoid = "sigmoid",
        /// Values.
        Linear = "linear",
    }
}
