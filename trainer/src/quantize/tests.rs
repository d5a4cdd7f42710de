//! Compares device files with float models, and reads them with the safetensors library.

use super::*;
use crate::architecture::{Architecture, Cell, CellBias, Head, Merge, Pooling, Recurrent, Sizes, names};
use crate::data::Example;
use crate::float_model::{Config, FloatModel};
use crate::nn::sample::{Sample, Steps, Target};
use crate::quantize::calibrate::calibrate;
use crate::recipe::Widths;
use crate::vocabulary::Vocabulary;
use crate::weights::{Array, Weights};
use proptest::prelude::*;
use safetensors::SafeTensors;
use tern_format::Packing;
use tern_runtime::Model;
use tern_runtime::write::Aligned;

const TEXTS: [&str; 4] =
    ["free prize, call now!!", "see you at lunch, then", "Grüße aus Köln und МИР", "call me now or call me never"];

/// A classifier of one LSTM layer with random weights; see [`model_of`].
fn model(seed: u64, (e, h, c): (usize, usize, usize), spread: [f64; 4]) -> FloatModel {
    let vocab_size = Vocabulary::build(TEXTS.into_iter(), 1, None).len();
    model_of(seed, &Architecture::from(Sizes { vocab_size, embedding_dim: e, hidden_size: h, labels: c }), spread)
}

/// A model with random weights, uniform in ±`spread` for each of embedding, input, recurrent and linear weights.
fn model_of(seed: u64, architecture: &Architecture, spread: [f64; 4]) -> FloatModel {
    let vocabulary = Vocabulary::build(TEXTS.into_iter(), 1, None);
    let (mut weights, mut state) = (Weights::default(), seed);
    for (name, shape) in architecture.shapes() {
        let spread = match name.as_str() {
            names::EMBEDDING => spread[0],
            name if name.contains("weight_ih") => spread[1],
            name if name.contains("weight_hh") => spread[2],
            names::FC_WEIGHT | names::HIDDEN_WEIGHT => spread[3],
            _ => 0.5,
        };
        let data = (0..shape.iter().product()).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f64 / f64::from(1 << 23) - 1.0) * spread
        });
        let data = data.map(|v| v as f32).collect();
        weights.insert(name, Array { shape, data });
    }
    let labels = (0..architecture.head.outputs.max(2)).map(|i| format!("class {i}")).collect();
    let rows: Vec<Example> = TEXTS.iter().map(|text| Example { text: (*text).into(), label: 0 }).collect();
    FloatModel::new(Config::classifier("a test", architecture, labels), vocabulary, weights, rows.clone(), rows)
        .unwrap()
}

fn bytes(model: &FloatModel) -> Result<Aligned, QuantizeError> {
    let sample = |row: &Example| Sample {
        steps: Steps::Tokens(model.vocabulary().encode(&row.text)),
        ngrams: model.config().ngram_buckets(&row.text),
        target: Target::Class(row.label),
        teacher: Vec::new(),
    };
    let statistics = calibrate(model, &model.calibration().iter().map(sample).collect::<Vec<_>>());
    let golden = Golden::Texts(TEXTS.map(str::to_owned).into());
    let quantized = layers(model, &statistics, Widths::default(), Default::default())?;
    Ok(Aligned::new(&to_file(model, &statistics, &quantized, &golden, Packing::Interleaved4)?))
}

/// Checks that the runtime computes the golden logits of all golden texts.
fn assert_self_test(device: &Model<'_>) {
    let mut scratch = vec![0; device.scratch_len()];
    let test = device.self_test(&mut scratch).unwrap();
    assert_eq!((test.passed, test.total), (TEXTS.len(), TEXTS.len()));
}

/// The largest difference of a logit between both models, on training texts and others.
fn largest_difference(model: &FloatModel, device: &Model<'_>) -> f64 {
    let mut scratch = vec![0; device.scratch_len()];
    let mut session = device.text_session(&mut scratch).unwrap();
    let texts = TEXTS.into_iter().chain(["", "call", "an unknown text, now", "never never never never never"]);
    let differences = texts.flat_map(|text| {
        let integer = session.classify(text.as_bytes()).iter().collect::<Vec<_>>();
        let real = model.logits(text);
        integer.into_iter().zip(real).map(|(i, r)| (f64::from(i) / 65_536.0 - f64::from(r)).abs()).collect::<Vec<_>>()
    });
    differences.fold(0.0, f64::max)
}

#[test]
fn integers_follow_the_float_model() {
    for (seed, sizes) in [(1, (8, 16, 3)), (2, (20, 64, 7)), (3, (3, 5, 2)), (4, (1, 1, 2))] {
        let model = model(seed, sizes, [0.5, 0.4, 0.3, 0.5]);
        let file = bytes(&model).unwrap();
        let device = Model::from_bytes(&file).unwrap();
        let difference = largest_difference(&model, &device);
        assert!(difference < 0.02, "seed {seed}: a logit differs by {difference}");
        assert_self_test(&device);
    }
}

#[test]
fn integers_follow_every_kind_of_float_model() {
    let vocab_size = Vocabulary::build(TEXTS.into_iter(), 1, None).len();
    let sizes = Sizes { vocab_size, embedding_dim: 8, hidden_size: 12, labels: 3 };
    let mut seed = 10;
    for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn, Cell::RnnRelu] {
        for (layers, bidirectional, merge, pooling) in [
            (1, false, Merge::Concat, Pooling::Last),
            (2, false, Merge::Concat, Pooling::MeanMax),
            (4, false, Merge::Concat, Pooling::Mean),
            (1, true, Merge::Concat, Pooling::Last),
            (1, true, Merge::Sum, Pooling::Mean),
            (2, true, Merge::Mean, Pooling::Max),
            (2, true, Merge::Product, Pooling::MeanMax),
            (3, true, Merge::Concat, Pooling::Max),
        ] {
            for (head_hidden, outputs) in [(0, 3), (5, 3), (4, 1)] {
                seed += 1;
                let bias = if seed % 2 == 0 { CellBias::One } else { CellBias::Two };
                let recurrent = Recurrent { cell, num_layers: layers, bidirectional, bias, merge, pooling };
                let mut architecture = Architecture::of_tokens(sizes, recurrent);
                architecture.head = Head { hidden: head_hidden, outputs };
                let model = model_of(seed, &architecture, [0.5, 0.4, 0.2, 0.5]);
                let file = bytes(&model).unwrap();
                let device = Model::from_bytes(&file).unwrap();
                let difference = largest_difference(&model, &device);
                // Four layers with random weights and without gates amplify rounding errors.
                assert!(
                    difference < 0.1,
                    "{recurrent:?}, head {head_hidden}, {outputs}: a logit differs by {difference}"
                );
                assert_self_test(&device);
            }
        }
    }
}

#[test]
fn input_and_recurrent_half_of_different_size_keep_their_precision() {
    for spread in [[3.0, 2.0, 0.02, 0.5], [0.01, 0.05, 0.4, 0.5], [40.0, 0.05, 0.3, 0.5], [0.3, 0.4, 0.3, 20.0]] {
        let model = model(7, (12, 24, 3), spread);
        let file = bytes(&model).unwrap();
        let difference = largest_difference(&model, &Model::from_bytes(&file).unwrap());
        let scale = spread[3] / 0.5;
        assert!(difference < 0.05 * scale, "{spread:?}: a logit differs by {difference}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// For any weights the runtime accepts the exported file, or the export refuses the layer by name.
    #[test]
    fn any_weights_load_or_are_refused(
        seed in any::<u64>(), e in 1usize..9, h in 1usize..12, c in 2usize..5,
        powers in prop::array::uniform4(-30i32..12),
    ) {
        let model = model(seed, (e, h, c), powers.map(|p| 2f64.powi(p)));
        match bytes(&model) {
            Ok(file) => {
                let device = Model::from_bytes(&file).unwrap();
                prop_assert!(largest_difference(&model, &device).is_finite());
            }
            Err(error) => prop_assert!(matches!(error, QuantizeError::LargeWeights(_)), "{error}"),
        }
    }
}

#[test]
fn large_weights_are_refused_by_layer() {
    let layer = |spread| match bytes(&model(1, (4, 4, 2), spread)) {
        Err(QuantizeError::LargeWeights(error)) => error.layer,
        other => panic!("{other:?}"),
    };
    assert_eq!(layer([1.0, 1.0, 3_000.0, 1.0]), "lstm");
    assert_eq!(layer([1.0, 1.0, 1.0, 10_000.0]), "fc");
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    let model = model(5, (6, 10, 3), [0.5; 4]);
    assert!(*bytes(&model).unwrap() == *bytes(&model).unwrap());
}

#[test]
fn the_safetensors_library_reads_and_rewrites_the_file() {
    let model = model(5, (7, 9, 3), [0.5; 4]);
    let file = bytes(&model).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    assert_eq!(tensors.names().len(), 20);
    assert_eq!(tensors.tensor("lstm.weight_hh_l0").unwrap().shape(), [9, 9, 4]);
    assert_eq!(tensors.tensor("vocab.offsets").unwrap().dtype(), safetensors::Dtype::U32);
    let (_, metadata) = SafeTensors::read_metadata(&file).unwrap();
    assert_eq!(metadata.metadata().as_ref().unwrap()["tern.cell"], "lstm");

    // The library writes tensors and metadata in another order, which the runtime accepts.
    let again = safetensors::serialize(tensors.tensors(), metadata.metadata().clone()).unwrap();
    let again = Aligned::new(&again);
    assert_self_test(&Model::from_bytes(&again).unwrap());
}
