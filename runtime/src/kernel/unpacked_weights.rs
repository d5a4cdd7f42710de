//! The weights of recurrent layers in the order that the vector instructions of hosts need.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]

use alloc::vec::Vec;
use core::num::NonZeroUsize;
use tern_format::Cell;

/// The number of units that a step computes at once.
pub(crate) const LANES: usize = 8;

/// The weights of two columns of one gate for [`LANES`] units, in 16 bits like the activations by which they are
/// multiplied.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct TwoColumns(pub [[i16; 2]; LANES]);

/// One number for each of [`LANES`] units.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct Words(pub [i32; LANES]);

/// One projection of a layer, in blocks of units; the last block is padded with zeros. A block has one or more
/// [groups](groups_of_block) of [`LANES`] units. A row of a block has one number for each unit of a group: a block's
/// rows are the gates of the first group, then those of the next.
#[derive(Debug)]
pub(crate) struct UnpackedHalf {
    /// The number of pairs of columns, ⌈columns / 2⌉.
    pub pairs: NonZeroUsize,
    /// The weights, `[blocks][pairs][groups * gates]`. If the number of columns is odd, the last pair has a zero.
    pub weights: Vec<TwoColumns>,
    /// The biases, which are the initial sums, `[blocks][groups * gates]`.
    pub bias: Vec<Words>,
    /// The row multipliers, 0 to 32,767, `[blocks][groups * gates]`.
    pub multipliers: Vec<Words>,
}

/// Returns the number of groups of [`LANES`] units in a block. It is chosen so that three or four rows share each load
/// of an activation.
pub(crate) const fn groups_of_block(kind: Cell) -> usize {
    if kind.gates() == 1 { 4 } else { 1 }
}

/// The weights of one direction of one layer.
#[derive(Debug)]
pub(crate) struct UnpackedWeights {
    /// The kind of cell, which also gives the number of gates.
    pub kind: Cell,
    /// The input projection.
    pub input: UnpackedHalf,
    /// The recurrent projection.
    pub recurrent: UnpackedHalf,
    /// The left shift of the pre-activations: 0 to 8.
    pub shift: u32,
}

/// A type without values in place of the kernels of whole steps, on hosts without them.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lanes {}

#[cfg(not(target_arch = "x86_64"))]
impl Lanes {
    pub(crate) fn detect() -> Option<Self> {
        None
    }

    pub(crate) fn step(self, _: &UnpackedWeights, _: &[i16], _: Option<&[i32]>, _: &mut super::arguments::State<'_>) {
        match self {}
    }
}
