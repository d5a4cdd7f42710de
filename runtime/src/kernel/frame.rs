//! The memory in which the assembly steps of LSTM and GRU (`armv7m`, `thumb1`, `rv32`) get their arguments.

use super::arguments::{Interleaved, State};
use crate::activation::{SIGMOID, TANH};

/// The arguments of a step. The assembly reads them at these offsets in bytes: `x` 0, `h` 12, `c` 24, `next_h` 28,
/// `c_end` 32, `shift` 36, `sigmoid` 40, `tanh` 44, `weight_hh` 48, `weight_ih` 52, `bias` 56, `multiplier_ih` 60,
/// `multiplier_hh` 64.
#[repr(C)]
pub(super) struct Frame {
    /// The addresses of the first value of `x`, of the end of the whole turns, and of the end of `x`.
    x: [*const i16; 3],
    /// The same addresses of `h`.
    h: [*const i16; 3],
    c: *mut i32,
    next_h: *mut i16,
    c_end: *mut i32,
    shift: u32,
    sigmoid: *const i32,
    tanh: *const i32,
    /// The addresses of the parameters of the first unit; those of the other units follow.
    weight_hh: *const i8,
    weight_ih: *const i8,
    bias: *const [i32; 4],
    multiplier_ih: *const i16,
    multiplier_hh: *const i16,
}

impl Frame {
    /// The frame of a step. `TURN`: the columns of one turn of the loop. `base`: the entry of the activation tables to
    /// which `sigmoid` and `tanh` point: 0, or 128 for a kernel whose indices begin at −128.
    #[inline(always)]
    pub(super) fn new<const TURN: usize, const GATES: usize>(
        layer: &Interleaved<'_, GATES, 4>,
        x: &[i16],
        state: &mut State<'_>,
        base: usize,
    ) -> Self {
        let addresses = |v: &[i16]| [v.as_ptr(), v.as_ptr().wrapping_add(v.len() / TURN * TURN), v.as_ptr_range().end];
        let c = state.c.as_mut_ptr_range();
        Frame {
            x: addresses(x),
            h: addresses(state.h),
            c: c.start,
            next_h: state.next_h.as_mut_ptr(),
            c_end: c.end,
            shift: layer.shift,
            sigmoid: SIGMOID.as_ptr().wrapping_add(base),
            tanh: TANH.as_ptr().wrapping_add(base),
            weight_hh: layer.weight_hh.as_ptr().cast(),
            weight_ih: layer.weight_ih.as_ptr().cast(),
            bias: layer.bias.as_ptr(),
            multiplier_ih: layer.multiplier_ih.as_ptr().cast(),
            multiplier_hh: layer.multiplier_hh.as_ptr().cast(),
        }
    }
}

/// Returns true if all sizes match and there is at least one unit. This always holds after load; kernels in assembly
/// rely on it.
#[inline(always)]
pub(super) fn sizes_match<const GATES: usize>(layer: &Interleaved<'_, GATES, 4>, x: &[i16], state: &State<'_>) -> bool {
    let (columns, units) = (x.len(), state.h.len());
    let weights_match = (layer.weight_ih.len(), layer.weight_hh.len()) == (units * columns, units * units);
    let parameters = [layer.bias.len(), layer.multiplier_ih.len(), layer.multiplier_hh.len()];
    let states = [state.c.len(), state.next_h.len()];
    let all_match = weights_match && units != 0 && parameters.iter().chain(&states).all(|&length| length == units);
    debug_assert!(all_match, "the sizes of a layer and its state always match after load");
    all_match
}
