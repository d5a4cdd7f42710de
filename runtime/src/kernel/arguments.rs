//! The arguments of the kernels that compute whole steps: the parameters of a layer and its state, as plain slices.

use core::num::NonZeroUsize;

/// One layer's state, in the caller's scratch.
#[derive(Debug, Default)]
pub(crate) struct State<'s> {
    /// The hidden state. `[hidden_size]`, Q15.
    pub h: &'s mut [i16],
    /// Where a step builds the next hidden state. `[hidden_size]`.
    pub next_h: &'s mut [i16],
    /// `[hidden_size]`: of LSTM the cell state, Q20; of GRU the hidden state in Q30; empty for plain cells.
    pub c: &'s mut [i32],
}

impl State<'_> {
    /// Before the first step.
    pub(crate) fn reset(&mut self) {
        self.h.fill(0);
        self.c.fill(0);
    }
}

/// One layer's parameters in the packing `interleaved4`, borrowed from the file. The last dimension is the gate: `i f g o`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lstm<'a> {
    /// E: the size of `x`.
    pub input_size: NonZeroUsize,
    /// `[hidden_size · input_size][4]`
    pub weight_ih: &'a [[i8; 4]],
    /// `[hidden_size · hidden_size][4]`
    pub weight_hh: &'a [[i8; 4]],
    /// `[hidden_size][4]`, in units of the input half's accumulators
    pub bias: &'a [[i32; 4]],
    /// `[hidden_size][4]`
    pub multiplier_ih: &'a [[i16; 4]],
    /// `[hidden_size][4]`
    pub multiplier_hh: &'a [[i16; 4]],
    /// 0 … 8
    pub shift: u32,
}

impl Lstm<'_> {
    /// Whether all sizes fit each other and none is zero: always so after load, and in the scratch as a session divides it. Kernels in
    /// assembly rely on it.
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

/// One layer's parameters in the packing `paired16`, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paired<'a> {
    /// E: the size of `x`. A multiple of 4.
    pub input_size: NonZeroUsize,
    /// H. A multiple of 4.
    pub hidden_size: NonZeroUsize,
    /// `[hidden_size][H + 10 + E]`, see [`Record`]
    pub units: &'a [i32],
    /// 0 … 8
    pub shift: u32,
    #[cfg(dsp)]
    pub plan: Plan,
}

#[cfg(dsp)]
/// What a step needs to know of a layer, made once. Distances are of code, and 1 for Thumb.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Plan {
    /// What the upper half of a sum's upper word begins with in the recurrent half: below zero until the last turn, whatever the sum carries,
    /// for half a turn's worth is added.
    pub turns_hh: usize,
    /// −H
    pub units: isize,
    /// From `x` to its end.
    pub x_bytes: usize,
    /// How far into the loop of the input half to enter.
    pub enter_ih: usize,
    /// 0 … 8
    pub shift: u32,
    /// How far into the loop of the recurrent half to enter.
    pub enter_hh: usize,
    /// How far from the gates to go on.
    pub gates: usize,
}
