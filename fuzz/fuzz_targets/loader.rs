//! Loads arbitrary bytes as a model file; see [`tern_fuzz::loader`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tern_fuzz::loader(data));
