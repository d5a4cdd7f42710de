//! Tests of every kind of model: cells, tasks, inputs, directions, merges, poolings and heads.

use super::{error_of, load, run, tensor};
use crate::error::{LoadError, ScratchError, SessionError};
use crate::model::{Channel, Model, SelfTest};
use crate::session::Session;
use crate::testing::{Aligned, Random, Sizes, Spec};
use crate::write::{Dtype, Tensor, to_bytes};
use core::num::NonZeroU32;
use std::{collections::BTreeSet, format, vec, vec::Vec};
use tern_format::Packing;
use tern_format::{Cell as CellKind, Input, Merge, Output, Pooling, Task};

const SIZES: Sizes = Sizes { embedding_dim: 2, hidden_size: 3, classes: 2 };

/// One of each cell, task, input, output, and of what else makes a file another one.
fn each_kind() -> Vec<Spec> {
    let plain = Spec::from(SIZES);
    vec![
        plain,
        Spec { cell: CellKind::Gru, pooling: Pooling::MeanMax, ..plain },
        Spec { cell: CellKind::Rnn, layers: 2, head_hidden: 2, ..plain },
        Spec { cell: CellKind::RnnRelu, bidirectional: true, merge: Merge::Product, pooling: Pooling::Mean, ..plain },
        Spec { cell: CellKind::Gru, layers: 2, bidirectional: true, output: Output::Sigmoid, ..plain },
        Spec { input: Input::Values, bidirectional: true, merge: Merge::Sum, pooling: Pooling::Max, ..plain },
        Spec { task: Task::Forecast, input: Input::Values, output: Output::Linear, cell: CellKind::Gru, ..plain },
        Spec { task: Task::LanguageModel, cell: CellKind::Rnn, ..plain },
    ]
}

/// Runs whatever the model can be given.
fn exercise(model: &Model<'_>) {
    let mut scratch = vec![-1; model.scratch_len()];
    let mut session = model.session(&mut scratch).unwrap();
    match &mut session {
        Session::Text(session) => {
            session.feed(b"Free prize, call caller now!! \xff");
            session.finish();
        }
        Session::Values(session) => {
            [[i32::MIN; 3], [i32::MAX; 3], [0, -1, 1]].iter().for_each(|values| session.feed(values));
        }
    }
    let logits: Vec<i32> = session.logits().iter().collect();
    assert_eq!(logits.len(), model.config().classes);
    let mut predicted = |index| session.values().and_then(|session| session.predicted(index));
    (0..=logits.len())
        .for_each(|index| assert_eq!(predicted(index).is_some(), model.forecast_channel(index).is_some()));
    session.state_hash();
    model.self_test(&mut scratch).unwrap();
}

/// Checks that a model passes its own test and runs, and that the parts of its file add up.
pub(super) fn check_self_test_and_cost(model: &Model<'_>, file: &[u8]) {
    let mut scratch = vec![-1; model.scratch_len()];
    assert_eq!(model.self_test(&mut scratch), Ok(SelfTest { passed: 3, total: 3 }), "{:?}", model.config());
    exercise(model);
    let flash = model.cost().flash;
    let parts = [flash.header, flash.recurrent, flash.head, flash.embedding, flash.vocabulary, flash.labels];
    assert_eq!(parts.iter().sum::<usize>() + flash.ngrams + flash.golden + flash.other, file.len());
}

#[test]
fn random_models_of_every_kind_load_and_pass_their_own_test() {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let spec = Spec::random(seed);
        let file = spec.file(seed);
        let model = Model::from_bytes(&file).unwrap();
        check_self_test_and_cost(&model, &file);
        let config = *model.config();
        assert_eq!((config.cell, config.layers, config.bidirectional), (spec.cell, spec.layers, spec.bidirectional));
        let (merge, pooling) = (config.merge.name(), config.pooling.name());
        seen.insert(format!("{} {merge} {pooling} {}", config.cell.name(), config.bidirectional));
        seen.insert(format!("{} {}", config.task.name(), config.output.name()));
        assert_eq!(model.cost().scratch_bytes_per_token > 0, config.bidirectional);
    }
    // 4 cells, each with 4 poolings in one direction and 4 merges times 4 poolings in both; 4 kinds of answers.
    assert!(seen.len() > 70, "only {} kinds among the random models", seen.len());
}

#[test]
fn every_truncation_of_every_kind_is_an_error() {
    for spec in each_kind() {
        let file = spec.file(1);
        for length in 0..file.len() {
            let error = Model::from_bytes(&Aligned::new(&file[..length])).unwrap_err();
            let expected =
                matches!(error, LoadError::Truncated { found, expected } if found == length && expected > length);
            assert!(expected, "{spec:?}, {length}: {error}");
        }
    }
}

#[test]
fn every_changed_byte_of_every_kind_is_an_error_or_a_model_that_runs() {
    (1..).zip(each_kind()).for_each(|(seed, spec)| every_changed_byte_is_an_error_or_a_model_that_runs(&spec, seed));
}

/// Changes every byte of a file of this kind, and requires enough errors as well as enough models that run.
pub(super) fn every_changed_byte_is_an_error_or_a_model_that_runs(spec: &Spec, seed: u64) {
    let file = spec.file(seed);
    let (mut random, mut refused, mut ran) = (Random(seed), 0, 0);
    for at in 0..file.len() {
        for change in [0x01, 0x80, random.between(1, 255) as u8] {
            let mut bytes = file.to_vec();
            bytes[at] ^= change;
            match Model::from_bytes(&Aligned::new(&bytes)) {
                Ok(model) => (exercise(&model), ran += 1).1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 3 * 1_000 && ran > 100, "{spec:?}: {refused} refused, {ran} ran");
}

#[test]
fn what_is_missing_unknown_or_doubled_is_named_in_every_kind() {
    for spec in each_kind() {
        let (metadata, good) = (spec.metadata(), spec.tensors(1));
        for left_out in 0..good.len() {
            let mut some = good.clone();
            let name = some.remove(left_out).name;
            let found = error_of(&metadata, some);
            assert!(matches!(found, LoadError::MissingTensor(missing) if missing == name), "{name}: {found}");
        }
        for left_out in 0..metadata.len() {
            let mut some = metadata.clone();
            let (key, _) = some.remove(left_out);
            let found = error_of(&some, good.clone());
            // Without these keys it is a model of another kind, which has no place for all of these tensors or keys.
            let other_kind = ["tern.input", "tern.shift.hidden"].contains(&key.as_str());
            let named = matches!(found, LoadError::MissingKey(missing) if missing == key);
            assert!(named || other_kind, "{key}: {found}");
        }
        for name in ["lstm.bias_l3", "gru.weight_ih_l2_reverse", "lstm.scale_l0", "gru.bias_l4", "input.offsets", "fc"]
        {
            let mut more = good.clone();
            more.push(Tensor::new(name, Dtype::I8, &[1], &[0i8]));
            let found = error_of(&metadata, more);
            assert!(matches!(found, LoadError::UnknownTensor(unknown) if unknown == name), "{name}: {found}");
        }
        for (key, word) in [("tern.shift.lstm_l3", "0"), ("tern.shift.gru", "0"), ("tern.shift.", "0")] {
            let mut more = metadata.clone();
            more.push((key.into(), word.into()));
            let found = error_of(&more, good.clone());
            assert!(matches!(found, LoadError::UnknownKey(unknown) if unknown == key), "{key}: {found}");
        }
    }
}

#[test]
fn words_that_do_not_go_together_are_refused() {
    let plain = Spec::from(SIZES);
    let task = Spec { task: Task::LanguageModel, ..plain };
    for (spec, start) in [
        (Spec { output: Output::Linear, ..plain }, "`tern.output` is `linear`"),
        (Spec { output: Output::Sigmoid, ..task }, "`tern.output` is `sigmoid`"),
        (Spec { pooling: Pooling::Max, ..task }, "`tern.pooling` is `max`"),
        (Spec { bidirectional: true, ..task }, "`tern.directions` is `2`"),
        (Spec { task: Task::Forecast, output: Output::Linear, ..plain }, "`tern.input` is"),
    ] {
        let message = format!("{}", error_of(&spec.metadata(), spec.tensors(1)));
        assert!(message.starts_with(start), "{message}");
    }
    let mut fields = plain.fields();
    fields.packing = Packing::Interleaved3;
    let message = format!("{}", error_of(&fields.entries(), plain.tensors(1)));
    assert!(message.starts_with("`tern.packing` is `interleaved3`"), "{message}");
}

#[test]
fn a_bidirectional_model_keeps_as_many_tokens_as_its_scratch_allows() {
    for spec in each_kind().into_iter().filter(|spec| spec.bidirectional && spec.input == Input::Tokens) {
        let file = spec.file(3);
        let model = Model::from_bytes(&file).unwrap();
        let texts = ["call", "call now", "call now free", "call now free prize"];
        let whole: Vec<Vec<i32>> = texts.iter().map(|text| run(&model, text.as_bytes())).collect();
        let least = model.scratch_len_for(1);
        assert_eq!(
            model.session(&mut vec![0; least - 1]).err(),
            Some(ScratchError { found: least - 1, expected: least })
        );
        for cap in 1..=4 {
            let mut scratch = vec![-1; model.scratch_len_for(cap)];
            let mut session = model.text_session(&mut scratch).unwrap();
            assert_eq!(session.cap(), Some(cap as u32));
            for (text, tokens) in texts.iter().zip(1..) {
                let logits: Vec<i32> = session.classify(text.as_bytes()).iter().collect();
                assert_eq!(logits, whole[tokens.min(cap) - 1], "{text}, room for {cap}");
                let error = session.check_length().err().map(|error| (error.found as usize, error.kept as usize));
                assert_eq!(error, (tokens > cap).then_some((tokens, cap)));
            }
        }
    }
}

#[test]
fn the_steps_of_a_bidirectional_model_can_be_counted_and_stopped() {
    for spec in each_kind().into_iter().filter(|spec| spec.input == Input::Tokens) {
        let file = spec.file(3);
        let model = Model::from_bytes(&file).unwrap();
        let expected = run(&model, b"call now free");
        let mut scratch = vec![-1; model.scratch_len()];
        let mut session = model.text_session(&mut scratch).unwrap();
        let all = if spec.bidirectional { 2 * spec.layers * 3 } else { 0 };
        for limit in 0..=all {
            session.reset();
            session.feed(b"call now free");
            session.finish();
            let mut steps = 0;
            let mut count = |limit| {
                steps += 1;
                steps <= limit
            };
            let logits = session.logits_while(|| count(limit)).map(|logits| logits.iter().collect::<Vec<_>>());
            assert_eq!(logits, (limit == all).then(|| expected.clone()), "{spec:?} {limit}");
            // After a stop the session can be asked again.
            assert_eq!(session.logits().iter().collect::<Vec<_>>(), expected, "{spec:?} {limit}");
            assert_eq!(steps, all.min(limit + 1), "{spec:?} {limit}");
            // The logits are known, so no step is left.
            assert!(session.logits_while(|| false).is_some(), "{spec:?}");
        }
    }
}

#[test]
fn every_kind_of_model_has_logits_after_every_token() {
    for seed in 0..60 {
        let spec = Spec { task: Task::Classify, input: Input::Tokens, output: Output::Softmax, ..Spec::random(seed) };
        let file = spec.file(seed);
        let model = Model::from_bytes(&file).unwrap();
        let mut scratch = vec![-1; model.scratch_len()];
        let mut session = model.text_session(&mut scratch).unwrap();
        let mut shown = vec![];
        session.feed_with(b"free prize call", |step| shown.push(step.logits.iter().collect::<Vec<_>>()));
        session.finish_with(|step| shown.push(step.logits.iter().collect()));
        let expected = ["free", "free prize", "free prize call"].map(|text| run(&model, text.as_bytes()));
        assert_eq!(shown, expected, "{spec:?}");
        // Asking in between changes nothing.
        session.reset();
        for bytes in [&b"free "[..], b"prize ", b"call "] {
            session.feed(bytes);
            session.logits();
        }
        assert!(session.logits().iter().eq(expected[2].iter().copied()));
        assert_eq!(run(&model, b""), session.classify(b"").iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_sigmoid_is_the_softmax_of_zero_and_its_logit() {
    let file = Spec { output: Output::Sigmoid, ..SIZES.into() }.file(8);
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    for text in ["", "call", "free now", "prize"] {
        let logits = session.classify(text.as_bytes());
        let [zero, z] = [logits.get(0).unwrap(), logits.get(1).unwrap()];
        assert_eq!((zero, logits.get(2), logits.len()), (0, None, 2));
        assert_eq!(logits.iter().collect::<Vec<_>>(), [0, z]);
        assert_eq!(logits.best().class, usize::from(z > 0));
        let exact = 65_536.0 / (1.0 + (-f64::from(z) / 65_536.0).exp());
        assert!((f64::from(logits.probability(1)) - exact).abs() < 3.0);
        assert_eq!(crate::softmax(&[0, z], 1), logits.probability(1));
        let mut copied = [7; 3];
        assert_eq!((session.logits_into(&mut copied), copied), (2, [0, z, 7]));
    }
}

#[test]
fn channels_encode_and_decode_integers() {
    let mut random = Random(5);
    for point in -16..=30 {
        let channel = Channel { name: "", point };
        for case in 0..2_000 {
            let one = random.between(1, if case % 2 == 0 { 1_000 } else { u32::MAX.into() });
            let denominator = NonZeroU32::new(one as u32).unwrap();
            let any =
                [random.between(-5_000, 5_000), random.between(i32::MIN.into(), i32::MAX.into())][case % 2] as i32;
            // Half up: floor(numerator / denominator + 1/2), and what saturates.
            let nearest = |numerator: i128, denominator: i128| {
                let exact = (2 * numerator + denominator).div_euclid(2 * denominator);
                exact.clamp(i32::MIN.into(), i32::MAX.into()) as i32
            };
            let (up, down) = (1i128 << point.max(0), 1i128 << (-point).max(0));
            let (number, one) = (i128::from(any), i128::from(one));
            assert_eq!(channel.encode(any, denominator), nearest(number * up, one * down), "{any} / {one} at {point}");
            assert_eq!(channel.decode(any, denominator), nearest(number * one * down, up), "{any} · {one} at {point}");
        }
    }
    let (channel, hundred) = (Channel { name: "", point: 8 }, NonZeroU32::new(100).unwrap());
    assert_eq!((channel.encode(2_137, hundred), channel.decode(5_471, hundred)), (5_471, 2_137));
}

#[test]
fn values_are_read_and_written_in_the_units_of_the_file() {
    let spec = Spec { task: Task::Forecast, input: Input::Values, output: Output::Linear, ..SIZES.into() };
    let mut tensors = spec.tensors(4);
    for (name, values) in [
        ("input.offset", [1_000, -5]),
        ("input.multiplier", [1 << 20, 1 << 30]),
        ("input.shift", [20, 46]),
        ("input.point", [4, 0]),
        ("output.channel", [0, 1]),
        ("output.last", [0, 0]),
        ("output.offset", [100, i32::MAX - 3]),
        ("output.multiplier", [1 << 10, 1 << 30]),
        ("output.shift", [16, 1]),
        ("output.point", [4, 4]),
    ] {
        tensor(&mut tensors, name).data = bytemuck::cast_slice(&values).to_vec();
    }
    let file = Aligned::new(&to_bytes(&spec.metadata(), tensors.clone()));
    let model = Model::from_bytes(&file).unwrap();
    let mut x = [7; 2];
    for (values, expected) in [
        (&[1_000, -5][..], [0, 0]),
        (&[1_007, 32_763], [7, 1]),
        (&[999, i32::MIN], [-1, -32_768]),
        (&[i32::MAX, i32::MAX], [32_767, 32_767]),
        (&[i32::MIN, 32_762], [-32_768, 0]),
        (&[1_001], [1, 0]),
        (&[], [0, 0]),
    ] {
        model.value_parts().input.normalise(values, &mut x);
        assert_eq!(x, expected, "{values:?}");
    }
    // 1.0 in Q16 is 2^10, and half of an integer is rounded up.
    let predicted = |index, output| model.value_parts().output.predicted(index, output, &[]);
    let first = [65_536, 32, -32, -96].map(|output| predicted(0, output));
    assert_eq!(first, [Some(1_124), Some(101), Some(100), Some(99)]);
    let second = [1, -1].map(|output| predicted(1, output));
    assert_eq!(second, [Some(i32::MAX), Some(i32::MAX - 3 - (1 << 29))]);
    assert_eq!(predicted(2, 1), None);
    assert_eq!((model.channel(0).unwrap().name, model.channel(0).unwrap().point), ("channel0", 4));
    assert_eq!(
        (model.channel(2), model.forecast_channel(1).unwrap().name, model.forecast_channel(2)),
        (None, "channel1", None)
    );

    // Both values of channel 0, counted from the last number read of it, or from its offset where none was.
    for (name, values) in [("output.channel", [0, 0]), ("output.last", [1, 1])] {
        tensor(&mut tensors, name).data = bytemuck::cast_slice(&values).to_vec();
    }
    let file = Aligned::new(&to_bytes(&spec.metadata(), tensors.clone()));
    let model = Model::from_bytes(&file).unwrap();
    assert_eq!((model.forecast_channel(1).unwrap().name, model.config().window), ("channel0", 3));
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.value_session(&mut scratch).unwrap();
    for (values, last) in [(&[][..], 1_000), (&[5, 6], 5), (&[i32::MIN], i32::MIN), (&[], 1_000)] {
        session.feed(values);
        let logit = session.logits().get(0).unwrap();
        let expected = (i64::from(last) + ((i64::from(logit) * 1024 + (1 << 15)) >> 16)).max(i32::MIN.into());
        assert_eq!(session.predicted(0).map(i64::from), Some(expected), "{values:?}");
    }
    session.feed(&[77, 0]);
    session.reset();
    assert!(
        session.predicted(0).is_some_and(|value| (-400..=1_400).contains(&(value - 1_000))),
        "{:?}",
        session.predicted(0)
    );
    // Such a value must have as many fractional bits as its channel.
    tensor(&mut tensors, "output.point").data = bytemuck::cast_slice(&[4, 5]).to_vec();
    let range = LoadError::Range { tensor: "output.point".into(), index: 1 };
    assert_eq!(load(&spec.metadata(), tensors), Err(range));
}

#[test]
fn a_session_of_the_wrong_kind_is_an_error() {
    let text = Spec::from(SIZES).file(1);
    let values = Spec { input: Input::Values, ..SIZES.into() }.file(1);
    let [text, values] = [&text, &values].map(|file| Model::from_bytes(file).unwrap());
    let mut scratch = vec![0; 1_000];
    assert_eq!(text.value_session(&mut scratch).err(), Some(SessionError::ReadsText));
    assert_eq!(values.text_session(&mut scratch).err(), Some(SessionError::ReadsValues));
    assert!(matches!(text.session(&mut scratch), Ok(Session::Text(_))));
    assert!(matches!(values.session(&mut scratch), Ok(Session::Values(_))));
    let short = ScratchError { found: 0, expected: values.scratch_len_for(0) };
    assert_eq!(values.value_session(&mut []).err(), Some(SessionError::Scratch(short)));
}
