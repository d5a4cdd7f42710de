//! Classifies each line of standard input on a host: `cargo run -p tern-runtime --example classify model.safetensors <
//! texts.txt`. Without an argument it uses the small random model of this crate's tests.

use std::error::Error;
use std::io::stdin;

use tern_runtime::{Model, include_model};

static SAMPLE: &[u8] = include_model!("../tests/golden/lstm.safetensors");

fn main() -> Result<(), Box<dyn Error>> {
    // A model must begin at an address that is a multiple of 8. The bytes of a `Vec<u64>` do, so a file that is read at
    // run time is copied to one.
    let mut aligned_words: Vec<u64> = Vec::new();
    let bytes = match std::env::args_os().nth(1) {
        Some(path) => {
            let file = std::fs::read(path)?;
            aligned_words.resize(file.len().div_ceil(8), 0);
            let aligned: &mut [u8] = bytemuck::cast_slice_mut(&mut aligned_words);
            aligned[..file.len()].copy_from_slice(&file);
            &aligned[..file.len()]
        }
        None => SAMPLE,
    };
    let model = Model::from_bytes(bytes)?;
    // The Cargo features of tern-runtime that a build for this model needs.
    println!("features: {}", model.needed_features().collect::<Vec<_>>().join(", "));
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch)?;
    for line in stdin().lines() {
        let logits = session.classify(line?.as_bytes());
        let best = logits.best();
        // Probabilities are Q16: 65,536 is 100 %.
        let percent = f64::from(logits.probability(best.class)) / 655.36;
        println!("{} ({percent:.1} %)", model.labels().get(best.class).unwrap_or_default());
    }
    Ok(())
}
