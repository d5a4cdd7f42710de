//! How recurrent weights lie in a file.

use crate::kind::CellKind;

/// How recurrent weights lie in a file: for whose instructions. It changes no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// The rows of a unit side by side, column by column: for cores that take one weight at a time.
    Interleaved4,
    /// Two rows in 16 bits, two columns in a word: for the DSP instructions of Cortex-M4 and M7.
    Paired16,
    /// As `Interleaved4`, of cells with three rows.
    Interleaved3,
    /// Row by row, of cells with one.
    Interleaved1,
    /// Row by row, of any cells; the one for weights of 4 and 16 bits.
    Rows,
}

impl Packing {
    /// Those of LSTM; other cells have one each.
    pub const ALL: [Packing; 2] = [Packing::Interleaved4, Packing::Paired16];

    /// All of them, in the order of the format's page.
    pub(crate) const EACH: [Packing; 5] =
        [Packing::Interleaved4, Packing::Paired16, Packing::Interleaved3, Packing::Interleaved1, Packing::Rows];

    /// Of the cells that it is for, the plainest; that of LSTM for what is for any.
    pub(crate) const fn cell(self) -> CellKind {
        match self {
            Packing::Interleaved3 => CellKind::Gru,
            Packing::Interleaved1 => CellKind::Rnn,
            Packing::Interleaved4 | Packing::Paired16 | Packing::Rows => CellKind::Lstm,
        }
    }

    /// The plain one of such cells, which every core runs.
    pub const fn plain(cell: CellKind) -> Self {
        match cell {
            CellKind::Lstm => Packing::Interleaved4,
            CellKind::Gru => Packing::Interleaved3,
            CellKind::Rnn | CellKind::RnnRelu => Packing::Interleaved1,
        }
    }

    /// Columns of either half of a layer come in multiples of this.
    pub const fn columns(self) -> usize {
        match self {
            Packing::Paired16 => 4,
            _ => 1,
        }
    }

    /// As the metadata of a device file says it: `tern.packing`.
    pub const fn word(self) -> &'static str {
        match self {
            Packing::Interleaved4 => "interleaved4",
            Packing::Paired16 => "paired16",
            Packing::Interleaved3 => "interleaved3",
            Packing::Interleaved1 => "interleaved1",
            Packing::Rows => "rows",
        }
    }
}
