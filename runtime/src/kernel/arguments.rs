//! The arguments of the kernels that compute whole steps: the parameters of a layer and its state, as plain slices.

use core::num::NonZeroUsize;

/// The state of one layer, in the caller's scratch.
#[derive(Debug, Default)]
pub(crate) struct State<'s> {
    /// The hidden state, `[hidden_size]`, Q15.
    pub h: &'s mut [i16],
    /// Memory for the next hidden state, `[hidden_size]`.
    pub next_h: &'s mut [i16],
    /// The finer state, `[hidden_size]`: the cell state of an LSTM in Q20, the hidden state of a GRU in Q30; empty for
    /// plain cells.
    pub c: &'s mut [i32],
}

impl State<'_> {
    /// Sets the state before the first step.
    pub(crate) fn reset(&mut self) {
        self.h.fill(0);
        self.c.fill(0);
    }
}

/// The parameters of one direction of an LSTM layer in the packing `interleaved4`, borrowed from the file. The last
/// dimension is the gate: `i f g o`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lstm<'a> {
    /// The input size E.
    pub input_size: NonZeroUsize,
    /// `[hidden_size · input_size][4]`
    pub weight_ih: &'a [[i8; 4]],
    /// `[hidden_size · hidden_size][4]`
    pub weight_hh: &'a [[i8; 4]],
    /// `[hidden_size][4]`, in units of the input projection's accumulators
    pub bias: &'a [[i32; 4]],
    /// `[hidden_size][4]`
    pub multiplier_ih: &'a [[i16; 4]],
    /// `[hidden_size][4]`
    pub multiplier_hh: &'a [[i16; 4]],
    /// 0 … 8
    pub shift: u32,
}

impl Lstm<'_> {
    /// Returns true if all sizes match and none is zero. This always holds after load; kernels in assembly rely on it.
    #[cfg(any(armv7m, thumb1, rv32))]
    #[inline(always)]
    pub(crate) fn fits(&self, x: &[i16], state: &State<'_>) -> bool {
        let (columns, units) = (x.len(), state.h.len());
        let weights = (self.weight_ih.len(), self.weight_hh.len()) == (units * columns, units * units);
        let rows = [self.bias.len(), self.multiplier_ih.len(), self.multiplier_hh.len()];
        let states = [state.c.len(), state.next_h.len()];
        weights && units != 0 && rows.iter().chain(&states).all(|&len| len == units)
    }
}

/// The parameters of one direction of an LSTM layer in the packing `paired16`, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paired<'a> {
    /// The input size E, a multiple of 4.
    pub input_size: NonZeroUsize,
    /// The hidden size H, a multiple of 4.
    pub hidden_size: NonZeroUsize,
    /// `[hidden_size][H + 10 + E]`, see [`Record`]
    pub units: &'a [i32],
    /// 0 … 8
    pub shift: u32,
    #[cfg(dsp)]
    pub plan: Plan,
}

#[cfg(dsp)]
/// The parts of a step that depend on the layer only, computed once. Distances are in bytes of code, plus 1 for Thumb.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Plan {
    /// The initial value of the upper half of a sum's upper word in the recurrent projection. It is negative until the
    /// last turn of the loop; half a turn is added so that a carry of the sum does not matter.
    pub turns_hh: usize,
    /// The negative number of units, −H.
    pub units: isize,
    /// The bytes of `x`.
    pub x_bytes: usize,
    /// The distance into the loop of the input projection at which to enter.
    pub enter_ih: usize,
    /// 0 … 8
    pub shift: u32,
    /// The distance into the loop of the recurrent projection at which to enter.
    pub enter_hh: usize,
    /// The distance from the gates at which to continue.
    pub gates: usize,
}
