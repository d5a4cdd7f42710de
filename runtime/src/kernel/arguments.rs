//! The arguments of the kernels that compute whole steps: the parameters and the state of a layer, as plain slices.

use core::num::NonZeroUsize;

/// The state of one layer, in the caller's scratch.
#[derive(Debug, Default)]
pub(crate) struct State<'s> {
    /// The hidden state, `[hidden_size]`, Q15.
    pub h: &'s mut [i16],
    /// Memory for the next hidden state, `[hidden_size]`, Q15; the step swaps it with `h`.
    pub next_h: &'s mut [i16],
    /// The finer state, `[hidden_size]`: the cell state of an LSTM in Q20, the hidden state of a GRU in Q30; empty for
    /// plain cells.
    pub c: &'s mut [i32],
}

impl State<'_> {
    /// Sets the state to zeros, as before the first step.
    pub(crate) fn reset(&mut self) {
        self.h.fill(0);
        self.c.fill(0);
    }
}

/// The parameters of one direction of a layer in a plain packing, borrowed from the file. For each unit and
/// each column, the weights of all gates are adjacent. Biases are in the units of accumulators.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interleaved<'a, const GATES: usize, const BIASES: usize> {
    /// The input size E.
    pub input_size: NonZeroUsize,
    /// The input weights, `[hidden_size * input_size][GATES]`.
    pub weight_ih: &'a [[i8; GATES]],
    /// The recurrent weights, `[hidden_size * hidden_size][GATES]`.
    pub weight_hh: &'a [[i8; GATES]],
    /// The biases of each unit, `[hidden_size][BIASES]`.
    pub bias: &'a [[i32; BIASES]],
    /// The multipliers of the rows of the input weights, `[hidden_size][GATES]`.
    pub multiplier_ih: &'a [[i16; GATES]],
    /// The multipliers of the rows of the recurrent weights, `[hidden_size][GATES]`.
    pub multiplier_hh: &'a [[i16; GATES]],
    /// The left shift of the pre-activations, 0 to 8. A pre-activation is `(zx + zh) << shift`, where zx and zh are the
    /// requantized sums of the two projections. In n of a GRU, zh is first multiplied by r. See `docs/arithmetic.md`.
    pub shift: u32,
}

/// An LSTM layer: gates `i f g o`, each with one bias, which belongs to the input projection.
pub(crate) type Lstm<'a> = Interleaved<'a, 4, 4>;

/// A GRU layer: gates `r z n`; biases b_r, b_z and b_n of the input projection, then b_hn of the recurrent projection.
pub(crate) type Gru<'a> = Interleaved<'a, 3, 4>;

impl<'a, const GATES: usize, const BIASES: usize> Interleaved<'a, GATES, BIASES> {
    /// A layer from the elements of its tensors, in the order of their fields. In each array of two, the input
    /// projection comes before the recurrent one. The loader has checked that the lengths are multiples of `GATES` or
    /// `BIASES`.
    pub(crate) fn new(
        input_size: NonZeroUsize,
        [weight_ih, weight_hh]: [&'a [i8]; 2],
        bias: &'a [i32],
        [multiplier_ih, multiplier_hh]: [&'a [i16]; 2],
        shift: u32,
    ) -> Self {
        Interleaved {
            input_size,
            weight_ih: weight_ih.as_chunks().0,
            weight_hh: weight_hh.as_chunks().0,
            bias: bias.as_chunks().0,
            multiplier_ih: multiplier_ih.as_chunks().0,
            multiplier_hh: multiplier_hh.as_chunks().0,
            shift,
        }
    }

    /// Returns the layer for a step with a precomputed input projection, `[hidden_size * BIASES]`: it has no input
    /// weights, and these sums in place of its biases.
    #[inline(always)]
    pub(crate) fn with_input_sums<'s>(&'s self, sums: &'s [i32]) -> Interleaved<'s, GATES, BIASES> {
        Interleaved { weight_ih: &[], bias: sums.as_chunks().0, ..*self }
    }

    /// The sizes and the costs of the layer.
    pub(crate) fn summary(&self) -> Summary {
        // A weight takes one multiply-accumulate and one byte.
        let weights = GATES * (self.weight_ih.len() + self.weight_hh.len());
        let multiplier_bytes = size_of_val(self.multiplier_ih) + size_of_val(self.multiplier_hh);
        let bytes = weights + size_of_val(self.bias) + multiplier_bytes;
        Summary { hidden_size: self.bias.len(), sums_of_unit: BIASES, shift: self.shift, macs: weights, bytes }
    }
}

/// The sizes and the costs of one direction of a layer in any packing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    /// The hidden size H.
    pub hidden_size: usize,
    /// The number of precomputed sums that a folded token has for each unit; it equals the number of biases.
    pub sums_of_unit: usize,
    /// The left shift of the pre-activations, 0 to 8: see [`Interleaved::shift`].
    #[allow(dead_code)] // Read only where weights are unpacked for a host's vector instructions: `unpacked.rs`.
    pub shift: u32,
    /// The multiply-accumulates of a step: gates · H · (input size + H).
    pub macs: usize,
    /// The bytes of flash: weights, biases, multipliers.
    pub bytes: usize,
}

impl Summary {
    /// The summary of a model without recurrent layers.
    #[cfg(feature = "ngrams")]
    pub(crate) const NONE: Summary = Summary { hidden_size: 0, sums_of_unit: 0, shift: 0, macs: 0, bytes: 0 };
}

/// The parameters of one direction of an LSTM layer in the packing `paired16`, borrowed from the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PairedLstm<'a> {
    /// The input size E, a multiple of 4.
    pub input_size: NonZeroUsize,
    /// The hidden size H, a multiple of 4.
    pub hidden_size: NonZeroUsize,
    /// The words of the records of all units, `[H][H + 10 + E]`, in the order in which a step reads them: H and E words
    /// of weights, 4 of multipliers and 6 of initial sums (`docs/format.md#packings`).
    pub record_words: &'a [i32],
    /// The left shift of the pre-activations, 0 to 8: see [`Interleaved::shift`].
    pub shift: u32,
    /// The arguments of the kernel `dsp` for steps without a precomputed input projection.
    #[cfg(dsp)]
    pub plan: Plan,
}

/// The arguments of the kernel `dsp` that depend only on the layer, computed at load. A step with a precomputed input
/// projection (`dsp::step_folded`) replaces `x_bytes` and `enter_ih`. Distances are in bytes of code, plus 1, because
/// the lowest bit of the address of a jump to Thumb code is 1; negative ones are in two's complement.
#[cfg(dsp)]
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Plan {
    /// The initial upper word of a 64-bit sum of the recurrent projection, in two's complement: −2^16 for each turn of
    /// the loop, plus 2^15. The word also counts the turns: each adds 2^16, and the loop ends when the word is not
    /// negative. The sum is below 2^40, so it changes the word by less than 2^8, and with the 2^15 it cannot change the
    /// sign. 0 for Helium, which counts otherwise.
    pub turns_hh: usize,
    /// The negative number of units, −H.
    pub negative_units: isize,
    /// The number of bytes of the step's input `x`, to which the kernel adds the address of `x`.
    pub x_bytes: usize,
    /// The distance from the beginning of the input projection's loop to its entry point.
    pub enter_ih: usize,
    /// The left shift of the pre-activations, 0 to 8: see [`Interleaved::shift`].
    pub shift: u32,
    /// The distance from the beginning of the recurrent projection's loop to its entry point.
    pub enter_hh: usize,
    /// The distance from the code of the gates to the code that follows the sums: 0 (plus 1 for Thumb) if that is the
    /// code of the gates itself; negative if it is the code before it, which shifts the pre-activations first.
    pub gates: usize,
    /// The numbers of whole Helium vectors in the input and in the hidden state.
    #[cfg(helium)]
    pub vectors: [u16; 2],
}
