//! What a model must pass beyond being whole.

use tern_runtime::Model;

use super::{Package, Reason};
use crate::classifier::{Classifier, Found};

/// Called again and again in work that takes long: feeds what must be fed, and says whether there is time left.
pub type Alive<'a> = &'a mut dyn FnMut() -> bool;

/// What golden texts may take before a model serves, in seconds.
pub const MOST_SECONDS: u32 = 30;

/// Bytes of a text between two calls of [`Alive`].
const PIECE: usize = 16;

/// The rule against downgrades. Where nobody signs, a version is worth nothing and stops nobody.
pub fn is_new_enough(package: &Package<'_>, floor: u32, is_signed: bool) -> Result<(), Reason> {
    let found = package.version();
    if is_signed && found < floor { Err(Reason::Downgrade { found, floor }) } else { Ok(()) }
}

/// Whether the console can run the model in its scratch.
pub fn fits(package: &Package<'_>, scratch: &mut [i32]) -> Result<(), Reason> {
    let found = Found { model: package.model()?, file: package.file };
    match Classifier::new(&found, scratch) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(Reason::Unfit(refusal)),
    }
}

/// Whether the golden texts give their logits, to the bit, in time.
pub fn golden(model: &Model<'_>, scratch: &mut [i32], alive: Alive<'_>) -> Result<(), Reason> {
    let mut session = model.session(scratch).map_err(|_| Reason::Golden { exact: 0, total: 0 })?;
    let channels = model.config().embedding_dim;
    let in_time = |is_alive: bool| if is_alive { Ok(()) } else { Err(Reason::Slow { seconds: MOST_SECONDS }) };
    let (mut exact, mut total) = (0, 0);
    for golden in model.golden() {
        session.reset();
        for piece in golden.text.as_bytes().chunks(PIECE) {
            session.feed(piece);
            in_time(alive())?;
        }
        session.finish();
        for values in golden.values.chunks(channels) {
            session.feed_values(values);
            in_time(alive())?;
        }
        exact += usize::from(session.logits().iter().eq(golden.logits.iter().copied()));
        total += 1;
        in_time(alive())?;
    }
    if exact == total { Ok(()) } else { Err(Reason::Golden { exact, total }) }
}
