//! The enums that describe a model. Each value has one name, which recipes (training settings), `config.json` (float
//! models) and device files (quantised models) share.

/// Declares an enum whose values have names, with `ALL`, `NAMES`, `name`, `from_name` and `Display`.
macro_rules! choices {
    (
        $(#[$meta:meta])*
        $choice:ident {
            $(#[$first_meta:meta])* $first:ident = $first_name:tt,
            $($(#[$value_meta:meta])* $value:ident = $name:tt,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub enum $choice {
            $(#[$first_meta])*
            #[cfg_attr(feature = "serde", serde(rename = $first_name))]
            #[cfg_attr(feature = "clap", value(name = $first_name))]
            $first,
            $(
                $(#[$value_meta])*
                #[cfg_attr(feature = "serde", serde(rename = $name))]
                #[cfg_attr(feature = "clap", value(name = $name))]
                $value,
            )*
        }

        impl $choice {
            /// All values, in the order of `docs/format.md`.
            pub const ALL: &'static [Self] = &[$choice::$first, $($choice::$value),*];

            /// The names of all values in the order of [`ALL`](Self::ALL), separated by `, `.
            pub const NAMES: &'static str = concat!($first_name $(, ", ", $name)*);

            /// The name of this value.
            pub const fn name(self) -> &'static str {
                match self {
                    $choice::$first => $first_name,
                    $($choice::$value => $name,)*
                }
            }

            /// The value with this name; none if there is no such value.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }

        impl core::fmt::Display for $choice {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}
pub(crate) use choices;

choices! {
    /// The task of a model: `task` in recipes and in `config.json`, `tern.task` in device files.
    #[derive(Default)]
    Task {
        /// Predicts the label of a text or of a sequence of numbers.
        #[default]
        Classify = "classify",
        /// Predicts the next token of a text.
        LanguageModel = "language-model",
        /// Predicts the next values of a time series.
        Forecast = "forecast",
    }
}

choices! {
    /// The input of each time step: `input` in `config.json`, `tern.input` in device files.
    #[derive(Default)]
    Input {
        /// One token of a text, which is embedded.
        #[default]
        Tokens = "tokens",
        /// One number for each channel.
        Values = "values",
    }
}

choices! {
    /// The meaning of the outputs of the last layer: `output` in recipes and in `config.json`, `tern.output` in device
    /// files.
    #[derive(Default)]
    Output {
        /// One logit for each label or token; their softmax gives the probabilities.
        #[default]
        Softmax = "softmax",
        /// One logit z for two labels; σ(z) is the probability of the second label.
        Sigmoid = "sigmoid",
        /// One number for each predicted value, normalised; the output scaling converts it to the unit of its channel.
        Linear = "linear",
    }
}

choices! {
    /// The kind of recurrent cell: `cell` in recipes and in `config.json`, `tern.cell` in device files.
    #[derive(Default)]
    Cell {
        /// Long short-term memory; gates i, f, g, o.
        #[default]
        Lstm = "lstm",
        /// Gated recurrent unit; gates r, z, n. The reset gate acts on W_hn·h + b_hn, as in PyTorch.
        Gru = "gru",
        /// Plain recurrent cell with tanh.
        Rnn = "rnn",
        /// Plain recurrent cell with ReLU.
        RnnRelu = "rnn_relu",
    }
}

impl Cell {
    /// The module name of these cells in PyTorch's `state_dict`, with which the names of their tensors begin.
    pub const fn module(self) -> &'static str {
        match self {
            Cell::Lstm => "lstm",
            Cell::Gru => "gru",
            Cell::Rnn | Cell::RnnRelu => "rnn",
        }
    }

    /// The number of gates: W_ih and W_hh have `gates * hidden_size` rows.
    pub const fn gates(self) -> usize {
        match self {
            Cell::Lstm => 4,
            Cell::Gru => 3,
            Cell::Rnn | Cell::RnnRelu => 1,
        }
    }

    /// The number of 32-bit words of each unit's state besides its 16-bit hidden state: the cell state of an LSTM, the
    /// finer hidden state of a GRU.
    pub const fn state_words(self) -> usize {
        match self {
            Cell::Lstm | Cell::Gru => 1,
            Cell::Rnn | Cell::RnnRelu => 0,
        }
    }
}

choices! {
    /// The way in which the two directions of the last layer are combined: `merge` in recipes and in `config.json`,
    /// `tern.merge` in device files.
    #[derive(Default)]
    Merge {
        /// Concatenation: forward, then reverse.
        #[default]
        Concat = "concat",
        /// Sum.
        Sum = "sum",
        /// Mean.
        Mean = "mean",
        /// Element-wise product.
        Product = "product",
    }
}

choices! {
    /// The reduction of the hidden states over time before the head: `pooling` in recipes and in `config.json`,
    /// `tern.pooling` in device files.
    #[derive(Default)]
    Pooling {
        /// The last hidden state of each direction (`h_n` of PyTorch).
        #[default]
        Last = "last",
        /// The mean over all time steps.
        Mean = "mean",
        /// The maximum over all time steps.
        Max = "max",
        /// The mean and the maximum, concatenated.
        MeanMax = "mean_max",
    }
}

choices! {
    /// The memory layout of recurrent weights in a device file: `tern.packing`. It is chosen for a processor's
    /// instructions and does not change any result.
    Packing {
        /// LSTM: the four gates of a unit side by side, column by column. For cores without DSP instructions.
        Interleaved4 = "interleaved4",
        /// Any cell: a 32-bit word holds two columns of two rows, one column in each half: `256 * a + b` for the
        /// weights a and b of the rows. For the DSP instructions of Cortex-M4, M7 and M33.
        Paired16 = "paired16",
        /// GRU: the three gates of a unit side by side, column by column.
        Interleaved3 = "interleaved3",
        /// Plain cells: row by row.
        Interleaved1 = "interleaved1",
        /// Any cell: row by row. The only layout for weights of 4 and 16 bits.
        Rows = "rows",
    }
}

impl Packing {
    /// The packings in which `tern export` can write 8-bit weights of `cell`: [`Packing::plain`], then
    /// [`Packing::Paired16`].
    pub const fn for_8_bits(cell: Cell) -> [Self; 2] {
        [Packing::plain(cell), Packing::Paired16]
    }

    /// The packing of the 8-bit weights of `cell` for processors without DSP instructions.
    pub const fn plain(cell: Cell) -> Self {
        match cell {
            Cell::Lstm => Packing::Interleaved4,
            Cell::Gru => Packing::Interleaved3,
            Cell::Rnn | Cell::RnnRelu => Packing::Interleaved1,
        }
    }

    /// The input size and the hidden size of each layer must be multiples of this number.
    pub const fn size_multiple(self) -> usize {
        match self {
            Packing::Paired16 => 4,
            _ => 1,
        }
    }

    /// Returns true if layers of `cell` can be stored in this packing.
    pub const fn fits(self, cell: Cell) -> bool {
        matches!(
            (self, cell),
            (Packing::Rows | Packing::Paired16, _)
                | (Packing::Interleaved4, Cell::Lstm)
                | (Packing::Interleaved3, Cell::Gru)
                | (Packing::Interleaved1, Cell::Rnn | Cell::RnnRelu)
        )
    }
}

choices! {
    /// The kind of tokenizer, which determines what becomes a token: `kind` under `[tokenizer]` in recipes.
    #[derive(Default)]
    TokenizerKind {
        /// Runs of anything but white space.
        Whitespace = "whitespace",
        /// Words and runs of punctuation: `\w+|[^\w\s]+`.
        #[default]
        Words = "words",
        /// Words and runs of punctuation; HTML tags become spaces, entities become characters, and an emoticon is one
        /// token.
        HtmlWords = "html_words",
        /// Characters, white space included.
        Chars = "chars",
        /// Bytes; the id of a byte is its value + 2.
        Bytes = "bytes",
        /// Pieces of words, by greedy longest match; `##` marks a piece that continues a word.
        WordPiece = "wordpiece",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_by_its_name() {
        for &cell in Cell::ALL {
            assert_eq!(Cell::from_name(cell.name()), Some(cell));
        }
        assert_eq!(Task::from_name("language-model"), Some(Task::LanguageModel));
        assert_eq!(Task::from_name("language_model"), None);
        assert_eq!(Cell::NAMES, "lstm, gru, rnn, rnn_relu");
        assert_eq!(std::format!("{:>6}|", Cell::Gru), "   gru|");
    }

    #[test]
    fn the_plain_packing_fits_its_cell() {
        for &cell in Cell::ALL {
            assert!(Packing::plain(cell).fits(cell) && Packing::Rows.fits(cell), "{cell}");
        }
        assert!(!Packing::Interleaved4.fits(Cell::Gru));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serde_and_clap_use_the_names() {
        for &pooling in Pooling::ALL {
            let json = std::format!("{:?}", pooling.name());
            assert_eq!(serde_json::to_string(&pooling).unwrap(), json);
            assert_eq!(serde_json::from_str::<Pooling>(&json).unwrap(), pooling);
            #[cfg(feature = "clap")]
            assert_eq!(clap::ValueEnum::to_possible_value(&pooling).unwrap().get_name(), pooling.name());
        }
    }
}
