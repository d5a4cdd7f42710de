//! Hosts without whole steps of their own.

use super::arguments::State;
use super::unpacked_weights::UnpackedWeights;

/// There is none of these.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lanes {}

impl Lanes {
    pub(crate) fn detect() -> Option<Self> {
        None
    }

    pub(crate) fn step(self, _: &UnpackedWeights, _: &[i16], _: Option<&[i32]>, _: &mut State<'_>) {
        match self {}
    }
}
