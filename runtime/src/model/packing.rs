//! How recurrent weights lie in a file.

/// How recurrent weights lie in a file: for whose instructions. It changes no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// The rows of a unit side by side, column by column: for cores that take one weight at a time.
    Interleaved4,
    /// Two rows in 16 bits, two columns in a word: for the DSP instructions of Cortex-M4 and M7.
    Paired16,
}

impl Packing {
    /// Both.
    pub const ALL: [Packing; 2] = [Packing::Interleaved4, Packing::Paired16];

    /// Columns of either half of a layer come in multiples of this.
    pub const fn columns(self) -> usize {
        match self {
            Packing::Interleaved4 => 1,
            Packing::Paired16 => 4,
        }
    }

    /// As the metadata of a device file says it: `tern.packing`.
    pub const fn word(self) -> &'static str {
        match self {
            Packing::Interleaved4 => "interleaved4",
            Packing::Paired16 => "paired16",
        }
    }
}
