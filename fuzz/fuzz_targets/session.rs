//! Bytes as a model, its changes and a text: [`tern_fuzz::session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tern_fuzz::session(data));
