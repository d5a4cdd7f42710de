//! Feeds texts and sequences to the runtime in pieces, between which the watchdog is fed.

use tern_runtime::{Config, Golden, Model, Session};

/// The multiply-accumulates after which the watchdog is fed: about a second on a slow processor, which takes 10
/// instructions for each and executes 16 million a second.
const MACS_PER_PIECE: usize = 1_600_000;
/// The most bytes of a text in one piece.
const MAX_PIECE: usize = 64;

/// Returns the number of bytes of text, from 1 to [`MAX_PIECE`], that the runtime may read before the watchdog is fed,
/// even if each byte is a token.
pub fn piece_bytes(config: &Config) -> usize {
    let Config { layers, hidden_size, embedding_dim, .. } = *config;
    // A layer with input width I has at most four gates of H × (I + H) weights. I is at most 2 H above the first layer,
    // whose input may have two directions.
    let widths = embedding_dim + hidden_size + 3 * hidden_size * layers.saturating_sub(1);
    (MACS_PER_PIECE / hidden_size.saturating_mul(4 * widths).max(1)).clamp(1, MAX_PIECE)
}

/// Resets the session and reads a golden example. Calls `go_on` at least once a second, and stops and returns false as
/// soon as `go_on` returns false. A bidirectional model runs its steps afterwards, in [`SessionBase::logits_while`].
///
/// [`SessionBase::logits_while`]: tern_runtime::SessionBase::logits_while
pub fn read_golden(
    model: &Model<'_>,
    session: &mut Session<'_>,
    golden: &Golden<'_>,
    go_on: &mut dyn FnMut() -> bool,
) -> bool {
    session.reset();
    match session {
        Session::Text(session) => {
            for piece in golden.text.as_bytes().chunks(piece_bytes(model.config())) {
                session.feed(piece);
                if !go_on() {
                    return false;
                }
            }
            session.finish();
        }
        Session::Values(session) => {
            // For a model that reads values, `embedding_dim` is the number of channels.
            for values in golden.values.chunks(model.config().embedding_dim) {
                session.feed(values);
                if !go_on() {
                    return false;
                }
            }
        }
    }
    go_on()
}
