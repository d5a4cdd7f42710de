//! Limits how much a session reads at once. The firmware gives texts and sequences to the runtime in pieces, so that it
//! can feed the watchdog between them.

use tern_runtime::{Config, Golden, Model, Session};

/// The multiply-accumulates (MACs) after which the watchdog is fed. They take about a second on a slow processor, which
/// executes 10 instructions for each MAC and 16 million instructions a second.
const MACS_PER_PIECE: usize = 1_600_000;
/// The most bytes of a text in one piece, however small the model is.
const MAX_PIECE: usize = 64;

/// Returns the number of bytes of text, from 1 to [`MAX_PIECE`], that the runtime may read before the watchdog is fed,
/// even if each byte is a token.
pub fn piece_bytes(config: &Config) -> usize {
    let Config { layers, hidden_size, embedding_dim, .. } = *config;
    // A layer with input width I and hidden size H has at most four gates of H × (I + H) weights. The first layer reads
    // the embedding. A layer above reads the outputs of up to two directions: I is at most 2 H, and I + H at most 3 H.
    let row_lengths = embedding_dim + hidden_size + 3 * hidden_size * layers.saturating_sub(1);
    let macs_per_token = hidden_size.saturating_mul(4 * row_lengths);
    (MACS_PER_PIECE / macs_per_token.max(1)).clamp(1, MAX_PIECE)
}

/// Resets the session and reads a golden example. Calls `go_on` after each piece or time step, about once a second or
/// more often, and stops and returns false as soon as `go_on` returns false. A bidirectional model runs its steps only
/// afterwards, in [`SessionBase::logits_while`].
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
