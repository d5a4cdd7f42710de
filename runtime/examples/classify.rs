//! Classifies each line of standard input on a host: `cargo run -p tern-runtime --example classify model.safetensors <
//! texts.txt`. Without an argument it uses the small random model of this crate's tests.

use std::error::Error;
use std::io::stdin;

use tern_runtime::{Model, include_model};

static SAMPLE: &[u8] = include_model!("../tests/golden/lstm.safetensors");

fn main() -> Result<(), Box<dyn Error>> {
    // A file that is read at run time must be copied to an aligned address.
    let (mut words, file) = (Vec::new(), std::env::args_os().nth(1).map(std::fs::read).transpose()?);
    let bytes = match &file {
        Some(file) => {
            words.resize(file.len().div_ceil(8), 0u64);
            let aligned: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
            aligned[..file.len()].copy_from_slice(file);
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
