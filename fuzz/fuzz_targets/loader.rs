//! Bytes as a file: [`tern_fuzz::loader`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tern_fuzz::loader(data));
