//! Reads arbitrary bytes as a model, changes to it and a text; see [`tern_fuzz::session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tern_fuzz::session(data));
