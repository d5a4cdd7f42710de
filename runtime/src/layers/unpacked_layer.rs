//! One direction of a recurrent layer that runs from a copy of its weights, whose order suits the vector instructions
//! of a host. `crate::unpacked` makes the copy.

use crate::kernel::Lanes;
use crate::kernel::arguments::{State, Summary};
use crate::kernel::unpacked_weights::UnpackedWeights;

/// The copied weights of a layer, the kernel that runs them, and the sizes and costs of the layer in the file.
#[derive(Debug)]
pub(crate) struct UnpackedLayer {
    pub weights: UnpackedWeights,
    /// The proof that the host has the vector instructions, with which the kernel is called.
    pub lanes: Lanes,
    pub summary: Summary,
}

impl UnpackedLayer {
    /// Computes one step by [`Lanes::step`], which has the same arguments, and swaps `h` and `next_h`.
    #[inline]
    pub(crate) fn step(&self, x: &[i16], input_sums: Option<&[i32]>, state: &mut State<'_>) {
        self.lanes.step(&self.weights, x, input_sums, state);
        core::mem::swap(&mut state.h, &mut state.next_h);
    }
}
