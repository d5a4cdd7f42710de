//! Reads arbitrary bytes as the choice of a model, a text and changes to a saved state; see [`tern_fuzz::state`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tern_fuzz::state(data));
