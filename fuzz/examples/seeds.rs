//! Writes the inputs with which the fuzzers begin, to `corpus/`: `cargo run --no-default-features --example seeds`, in
//! this folder.

use std::path::Path;
use std::{fs, io};

use tern_runtime::testing::{Random, Spec};
use tern_runtime::text::Tokenizer;

/// Texts with tags, entities, emoticons, rare white space, and characters of all lengths and cases.
const TEXTS: [&str; 6] = [
    "Free prize, call caller now!! Grüße, мир",
    "<b>bold</b> &amp;lt; :-) =D <3 http://x &nbsp;<br/>",
    "the caller called; ##er wwwwer ǅ İ Σ ẞ \u{1f600}\u{200d}\u{301}",
    "\u{a0}\u{2028}\r\n\t_x_9\u{ff11}",
    "<<<<<i<!--  &&&#39;;-/",
    "",
];

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let write = |target: &str, index: usize, bytes: &[u8]| {
        fs::create_dir_all(corpus.join(target))?;
        fs::write(corpus.join(target).join(format!("seed{index}")), bytes)
    };
    for index in 0..40 {
        write("loader", index, &Spec::random(index as u64).file(index as u64))?;
    }
    for index in 40..60 {
        write("loader", index, &Spec::random_ngrams(index as u64).file(index as u64))?;
    }
    let mut random = Random(1);
    // Each of the texts with each of the 11 tokenizers.
    for index in 0..TEXTS.len() * Tokenizer::ALL.len() {
        // The target takes one byte for the length of the chunks and one for the tokenizer; the rest is the text.
        let mut bytes = vec![random.number() as u8, index as u8];
        bytes.extend(TEXTS[index % TEXTS.len()].as_bytes());
        write("tokenizers", index, &bytes)?;
    }
    for index in 0..200 {
        for target in ["session", "state"] {
            let length = random.between(16, 160);
            let bytes: Vec<u8> = (0..length).map(|_| random.number() as u8).collect();
            write(target, index, &bytes)?;
        }
    }
    Ok(())
}
