//! Loads arbitrary bytes as a device file and nothing else; see [`tern_fuzz::load`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tern_fuzz::load(data));
