//! The runtime of Tern as a static library with a C interface: `include/tern.h`, which is generated from this crate.
//!
//! A `tern_t` in the caller's memory holds a model and one session on it. The library has no global state, allocates no
//! memory and never panics. The functions that take a `tern_t` may be called in any order: without a model or a
//! session, a function returns an error, 0 or −1.

#![no_std]

// Tests on a host need a panic handler. The libraries that `cargo xtask c` builds have their own.
#[cfg(not(any(feature = "panic-handler", target_os = "none")))]
extern crate std;

// The order of these modules is that of their functions in the header.
mod status;

mod handle;

mod open;

mod read;

mod answer;

mod saved_state;

#[cfg(feature = "panic-handler")]
mod panic;

pub use answer::{
    tern_answer, tern_best, tern_class_count, tern_label, tern_logit, tern_logits, tern_predicted, tern_probability,
    tern_top,
};
pub use handle::{TERN_STATE_ALIGN, TERN_STATE_SIZE, TERN_STATE_WORDS, tern_t};
pub use open::{
    tern_file_len, tern_fingerprint, tern_load, tern_macs_per_token, tern_model_name, tern_open, tern_scratch_words,
    tern_scratch_words_for, tern_self_test, tern_start, tern_state_size,
};
pub use read::{
    TERN_MISSING, tern_channel, tern_channel_count, tern_encode, tern_feed, tern_feed_values, tern_finish,
    tern_length_status, tern_reset, tern_tokens, tern_unknown_tokens,
};
pub use saved_state::{tern_restore, tern_save, tern_saved_len};
pub use status::{tern_status, tern_status_name};
