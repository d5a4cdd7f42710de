//! Bytes as a saved state and its changes: [`tern_fuzz::state`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tern_fuzz::state(data));
