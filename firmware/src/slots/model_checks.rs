//! The checks of a model beyond its checksum and format: version, size and golden examples.

use tern_runtime::Model;

use super::package::{KeepAlive, Package};
use super::slot_error::SlotError;
use crate::engine::Engine;
use crate::loaded_model::LoadedModel;
use crate::pieces::read_golden;

/// The time limit of all checks of a model together, in seconds.
pub const MAX_CHECK_SECONDS: u32 = tern_format::times::CHECKS / 1000;

/// Refuses a model that is older than `min_version`, if models must be signed. Otherwise every version is accepted.
pub fn check_version(package: &Package<'_>, min_version: u32, must_be_signed: bool) -> Result<(), SlotError> {
    let found = package.version();
    if must_be_signed && found < min_version { Err(SlotError::Downgrade { found, min_version }) } else { Ok(()) }
}

/// Refuses the model of a package if the engine cannot run it in `scratch`.
pub fn check_fit(package: &Package<'_>, model: &Model<'_>, scratch: &mut [i32]) -> Result<(), SlotError> {
    // The engine is only made to see if it fits, so nothing reads the checksum.
    let loaded = LoadedModel { model: *model, file: package.file, crc32: 0 };
    Engine::new(&loaded, scratch).map(drop).map_err(SlotError::Unfit)
}

/// Accepts a model only if all its golden examples give exactly their stored logits within the time limit, after which
/// `keep_alive` returns false.
pub fn check_golden(model: &Model<'_>, scratch: &mut [i32], keep_alive: KeepAlive<'_>) -> Result<(), SlotError> {
    // Cannot fail: `check_fit` has checked the length of the scratch.
    let mut session = model.session(scratch).map_err(|_| SlotError::Golden { exact: 0, total: 0 })?;
    let too_slow = SlotError::Slow { seconds: MAX_CHECK_SECONDS };
    let (mut exact, mut total) = (0, 0);
    for golden in model.golden() {
        // False once `keep_alive` returns false.
        if !read_golden(model, &mut session, &golden, keep_alive) {
            return Err(too_slow);
        }
        let logits = session.logits_while(&mut *keep_alive).ok_or(too_slow)?;
        exact += usize::from(logits.iter().eq(golden.logits.iter().copied()));
        total += 1;
    }
    if exact == total { Ok(()) } else { Err(SlotError::Golden { exact, total }) }
}
