//! Loads arbitrary bytes as a device file and runs the model; see [`tern_fuzz::loader`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tern_fuzz::loader(data));
