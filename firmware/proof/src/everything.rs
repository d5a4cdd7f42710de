//! Calls every public function of the runtime. `cargo xtask proof` builds this image for every target of the runtime,
//! without an allocator and with a panic handler that calls an undefined function. The build proves that no function
//! can panic or allocate: the compiler rejects an allocation, and the linker rejects the undefined function. The linker
//! of WebAssembly makes the undefined function an import instead, so `xtask` also checks the imports of that image.
//!
//! The calls make no sense together. [`black_box`] only keeps the compiler from removing them. A test of `xtask` checks
//! that no public function is missing: it finds a method by its type, or by a variable named after the type.

#![no_std]
#![no_main]

mod bare;

use core::fmt::{self, Write};
use core::hint::black_box;
use core::num::NonZeroU32;

use bare::Given;
use tern_runtime::text::{self, Detokenizer, Encoder, NgramHasher, Splitter, Tokenizer, Utf8};
use tern_runtime::{
    Cell, Input, LoadError, Logits, Merge, Model, Name, Ngrams, Output, Packing, Pooling, Ranked, Session,
};
use tern_runtime::{Sampler, SessionBase, Task, TextSession, Texts, Vocabulary};

/// A destination of formatted text that discards it.
struct Sink;

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        black_box(text);
        Ok(())
    }
}

/// The inputs that are not known when the image is built.
#[repr(C)]
pub struct Inputs {
    file: Given<u8>,
    scratch: Given<i32>,
    text: Given<u8>,
    values: Given<i32>,
    offsets: Given<u32>,
    fingerprints: Given<u16>,
    memory: Given<u8>,
    /// An index, an id or a count.
    number: usize,
}

// The features `panics` and `allocates` add a panic and an allocation. `xtask` checks that the build then fails.
#[cfg(feature = "allocates")]
extern crate alloc;

/// The entry point. Returns false if the file cannot be loaded.
#[unsafe(no_mangle)]
pub extern "C" fn _start(inputs: &mut Inputs) -> bool {
    #[cfg(feature = "panics")]
    black_box(inputs.text.slice()[inputs.number]);
    #[cfg(feature = "allocates")]
    black_box(alloc::vec::Vec::<u8>::with_capacity(inputs.number));
    use_enums(inputs.number);
    use_tokenizers(inputs);
    match use_model(inputs) {
        Ok(()) => true,
        Err(error) => {
            let _ = write!(Sink, "{error}");
            false
        }
    }
}

/// Loads the model and uses it and its session.
fn use_model(inputs: &mut Inputs) -> Result<(), LoadError> {
    let Inputs { file, scratch, text, values, memory, number, .. } = inputs;
    let (file, scratch, number) = (file.slice(), scratch.slice(), *number);
    black_box(tern_runtime::file_len(file)?);
    let model = Model::from_bytes(file)?;
    read_model_data(&model, number);
    match model.self_test(scratch) {
        Ok(result) => consume(result),
        Err(error) => drop(write!(Sink, "{error}")),
    }
    match model.session(scratch) {
        Ok(mut session) => {
            consume((session.text().is_some(), session.values().is_some()));
            match &mut session {
                Session::Text(session) => use_text_session(session, text.slice(), number),
                Session::Values(value_session) => {
                    value_session.feed(values.slice());
                    consume(value_session.predicted(number));
                }
            }
            use_session(&model, &mut session, values.slice(), number);
            save_and_restore(&mut session, memory.slice());
        }
        Err(error) => drop(write!(Sink, "{error}")),
    }
    for error in [model.text_session(scratch).err(), model.value_session(scratch).err()].into_iter().flatten() {
        let _ = write!(Sink, "{error}");
    }
    Ok(())
}

/// Reads the data of the model, without a session.
fn read_model_data(model: &Model<'_>, number: usize) {
    let config = model.config();
    black_box((
        config,
        config.merged_width(),
        config.head_width(),
        model.packing(),
        model.has_ngram_fingerprints(),
        model.name(),
    ));
    black_box((
        model.channel(number),
        model.forecast_channel(number),
        model.calibration(),
        model.embedding_scale_bits(),
    ));
    black_box((model.scratch_len(), model.scratch_len_for(number), model.macs_per_token(), model.cost()));
    if let (Some(channel), Some(denominator)) = (model.channel(number), NonZeroU32::new(number as u32)) {
        black_box((channel.encode(number as i32, denominator), channel.decode(number as i32, denominator)));
    }
    consume((model.fingerprint(), model.state_len(), model.state_len_for(number)));
    use_texts(model.labels(), number);
    consume(model.refusal().map(|refusal| refusal.applies(number, number as u32)));
    model.needed_features().for_each(|feature| consume(feature));
    use_vocabulary(&model.vocabulary(), number);
    model.golden().for_each(|golden| consume(golden));
}

fn use_texts(texts: Texts<'_>, number: usize) {
    black_box((texts.len(), texts.is_empty(), texts.get(number)));
    texts.iter().for_each(|text| consume(text));
}

fn use_vocabulary(vocabulary: &Vocabulary<'_>, number: usize) {
    black_box((vocabulary.size(), vocabulary.token(number as u32), vocabulary.has_fingerprints()));
}

fn use_text_session(text_session: &mut TextSession<'_>, text: &[u8], number: usize) {
    text_session.feed(text);
    text_session.feed_with(text, |step| consume((step.id, step.logits.best())));
    text_session.feed_id(number as u32);
    text_session.feed_ngram(number as u32);
    text_session.finish();
    text_session.finish_with(|step| consume(step));
    use_logits(text_session.classify(text), number);
}

/// Calls the methods that the sessions for text and for values have in common.
fn use_session(model: &Model<'_>, session_base: &mut SessionBase<'_>, logits: &mut [i32], number: usize) {
    session_base.reset();
    use_logits(session_base.logits(), number);
    consume(session_base.logits_while(|| number > 0).is_some());
    consume(session_base.logits_into(logits));
    for golden in model.golden() {
        use_logits(session_base.run_golden(&golden), number);
    }
    black_box((session_base.tokens(), session_base.unknown(), session_base.cap(), session_base.state_hash()));
    if let Err(error) = session_base.check_length() {
        let _ = write!(Sink, "{error}");
    }
}

/// Saves the state of the session in `memory` and restores it.
fn save_and_restore(session_base: &mut SessionBase<'_>, memory: &mut [u8]) {
    consume(session_base.state_len());
    let saved = session_base.save(memory);
    if let Err(error) = saved.and_then(|length| session_base.restore(memory.get(..length).unwrap_or(&[]))) {
        let _ = write!(Sink, "{error}");
    }
}

/// Reads the logits in every way: by index, sorted, as probabilities, and by sampling.
fn use_logits(logits: Logits<'_>, number: usize) {
    let mut ranks = [Ranked::default(); 3];
    black_box((logits.len(), logits.is_empty(), logits.get(number), logits.best(), logits.top(&mut ranks), ranks));
    black_box((logits.probability(number), logits.answer(), logits.next_tokens(&mut ranks)));
    let mut sampler = Sampler::new(number as u64, Sampler::ONE);
    black_box((sampler.sample(&logits, &mut ranks), sampler.sample_all(&logits), sampler.seed()));
    logits.iter().for_each(|logit| consume(logit));
}

/// As [`black_box`], but returns nothing, for use as the result of a closure or of a match arm.
fn consume<T>(value: T) {
    black_box(value);
}

/// Calls the methods of each enum of the format, for the value with the index `number`.
fn use_enums(number: usize) {
    fn for_value<T: Copy>(all: &[T], number: usize, show: impl Fn(T)) {
        all.get(number).copied().into_iter().for_each(show);
    }
    for_value(Task::ALL, number, |task| consume(task.name()));
    for_value(Input::ALL, number, |input| consume(input.name()));
    for_value(Merge::ALL, number, |merge| consume(merge.name()));
    for_value(Pooling::ALL, number, |pooling| consume(pooling.name()));
    for_value(Output::ALL, number, |output| consume(output.name()));
    for_value(Packing::ALL, number, |packing| consume((packing.name(), packing.size_multiple())));
    for_value(Cell::ALL, number, |cell| {
        black_box((cell.name(), cell.module(), cell.gates(), cell.state_words(), Packing::plain(cell)));
    });
}

/// Calls the functions that work on text without a model.
fn use_tokenizers(inputs: &mut Inputs) {
    let Inputs { scratch, text, values, offsets, fingerprints, number, .. } = inputs;
    let (text, scratch, number) = (&*text.slice(), scratch.slice(), *number);
    let name = Name::new(core::str::from_utf8(text).unwrap_or(""));
    let _ = write!(Sink, "{name} {}", name.as_str());
    black_box(tern_runtime::softmax(values.slice(), number));
    let Some(tokenizer) = Tokenizer::from_name(name.as_str()) else { return };
    black_box((tokenizer.name(), text::buffer_len(tokenizer), text::is_built(tokenizer)));

    let mut utf8 = Utf8::new();
    let mut characters = |c| {
        black_box((text::is_word(c), text::lowercase(c).last()));
    };
    text.iter().for_each(|&byte| utf8.feed(byte, &mut characters));
    utf8.finish(&mut characters);

    let mut splitter = Splitter::new(tokenizer, &mut *scratch);
    splitter.feed(text, &mut |piece| consume(piece));
    splitter.feed_byte(number as u8, &mut |piece| consume(piece));
    splitter.finish(&mut |piece| consume(piece));
    splitter.reset();

    let lengths = Ngrams { words: number as u8, min_chars: 0, max_chars: number as u8 };
    let mut ngram_hasher = NgramHasher::new(lengths, tokenizer);
    splitter.feed(text, &mut |piece| ngram_hasher.feed(piece, &mut |hash| consume(hash)));
    ngram_hasher.finish(&mut |hash| consume(hash));
    ngram_hasher.reset();

    let mut detokenizer = Detokenizer::new(tokenizer.kind, text);
    consume(detokenizer.write(number as u32, name.as_str(), &mut Sink));
    consume(detokenizer.finish(&mut Sink));

    let fingerprinted = Vocabulary::fingerprinted(number as u32, offsets.slice(), fingerprints.slice());
    consume(fingerprinted.map(|known| known.size()));
    let Ok(known) = Vocabulary::sorted(offsets.slice(), text) else { return };
    use_vocabulary(&known, number);
    let mut encoder = Encoder::new(tokenizer, scratch);
    encoder.feed(&known, text, &mut |id| consume(id));
    encoder.finish(&known, &mut |id| consume(id));
    encoder.reset();
}
