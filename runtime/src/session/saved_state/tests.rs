//! Tests of states that are restored in another session, and of damaged states.

use super::*;
use crate::testing::{Aligned, Random, Sizes, Spec};
use crate::text::{Tokenizer, TokenizerKind};
use crate::write::to_bytes;
use proptest::prelude::*;
use std::{format, string::String, vec, vec::Vec};
use tern_format::{Cell as CellKind, Merge, Output, Pooling, Task};

const SIZES: Sizes = Sizes { embedding_dim: 3, hidden_size: 4, classes: 3 };
const TEXT: &str = "Free <b>prize</b>, call now!! :-) gr\u{fc}\u{df}e \u{43c}\u{438}\u{440} a&amp;b &lt <br unclosed caller\u{1f600} <3 :";

/// A file of this kind with another tokenizer.
fn file(spec: Spec, tokenizer: Tokenizer, seed: u64) -> Aligned {
    let mut fields = spec.fields();
    fields.tokenizer = tokenizer;
    let mut tensors = spec.tensors(seed);
    if tokenizer.kind == TokenizerKind::Bytes {
        tensors.retain(|tensor| !tensor.name.starts_with("vocab."));
        for tensor in tensors.iter_mut().filter(|t| t.name.starts_with("embedding.") && t.name != "embedding.scale") {
            let row = tensor.data.len() / tensor.shape[0];
            tensor.data = tensor.data[..row].repeat(258);
            tensor.shape[0] = 258;
        }
    }
    Aligned::new(&to_bytes(&fields.entries(), tensors))
}

/// The logits, the hash of the state, the number of tokens, the number of unknown tokens.
#[derive(Debug, PartialEq, Eq)]
struct Answer(Vec<i32>, u32, u32, u32);

/// The answer of a session.
fn answer(session: &mut SessionBase<'_>) -> Answer {
    let logits = session.logits().iter().collect();
    Answer(logits, session.state_hash(), session.tokens(), session.unknown())
}

/// Classifiers of many kinds that read text.
fn kinds() -> Vec<Spec> {
    (0..24)
        .map(|seed| Spec { task: Task::Classify, input: Input::Tokens, output: Output::Softmax, ..Spec::random(seed) })
        .collect()
}

/// Breaks a text at each of some bytes and goes on in another session, whose memory was used before.
fn check_breaks(model: &Model<'_>, text: &[u8], breaks: impl Iterator<Item = usize>) {
    let mut scratch = [vec![-1; model.scratch_len()], vec![0x5a5a_5a5a; model.scratch_len()]];
    let [first, second] = &mut scratch;
    let (mut whole, mut other) = (model.text_session(first).unwrap(), model.text_session(second).unwrap());
    whole.feed(text);
    whole.finish();
    let expected = answer(&mut whole);
    let mut state = vec![0; model.state_len()];
    for at in breaks {
        let (before, after) = text.split_at(at);
        whole.reset();
        whole.feed(before);
        let length = whole.save(&mut state).unwrap();
        let here = answer(&mut whole);
        other.feed(b"strange <text un\xf0\x9f");
        other.restore(&state[..length]).unwrap();
        assert_eq!(answer(&mut other), here, "restored at {at}");
        other.feed(after);
        other.finish();
        assert_eq!(answer(&mut other), expected, "gone on from {at}");
        // Saving changed nothing.
        whole.feed(after);
        whole.finish();
        assert_eq!(answer(&mut whole), expected, "saved at {at}");
    }
}

#[test]
fn a_restored_state_continues_every_tokenizer() {
    let text = [TEXT.as_bytes(), b" \xe2\x82 \xff", "word".repeat(30).as_bytes()].concat();
    for &tokenizer in Tokenizer::ALL {
        std::println!("{}", tokenizer.name());
        let file = file(Spec { pooling: Pooling::MeanMax, ..SIZES.into() }, tokenizer, 7);
        check_breaks(&Model::from_bytes(&file).unwrap(), &text, 0..=text.len());
    }
}

#[test]
fn a_restored_state_continues_every_kind_of_model() {
    let text = &TEXT.as_bytes()[..50];
    for (seed, spec) in (0..).zip(kinds()) {
        check_breaks(&Model::from_bytes(&file(spec, Tokenizer::WORDS, seed)).unwrap(), text, 0..=text.len());
    }
}

#[test]
#[cfg(feature = "ngrams")]
fn a_restored_state_continues_an_ngram_branch() {
    let text = &TEXT.as_bytes()[..50];
    for seed in 0..24 {
        check_breaks(&Model::from_bytes(&Spec::random_ngrams(seed).file(seed)).unwrap(), text, 0..=text.len());
    }
}

#[test]
fn a_restored_state_continues_a_sequence_of_values() {
    for seed in 0..60 {
        let (task, output) = [(Task::Classify, Output::Softmax), (Task::Forecast, Output::Linear)][seed as usize % 2];
        let spec = Spec { input: Input::Values, output, task, ..Spec::random(seed) };
        // Only classifiers refuse.
        let spec = Spec { refusal: spec.refusal.filter(|_| task == Task::Classify), ..spec };
        let file = spec.file(seed);
        let model = Model::from_bytes(&file).unwrap();
        let mut random = Random(seed);
        let channels = model.config().embedding_dim;
        let rows: Vec<Vec<i32>> =
            (0..9).map(|_| (0..channels).map(|_| random.between(-300_000, 300_000) as i32).collect()).collect();
        let mut scratch = [vec![0; model.scratch_len()], vec![-1; model.scratch_len()]];
        let [first, second] = &mut scratch;
        let (mut whole, mut other) = (model.value_session(first).unwrap(), model.value_session(second).unwrap());
        let mut state = vec![0; model.state_len()];
        for (at, values) in rows.iter().enumerate() {
            let length = whole.save(&mut state).unwrap();
            assert_eq!(length, whole.state_len());
            other.restore(&state[..length]).unwrap();
            whole.feed(values);
            other.feed(values);
            assert_eq!(answer(&mut other), answer(&mut whole), "{spec:?}, step {at}");
            assert!((0..9).all(|index| other.predicted(index) == whole.predicted(index)), "{spec:?}, step {at}");
        }
    }
}

proptest! {
    #[test]
    fn a_restored_state_continues_any_text(
        parts in prop::collection::vec(
            prop_oneof!["\\PC{1,6}", "(free|call|<b |&am|:-|=|\u{e9}){1,3}", Just(String::from(" "))], 1..12),
        cut in prop::collection::vec(any::<u8>(), 0..3),
        kind in 0..Tokenizer::ALL.len(),
    ) {
        let file = file(SIZES.into(), Tokenizer::ALL[kind], 3);
        let text = [parts.concat().as_bytes(), &cut].concat();
        check_breaks(&Model::from_bytes(&file).unwrap(), &text, [text.len() / 3, text.len() / 2, text.len()].into_iter());
    }
}

#[test]
fn several_sessions_share_a_model() {
    let file = file(SIZES.into(), Tokenizer::WORDS, 5);
    let model = Model::from_bytes(&file).unwrap();
    let texts = ["free prize call now", "caller, now now", ""];
    let mut alone = vec![0; model.scratch_len()];
    let mut alone = model.text_session(&mut alone).unwrap();
    let expected = texts.map(|text| (alone.classify(text.as_bytes()).iter().collect::<Vec<_>>(), alone.state_hash()));
    let mut scratch = texts.map(|_| vec![0; model.scratch_len()]);
    let mut sessions: Vec<_> = scratch.iter_mut().map(|scratch| model.text_session(scratch).unwrap()).collect();
    // A byte each in turn.
    for at in 0..20 {
        for (session, text) in sessions.iter_mut().zip(texts) {
            session.feed(text.as_bytes().get(at..at + 1).unwrap_or_default());
        }
    }
    for (session, expected) in sessions.iter_mut().zip(expected) {
        session.finish();
        assert_eq!((session.logits().iter().collect::<Vec<_>>(), session.state_hash()), expected);
    }
}

#[test]
fn no_state_is_longer_than_the_model_says() {
    let longest = [
        (TokenizerKind::Words, String::from("free")),
        (TokenizerKind::HtmlWords, format!("free</b{}", "x".repeat(125))),
        (TokenizerKind::WordPiece, "x".repeat(100)),
        (TokenizerKind::Bytes, String::from("x")),
    ];
    for (kind, text) in longest {
        for spec in kinds().into_iter().filter(|spec| !spec.bidirectional) {
            let file = file(spec, Tokenizer { kind, lowercase: kind != TokenizerKind::Bytes }, 2);
            let model = Model::from_bytes(&file).unwrap();
            let mut scratch = vec![0; model.scratch_len()];
            let mut session = model.text_session(&mut scratch).unwrap();
            assert!(session.state_len() <= model.state_len());
            session.feed(text.as_bytes());
            assert_eq!(session.state_len(), model.state_len(), "{kind:?}");
            let found = model.state_len() - 1;
            let error = StateError::Buffer { found, expected: found + 1 };
            assert_eq!(session.save(&mut vec![0; found]), Err(error));
        }
    }
    // 2·H + 4·H bytes of a layer of LSTM, and 45 of all else.
    let file = file(SIZES.into(), Tokenizer::WORDS, 2);
    assert_eq!(Model::from_bytes(&file).unwrap().state_len(), 6 * SIZES.hidden_size + 45);
}

/// A state after half of the text, and its session's model.
fn saved(model: &Model<'_>, text: &[u8]) -> Vec<u8> {
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    session.feed(text);
    let mut state = vec![0; session.state_len()];
    assert_eq!(session.save(&mut state), Ok(state.len()));
    state
}

/// Puts in the check sum that a state should have.
fn sign(state: &mut [u8]) {
    let (rest, sum) = state.split_last_chunk_mut::<CHECKSUM>().unwrap();
    *sum = hash(rest).to_le_bytes();
}

#[test]
fn invalid_states_give_specific_errors() {
    let files = [1, 2].map(|seed| file(SIZES.into(), Tokenizer::WORDS, seed));
    let [model, other] = [0, 1].map(|index| Model::from_bytes(&files[index]).unwrap());
    let state = saved(&model, b"free pri");
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    let start = answer(&mut session);
    let mut refused = |state: &[u8]| {
        session.feed(b"call ");
        let error = session.restore(state).unwrap_err();
        assert_eq!(answer(&mut session), start, "a new text begins");
        error
    };
    assert_eq!(refused(b""), StateError::NoState);
    assert_eq!(refused(b"TS"), StateError::NoState);
    assert_eq!(refused(&[0xff; 200]), StateError::NoState);
    let [mine, theirs] = [&model, &other].map(Model::fingerprint);
    let stranger = saved(&other, b"free pri");
    assert_eq!(refused(&stranger), StateError::Model { found: theirs, expected: mine });
    let mut newer = state.clone();
    newer[2] = 2;
    assert_eq!(refused(&newer), StateError::Version { found: 2, expected: 1 });
    let length = state.len();
    assert_eq!(refused(&state[..length - 1]), StateError::Length { found: length - 1, expected: length });
    assert_eq!(refused(&[&state[..], &[0]].concat()), StateError::Length { found: length + 1, expected: length });
    assert_eq!(
        format!("{}", refused(&state[..length - 1])),
        format!("{} bytes, but the state has {length}; give the bytes that `save` wrote", length - 1)
    );
    // Signed, but with more to read than there is.
    let mut short = state[..length - 4].to_vec();
    short[8] = (length - 4) as u8;
    sign(&mut short);
    assert_eq!(refused(&short), StateError::Corrupt);
}

#[test]
fn every_changed_byte_is_noticed() {
    for (seed, spec) in (0..).zip(kinds()) {
        let file = file(spec, Tokenizer::ALL[seed as usize % Tokenizer::ALL.len()], seed);
        let model = Model::from_bytes(&file).unwrap();
        let state = saved(&model, b"free prize ca");
        let mut scratch = vec![0; model.scratch_len()];
        let mut session = model.text_session(&mut scratch).unwrap();
        let mut random = Random(seed);
        for at in 0..state.len() {
            for change in [0x01, 0x80, random.between(1, 255) as u8] {
                let mut bytes = state.clone();
                bytes[at] ^= change;
                assert!(session.restore(&bytes).is_err(), "byte {at}");
            }
        }
        for length in 0..state.len() {
            assert!(session.restore(&state[..length]).is_err(), "{length} bytes");
        }
    }
}

#[test]
fn a_forged_state_is_refused_or_does_no_harm() {
    let (mut accepted, mut refused) = (0, 0);
    for (seed, spec) in (0..).zip(kinds()) {
        for &tokenizer in Tokenizer::ALL {
            let file = file(spec, tokenizer, seed);
            let model = Model::from_bytes(&file).unwrap();
            let state = saved(&model, b"free <b pri");
            let mut scratch = vec![0; model.scratch_len()];
            let mut session = model.text_session(&mut scratch).unwrap();
            let mut random = Random(seed);
            for at in HEADER..state.len() - CHECKSUM {
                for fill in [1, 4] {
                    let mut bytes = state.clone();
                    let change = [0x80, 0xff, 0x7f, random.between(1, 255) as u8][random.between(0, 3) as usize];
                    bytes[at..].iter_mut().take(fill).for_each(|byte| *byte = change);
                    sign(&mut bytes);
                    match session.restore(&bytes) {
                        Ok(()) => accepted += 1,
                        Err(_) => refused += 1,
                    }
                    session.feed("ze> caller \u{e9} now call :-)".as_bytes());
                    session.finish();
                    answer(&mut session);
                }
            }
        }
    }
    assert!(accepted > 1_000 && refused > 1_000, "{accepted} accepted, {refused} refused");
}

#[test]
fn a_gru_state_beyond_one_is_refused() {
    let file = file(Spec { cell: CellKind::Gru, merge: Merge::Concat, ..SIZES.into() }, Tokenizer::WORDS, 1);
    let model = Model::from_bytes(&file).unwrap();
    let state = saved(&model, b"free ");
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    // Steps and unknown ones, then the hidden state.
    let at = HEADER + 8 + 2 * SIZES.hidden_size;
    for (c, sound) in
        [(1 << 30, true), (-(1 << 30), true), ((1 << 30) + 1, false), (i32::MIN, false), (i32::MAX, false)]
    {
        let mut bytes = state.clone();
        bytes[at..at + 4].copy_from_slice(&i32::to_le_bytes(c));
        sign(&mut bytes);
        assert_eq!(session.restore(&bytes).is_ok(), sound, "{c}");
        session.feed(b"call now free prize ");
    }
}

#[test]
fn a_state_with_too_many_tokens_is_refused() {
    let spec = Spec { bidirectional: true, ..SIZES.into() };
    let file = file(spec, Tokenizer::WORDS, 1);
    let model = Model::from_bytes(&file).unwrap();
    let state = saved(&model, b"free prize call now ");
    let mut scratch = vec![0; model.scratch_len_for(3)];
    let mut session = model.text_session(&mut scratch).unwrap();
    assert_eq!(session.restore(&state), Err(StateError::TooLong(TooLong { found: 4, kept: 3 })));
    // A text beyond what it keeps goes on where as much is kept.
    session.feed(b"free prize call now ");
    let mut state = vec![0; model.state_len_for(3)];
    let length = session.save(&mut state).unwrap();
    let expected = answer(&mut session);
    let mut scratch = vec![0; model.scratch_len_for(3)];
    let mut same = model.text_session(&mut scratch).unwrap();
    same.restore(&state[..length]).unwrap();
    assert_eq!(answer(&mut same), expected);
}

#[test]
fn a_packing_does_not_change_the_state() {
    use crate::Packing;
    use crate::testing::random_file_in;
    let sizes = Sizes { embedding_dim: 4, hidden_size: 8, classes: 2 };
    for &cell in CellKind::ALL {
        let spec = Spec { cell, ..sizes.into() };
        let files = Packing::for_8_bits(cell).map(|packing| random_file_in(packing, 3, spec, "1"));
        let [one, other] = [0, 1].map(|index| Model::from_bytes(&files[index]).unwrap());
        assert_eq!(saved(&one, b"free prize ca"), saved(&other, b"free prize ca"), "{cell}");
    }
}

/// Where a step takes half a word, the scratch for so many has room for one more: a longer sequence fills that, too.
#[test]
fn a_state_is_as_long_as_the_scratch_allows() {
    for (channels, seed) in (1..6).zip(0..) {
        let sizes = Sizes { embedding_dim: channels, ..SIZES };
        let plain = Spec { input: Input::Values, bidirectional: true, pooling: Pooling::Mean, ..sizes.into() };
        for spec in [plain, Spec { layers: 2, ..plain }, Spec { task: Task::Forecast, output: Output::Linear, ..plain }]
        {
            let file = spec.file(seed);
            let model = Model::from_bytes(&file).unwrap();
            for steps in 1..12 {
                let mut scratch = vec![-1; model.scratch_len_for(steps)];
                let mut session = model.value_session(&mut scratch).unwrap();
                (0..20).for_each(|value| session.feed(&vec![value; channels]));
                let (most, saved) = (model.state_len_for(steps), session.save(&mut vec![0; 1_000]).unwrap());
                assert!(saved <= most, "{saved} bytes of {most}, room for {steps}: {spec:?}");
            }
        }
    }
}
