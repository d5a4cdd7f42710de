//! The bodies of the fuzz targets. Each function must return for any bytes; a panic is a fault that the fuzzer has
//! found.
//!
//! `fuzz_targets/` passes the functions to libFuzzer; `tests/replay.rs` runs all of them on the committed corpus, on
//! stable Rust. docs/safety.md describes how to run them, and for how long they have run.

mod mutant;
mod texts;

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use arbitrary::Unstructured;
use tern_runtime::testing::Aligned;
use tern_runtime::{Flash, Model, Sampler, Session, Unpacked, file_len, softmax};

pub use texts::tokenizers;

/// The body of a fuzz target, which takes the bytes that the fuzzer has chosen.
pub type Target = fn(&[u8]);

/// The names of the targets, each with its body.
pub const TARGETS: [(&str, Target); 5] =
    [("load", load), ("loader", loader), ("tokenizers", tokenizers), ("session", session), ("state", state)];

/// Loads any bytes as a device file and does nothing else, so that the fuzzer tries as many files as possible.
pub fn load(data: &[u8]) {
    let file = Aligned::new(data);
    let loaded = Model::from_bytes(&file);
    if loaded.is_ok() {
        assert_eq!(file_len(&file), Ok(file.len()), "`file_len` is the length of a file that loads");
    }
}

/// Loads any bytes as a device file: the result is an error, or a model that runs.
pub fn loader(data: &[u8]) {
    let file = Aligned::new(data);
    let length = file_len(&file);
    let Ok(model) = Model::from_bytes(&file) else { return };
    assert_eq!(length, Ok(file.len()), "`file_len` is the length of a file that loads");
    run(&model, file.len(), b"Free prize, call caller now!! \xff <b>:-)</b>");
}

/// The files that [`session`] has made, and how many of them were models.
static FILES: AtomicU64 = AtomicU64::new(0);
static MODELS: AtomicU64 = AtomicU64::new(0);

/// Loads the file of a random model with some changes to its metadata and tensors, and reads any text: the result is an
/// error, or a model that runs within its [`Cost`](tern_runtime::Cost).
pub fn session(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(file) = mutant::file(&mut bytes) else { return };
    let loaded = Model::from_bytes(&file);
    MODELS.fetch_add(u64::from(loaded.is_ok()), Relaxed);
    let files = FILES.fetch_add(1, Relaxed) + 1;
    if files.is_multiple_of(500_000) {
        println!("{} of {files} files loaded and ran", MODELS.load(Relaxed));
    }
    if let Ok(model) = loaded {
        run(&model, file.len(), bytes.take_rest());
    }
}

/// Saves the state of a session, restores it, and then restores a changed copy of it: the result is an error and a new
/// text, or a session that continues.
pub fn state(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let Ok(file) = mutant::unchanged(&mut bytes) else { return };
    let model = Model::from_bytes(&file).expect("a random model loads");
    let mut scratch = vec![-1; model.scratch_len_for(9)];
    let mut session = model.session(&mut scratch).expect("the scratch has the length that the model asks for");
    let length = bytes.int_in_range(0..=31).unwrap_or(0);
    feed(&mut session, bytes.bytes(length).unwrap_or(&[]));
    let mut saved = vec![0; session.state_len()];
    let length = session.save(&mut saved).expect("the buffer has the length of the state");
    assert_eq!(length, saved.len());
    let before = session.state_hash();
    session.restore(&saved).expect("a saved state can be restored");
    assert_eq!(session.state_hash(), before, "a restored state equals the saved one");

    let Ok(changed) = mutant::state(&mut bytes, saved) else { return };
    let result = session.restore(&changed);
    if result.is_err() {
        assert_eq!((session.tokens(), session.unknown()), (0, 0), "a refused state begins a new text");
    }
    feed(&mut session, bytes.take_rest());
    let again = session.save(&mut vec![0; model.state_len_for(9)]);
    assert!(again.is_ok(), "a session that continues can be saved: {again:?}");
}

/// Feeds the bytes as text or as values, depending on the model.
fn feed(session: &mut Session<'_>, data: &[u8]) {
    match session {
        Session::Text(session) => {
            session.feed(data);
            session.finish();
        }
        Session::Values(session) => {
            for values in data.chunks(8) {
                session.feed(&values.iter().map(|&byte| i32::from(byte as i8) << 24).collect::<Vec<_>>());
            }
        }
    }
}

/// Runs a model on a text, on the same text in other chunks, and a copy of the model on the text, and checks that all
/// answers are equal and that the model stays within its cost. `length`: the length of its file in bytes.
fn run(model: &Model<'_>, length: usize, text: &[u8]) {
    let cost = model.cost();
    // More than there can be: at most one token for each byte of a text, or one step for each 8 bytes of values.
    let tokens = text.len() + text.len().div_ceil(8) + 1;
    let words = model.scratch_len_for(tokens);
    // The 4 allow for rounding up to a whole word.
    assert!(
        4 * words <= cost.scratch_bytes + cost.scratch_bytes_per_token * tokens + 4,
        "{words} words of scratch, {cost:?}"
    );
    let Flash { header, recurrent, folded, head, embedding, vocabulary, labels, golden, ngrams, other } = cost.flash;
    let parts = [header, recurrent, folded, head, embedding, vocabulary, labels, golden, ngrams, other];
    assert_eq!(parts.iter().sum::<usize>(), length, "{cost:?}");

    let mut scratch = vec![-1; words];
    let mut session = model.session(&mut scratch).expect("the scratch has the length that the model asks for");
    let answer = |session: &mut Session<'_>| {
        let logits: Vec<i32> = session.logits().iter().collect();
        assert_eq!(logits.len(), model.config().classes);
        (logits, session.state_hash(), session.tokens(), session.unknown())
    };
    feed(&mut session, text);
    let whole = answer(&mut session);
    let (ref logits, _, tokens_read, _) = whole;
    let best = session.logits().best();
    assert_eq!(logits.get(best.class), Some(&best.logit));
    assert!(logits.iter().all(|&logit| logit <= best.logit));
    assert_eq!(session.logits().probability(best.class), softmax(logits, best.class));
    // Rounding adds at most 1 to each probability. Of a large vocabulary, 300 are enough: each reads all logits.
    let probabilities: u64 = (0..logits.len().min(300)).map(|class| u64::from(softmax(logits, class))).sum();
    assert!(probabilities <= 65_536 + logits.len() as u64);
    let mut predicted = |k| session.values().and_then(|session| session.predicted(k));
    (0..=logits.len()).for_each(|k| assert_eq!(predicted(k).is_some(), model.forecast_channel(k).is_some()));
    assert!(tokens_read as usize <= tokens, "{tokens_read} tokens of {} bytes", text.len());
    session.reset();
    if let Some(reader) = session.text() {
        text.chunks(3).for_each(|chunk| reader.feed(chunk));
        reader.finish();
        assert_eq!(answer(&mut session), whole, "a text cut into other chunks gives the same answer");
    }
    // On a host with AVX2, other code runs for a copy of the weights than for the file.
    let copy = Unpacked::new(model);
    let copy = copy.model();
    let mut scratch = vec![-1; words];
    let mut session = copy.session(&mut scratch).expect("the scratch has the length that the model asks for");
    feed(&mut session, text);
    assert_eq!(answer(&mut session), whole, "a copy of the weights gives the same bits");
    // The classes are taken for token ids, of which 0 and 1, PAD and UNK, are never drawn.
    let drawn = Sampler::new(1, Sampler::ONE).sample_all(&session.logits());
    assert!(drawn.is_none_or(|id| (2..model.config().classes).contains(&(id as usize))), "{drawn:?} is a token");

    let mut scratch = vec![-1; model.scratch_len()];
    if let Err(error) = model.self_test(&mut scratch) {
        panic!("the scratch has the length that the model asks for: {error}");
    }
}
