//! Reads arbitrary bytes as the choice of a tokenizer and a text; see [`tern_fuzz::tokenizers`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tern_fuzz::tokenizers(data));
