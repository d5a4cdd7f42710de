//! Reads arbitrary bytes as the choice of a model, changes to its file and a text; see [`tern_fuzz::session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tern_fuzz::session(data));
