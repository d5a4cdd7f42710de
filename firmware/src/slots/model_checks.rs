//! The checks of a model beyond its checksum and format: version, size and golden examples.

use tern_runtime::{Model, Session};

use super::package::Package;
use super::slot_error::SlotError;
use crate::engine::Engine;
use crate::loaded_model::LoadedModel;

/// A function that long work calls again and again: it feeds the watchdog, and returns false when the time limit has
/// passed.
pub type KeepAlive<'a> = &'a mut dyn FnMut() -> bool;

/// The time limit of the golden examples before a model runs, in seconds.
pub const MAX_SELF_TEST_SECONDS: u32 = 30;

/// Bytes of a text between two calls of [`KeepAlive`].
const PIECE: usize = 16;

/// Refuses a signed model that is older than `min_version`. The version of an unsigned model means nothing.
pub fn check_version(package: &Package<'_>, min_version: u32, is_signed: bool) -> Result<(), SlotError> {
    let found = package.version();
    if is_signed && found < min_version { Err(SlotError::Downgrade { found, min_version }) } else { Ok(()) }
}

/// Refuses a model that the engine cannot run in `scratch`.
pub fn check_fit(package: &Package<'_>, scratch: &mut [i32]) -> Result<(), SlotError> {
    let loaded = LoadedModel { model: package.model()?, file: package.file };
    Engine::new(&loaded, scratch).map(drop).map_err(SlotError::Unfit)
}

/// Refuses a model whose golden examples do not give exactly their stored logits within the time limit.
pub fn check_golden(model: &Model<'_>, scratch: &mut [i32], keep_alive: KeepAlive<'_>) -> Result<(), SlotError> {
    // Cannot fail: `check_fit` has checked the length of the scratch.
    let mut session = model.session(scratch).map_err(|_| SlotError::Golden { exact: 0, total: 0 })?;
    let channels = model.config().embedding_dim;
    let mut check_time = || {
        let seconds = MAX_SELF_TEST_SECONDS;
        if keep_alive() { Ok(()) } else { Err(SlotError::Slow { seconds }) }
    };
    let (mut exact, mut total) = (0, 0);
    for golden in model.golden() {
        session.reset();
        match &mut session {
            Session::Text(session) => {
                for piece in golden.text.as_bytes().chunks(PIECE) {
                    session.feed(piece);
                    check_time()?;
                }
                session.finish();
            }
            Session::Values(session) => {
                for values in golden.values.chunks(channels) {
                    session.feed(values);
                    check_time()?;
                }
            }
        }
        exact += usize::from(session.logits().iter().eq(golden.logits.iter().copied()));
        total += 1;
        check_time()?;
    }
    if exact == total { Ok(()) } else { Err(SlotError::Golden { exact, total }) }
}
