mod gradients;

use self::gradients::{gradients, refs, small_with_ngrams};
use super::*;
use crate::architecture::{Architecture, Cell, Head, InputLayer, Pooling, Recurrent, Sizes, names};
use crate::data::Example;
use crate::float_model::{safetensors_bytes, tests::networks};
use crate::logits::class_logits;
use crate::metrics::log_softmax;
use crate::nn::network::Network;
use crate::nn::reference;
use crate::recipe::{ClassWeights, Metric, OptimizerKind, Output, Recipe, Schedule};
use crate::vocabulary::Vocabulary;
use crate::weights::{Array, Weights};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tern_nn::graph::{BatchResult, Dropout, Graph};
use tern_nn::process_group::OneProcess;
use tern_runtime::text::TokenizerKind;

const NO_DROPOUT: Dropout =
    Dropout { dropout: 0.0, layer_dropout: 0.0, embedding_dropout: 0.0, word_dropout: 0.0, ngram_dropout: 0.0 };
const SMOOTHING: f64 = 0.1;

fn smoothed(labels: usize) -> Objective {
    Objective::Classes(Classes::plain(labels, SMOOTHING))
}

/// A recipe and its problem, which are trained in a second.
pub(super) fn small_problem() -> (Recipe, Problem) {
    let recipe = recipe();
    let problem = Problem::of_texts(&recipe, &prepared());
    (recipe, problem)
}

/// Texts of filler words in which one word determines the label.
fn examples(count: usize, seed: u64) -> Vec<Example> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|index| {
            let label = index % 3;
            let mut words: Vec<String> =
                (0..rng.random_range(0..9)).map(|_| format!("w{}", rng.random_range(0..30))).collect();
            words.insert(rng.random_range(0..=words.len()), ["red", "green", "blue"][label].to_owned());
            Example { text: words.join(" ").into(), label }
        })
        .collect()
}

fn prepared() -> Prepared {
    let (train, valid) = (examples(240, 1), examples(60, 2));
    let vocabulary = Vocabulary::build(train.iter().map(|example| example.text.as_str()), 1, None);
    let labels = ["red", "green", "blue"].map(str::to_owned).to_vec();
    Prepared { labels, vocabulary, train, valid, folds: Vec::new(), leaked: 0, duplicates: 0, places: Vec::new() }
}

fn recipe() -> Recipe {
    let mut recipe = Recipe::for_data(Path::new("none.csv"));
    recipe.model.embedding_dim = Some(8);
    recipe.model.hidden_size = Some(12);
    recipe.training.epochs = Some(10);
    recipe.training.learning_rate = 0.02;
    recipe.training.threads = 1;
    recipe
}

/// A recipe with a small n-gram branch.
fn with_ngrams(mut recipe: Recipe) -> Recipe {
    (recipe.model.ngram_buckets, recipe.model.ngram_rank) = (Some(256), Some(4));
    recipe
}

/// A recipe of an n-gram branch alone.
fn ngrams_alone() -> Recipe {
    let mut recipe = with_ngrams(recipe());
    recipe.model.num_layers = 0;
    recipe
}

#[derive(Default)]
struct Recorder {
    batches: usize,
    stop_after: Option<(usize, &'static AtomicBool)>,
}

impl Callback for Recorder {
    fn on_batch(&mut self, progress: &BatchProgress) {
        assert!(progress.batch <= progress.batches && progress.loss.is_finite());
        self.batches += 1;
        if let Some((batches, stop)) = self.stop_after
            && self.batches == batches
        {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

fn train(recipe: &Recipe) -> Outcome {
    train_on(&Problem::of_texts(recipe, &prepared()), recipe)
}

fn train_on(problem: &Problem, recipe: &Recipe) -> Outcome {
    run(recipe, problem, &mut Recorder::default(), &AtomicBool::new(false)).unwrap()
}

/// Checks that the best epoch of a training has nearly all validation rows right.
fn assert_learnt(outcome: &Outcome, recipe: &Recipe) {
    let best = outcome.history[outcome.best_epoch - 1];
    assert!(best.valid.accuracy.unwrap() > 0.95, "{:?} {:?}: {best:?}", recipe.model, recipe.training);
}

#[test]
fn a_network_learns_separable_texts() {
    let outcome = train(&recipe());
    assert_learnt(&outcome, &recipe());
    assert!(
        outcome.weights[names::EMBEDDING].data[..8].iter().all(|value| *value == 0.0),
        "the row of PAD was trained"
    );
}

#[test]
fn frozen_vectors_keep_their_bits_and_other_rows_are_trained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.txt");
    let vectors: Vec<f32> = (0..24).map(|i| (i * 7 % 24) as f32 / 10.0 - 1.17).collect();
    let line = |(word, vector): (&str, &[f32])| {
        format!("{word} {}\n", vector.iter().map(f32::to_string).collect::<Vec<_>>().join(" "))
    };
    let words = ["red", "w0", "elsewhere"];
    std::fs::write(&path, words.into_iter().zip(vectors.chunks(8)).map(line).collect::<String>()).unwrap();
    let data = prepared();
    let ids = words.map(|word| data.vocabulary.id(word) as usize);
    for (freeze, optimizer) in [(true, OptimizerKind::Adamw), (true, OptimizerKind::Sgd), (false, OptimizerKind::Adamw)]
    {
        let mut recipe = recipe();
        (recipe.training.epochs, recipe.training.optimizer) = (Some(2), optimizer);
        recipe.model.embeddings = Some(path.clone());
        recipe.model.freeze_embeddings = freeze;
        let mut problem = Problem::of_texts(&recipe, &data);
        problem.embeddings = crate::embeddings::of_recipe(&recipe, &data.vocabulary).unwrap();
        let outcome = train_on(&problem, &recipe);
        let table = &outcome.weights[names::EMBEDDING].data;
        let row = |id: usize| &table[id * 8..][..8];
        for (id, vector) in ids[..2].iter().zip(vectors.chunks(8)) {
            assert_eq!(row(*id) == vector, freeze, "{optimizer:?} {:?}", row(*id));
        }
        assert!(row(0).iter().all(|value| *value == 0.0), "the row of PAD was trained");
        let begun = before_the_first_step(&recipe, &problem);
        let stay = (0..data.vocabulary.len()).filter(|&id| begun[id * 8..][..8] == *row(id)).count();
        assert_eq!(stay, if freeze { 3 } else { 1 }, "PAD, and the two frozen rows");
    }
}

/// Returns the embedding before the first step.
fn before_the_first_step(recipe: &Recipe, problem: &Problem) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.training.seed);
    let mut weights = initial::weights(&problem.architecture, 0.1, &mut rng);
    problem.embeddings.as_ref().unwrap().initialise(weights.get_mut(names::EMBEDDING), 0.1);
    weights[names::EMBEDDING].data.clone()
}

#[test]
fn the_result_is_the_same_in_every_run_and_with_any_number_of_threads() {
    let bytes = [1, 1, 2, 3].map(|threads| {
        let mut recipe = with_ngrams(recipe());
        recipe.training.epochs = Some(2);
        recipe.training.threads = threads;
        safetensors_bytes(&train(&recipe).weights).unwrap()
    });
    assert!(bytes[0] == bytes[1], "two runs differ");
    assert!(bytes[0] == bytes[2] && bytes[0] == bytes[3], "threads change the result");

    let mut other = with_ngrams(recipe());
    other.training.epochs = Some(2);
    other.training.seed = 2;
    assert!(bytes[0] != safetensors_bytes(&train(&other).weights).unwrap(), "the seed changes nothing");
}

#[test]
fn an_interrupt_keeps_the_best_epoch_so_far() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let mut recorder = Recorder { batches: 0, stop_after: Some((3, &STOP)) };
    let problem = Problem::of_texts(&recipe(), &prepared());
    let outcome = run(&recipe(), &problem, &mut recorder, &STOP).unwrap();
    assert_eq!((recorder.batches, outcome.history.len(), outcome.stop_reason), (3, 1, StopReason::Interrupted));
    assert_eq!(outcome.best_epoch, 1);
}

#[test]
fn patience_stops_a_training_that_does_not_improve() {
    let mut recipe = recipe();
    recipe.training.learning_rate = 1e-9;
    recipe.training.patience = 2;
    recipe.training.weight_averaging = Some(0.0);
    let outcome = train(&recipe);
    assert_eq!(outcome.stop_reason, StopReason::Patience);
    assert_eq!(outcome.history.len(), outcome.best_epoch + 2);
}

#[test]
fn long_texts_are_truncated_to_their_end() {
    let mut recipe = recipe();
    recipe.training.batch_tokens = 4;
    let problem = Problem::of_texts(&recipe, &prepared());
    assert!(problem.train.iter().all(|sample| sample.steps.len() <= 4));
    let longer = prepared().train.iter().filter(|example| example.text.split(' ').count() > 4).count();
    assert_eq!(problem.truncated, longer);
}

#[test]
fn every_network_learns() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn, Cell::RnnRelu] {
        for (layers, bidirectional, pooling) in [(1, false, Pooling::MeanMax), (2, true, Pooling::Last)] {
            let mut recipe = recipe();
            (recipe.model.cell, recipe.model.num_layers) = (cell, layers);
            (recipe.model.bidirectional, recipe.model.pooling) = (Some(bidirectional), Some(pooling));
            assert_learnt(&train(&recipe), &recipe);
        }
    }
}

#[test]
fn ngram_branch_learns_alone_and_beside_recurrent_layers() {
    for recipe in [ngrams_alone(), with_ngrams(recipe())] {
        for (bits, optimizer) in [(4, OptimizerKind::Adamw), (8, OptimizerKind::Adamw), (4, OptimizerKind::Sgd)] {
            let mut recipe = recipe.clone();
            (recipe.model.ngram_bits, recipe.training.optimizer) = (Some(bits), optimizer);
            if optimizer == OptimizerKind::Sgd {
                (recipe.training.learning_rate, recipe.training.epochs, recipe.training.patience) = (0.5, Some(40), 40);
            }
            let outcome = train(&recipe);
            assert_learnt(&outcome, &recipe);
            assert_eq!(outcome.weights.get(names::EMBEDDING).is_some(), recipe.model.num_layers > 0);
        }
    }
}

/// Keeps the checkpoint of an interrupt after some batches.
struct Interrupter<'a> {
    batches: usize,
    stop: &'a AtomicBool,
    /// The [`data_hash`] of the problem.
    data: u32,
    checkpoint: Vec<u8>,
}

impl Callback for Interrupter<'_> {
    fn on_batch(&mut self, _: &BatchProgress) {
        self.batches -= 1;
        self.stop.store(self.batches == 0, Ordering::Relaxed);
    }

    fn on_state(&mut self, state: &State, event: StateEvent) {
        if event == StateEvent::Interrupted {
            self.checkpoint = state.to_bytes(self.data, 0).unwrap();
        }
    }
}

#[test]
fn resumed_training_of_an_ngram_branch_ends_in_the_same_bytes() {
    let mut recipe = with_ngrams(recipe());
    (recipe.training.epochs, recipe.training.batch_size) = (Some(4), 16);
    let problem = Problem::of_texts(&recipe, &prepared());
    let expected = train_on(&problem, &recipe);
    // Within the first epoch, and within the third, whose forward pass rounds the table.
    for batches in [4, 37] {
        let stop = AtomicBool::new(false);
        let data = data_hash(&problem);
        let mut interrupter = Interrupter { batches, stop: &stop, data, checkpoint: Vec::new() };
        let interrupted = run(&recipe, &problem, &mut interrupter, &stop).unwrap();
        assert_eq!(interrupted.stop_reason, StopReason::Interrupted);
        let (state, _) = State::from_bytes(&interrupter.checkpoint, &recipe, &problem).unwrap();
        let resumed =
            resume(state, &recipe, &problem, &mut Recorder::default(), &AtomicBool::new(false), &OneProcess).unwrap();
        assert_eq!(resumed.history, expected.history);
        assert!(resumed.weights == expected.weights, "interrupted after {batches} batches");
    }
}

#[test]
fn finished_ngram_table_is_rounded_as_it_was_validated() {
    let recipe = with_ngrams(recipe());
    let problem = Problem::of_texts(&recipe, &prepared());
    let Outcome { mut weights, history, best_epoch, .. } = train_on(&problem, &recipe);
    let grid = round_ngrams(&mut weights, &problem.architecture).unwrap();
    assert!(weights[names::NGRAMS].data.iter().all(|&value| {
        let integer = (value / grid.step).round();
        integer.abs() <= 7.0 && integer * grid.step == value
    }));
    let figures = problem.validate(&Network::new(&weights, &problem.architecture));
    assert_eq!(figures, history[best_epoch - 1].valid);
}

#[test]
fn every_optimizer_and_schedule_learns() {
    for (optimizer, nesterov) in
        [(OptimizerKind::Adamw, false), (OptimizerKind::Sgd, false), (OptimizerKind::Sgd, true)]
    {
        for schedule in [Schedule::OneCycle, Schedule::Constant, Schedule::Cosine, Schedule::Plateau] {
            let mut recipe = recipe();
            let training = &mut recipe.training;
            (training.optimizer, training.schedule, training.nesterov) = (optimizer, schedule, nesterov);
            if optimizer == OptimizerKind::Sgd {
                // Rare words have small gradients, and sgd does not scale them up as Adam does.
                (training.learning_rate, training.epochs, training.patience) = (0.0, Some(30), 30);
            }
            assert_learnt(&train(&recipe), &recipe);
        }
    }
}

#[test]
fn plateau_lowers_the_rate_of_a_training_that_does_not_improve() {
    let mut recipe = recipe();
    (recipe.training.schedule, recipe.training.learning_rate) = (Schedule::Plateau, 1e-9);
    (recipe.training.plateau_patience, recipe.training.plateau_factor) = (1, 0.1);
    let rates: Vec<f64> = train(&recipe).history.iter().take(5).map(|figures| figures.learning_rate).collect();
    for (rate, expected) in rates.iter().zip([1e-9, 1e-9, 1e-9, 1e-10, 1e-10]) {
        assert!((rate / expected - 1.0).abs() < 1e-6, "{rates:?}");
    }
}

#[test]
fn cross_validation_predicts_each_row_with_a_network_that_was_not_trained_on_it() {
    let mut data = prepared();
    data.train.truncate(90);
    data.valid = data.train.clone();
    data.folds = (0..90).map(|row| row / 3 % 3).collect();
    let mut recipe = recipe();
    (recipe.training.epochs, recipe.training.patience) = (Some(12), 4);
    let problem = Problem::of_texts(&recipe, &data);
    let validate = || {
        let mut folds = Vec::new();
        let found =
            cross_validate(&recipe, &problem, &AtomicBool::new(false), &OneProcess, |fold, of| folds.push((fold, of)))
                .unwrap();
        assert_eq!(folds, [(1, 3), (2, 3), (3, 3)]);
        found.unwrap()
    };
    let found = validate();
    assert_eq!(found, validate(), "the same seed gives the same result");
    let best = found.history[found.best_epoch - 1];
    assert!(best.accuracy.unwrap() > 0.9, "{found:?}");
    assert!(found.history.iter().all(|figures| !figures.is_better_than(&best, recipe.metric())));
    let correct = |(sample, outputs): (&Sample, &Vec<f32>)| {
        sample.target == Target::Class(crate::metrics::argmax(&class_logits(outputs)))
    };
    let count = problem.train.iter().zip(&found.outputs).filter(|&row| correct(row)).count();
    assert!((count as f64 / 90.0 - best.accuracy.unwrap()).abs() < 1e-9);

    // The final training takes the number of epochs and their figures from the cross-validation.
    let problem = Problem { cross_validation: Some(found.clone()), ..problem };
    let outcome = train_on(&problem, &recipe);
    assert_eq!((outcome.history.len(), outcome.best_epoch), (found.best_epoch, found.best_epoch));
    let figures: Vec<Validation> = outcome.history.iter().map(|epoch| epoch.valid).collect();
    assert_eq!(figures, found.history[..found.best_epoch]);
}

#[test]
fn a_fold_normalises_channels_by_its_own_training_rows() {
    let sample = |values: &[f32]| Sample::new(Steps::Values { values: values.to_vec(), channels: 2 }, Target::Class(0));
    // The second channel is constant in each fold's training rows.
    let rows = [sample(&[1.0, 4.0, 3.0, 4.0]), sample(&[0.0, 4.0]), sample(&[10.0, 4.0])];
    let recurrent = Recurrent::default();
    let input = InputLayer::Values { channels: 2 };
    let head = Head { hidden: 0, outputs: 3 };
    let architecture = Architecture { input, hidden_size: 2, recurrent, ngrams: None, head };
    let problem =
        Problem { folds: vec![0, 1, 0], ..Problem::new(architecture, smoothed(3), rows.to_vec(), rows.to_vec()) };
    let part = problem.fold(1);
    let values = |sample: &Sample| match &sample.steps {
        Steps::Values { values, .. } => values.clone(),
        Steps::Tokens(_) => Vec::new(),
    };
    let first_channel: Vec<f32> = part.train.iter().flat_map(values).step_by(2).collect();
    let [mean, square] = [1, 2].map(|power| first_channel.iter().map(|value| value.powi(power)).sum::<f32>() / 3.0);
    assert!(mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-6, "{first_channel:?}");
    let std = (134.0f32 / 9.0).sqrt();
    let expected = (0.0 - 14.0 / 3.0) / std;
    let found = values(&part.valid[0]);
    assert!((found[0] - expected).abs() < 1e-3 && found[1] == 0.0, "{found:?}, expected {expected}");
    assert_eq!((part.train.len(), part.valid.len(), problem.fold_count()), (2, 1, 2));
}

#[test]
fn an_interrupted_cross_validation_has_no_result() {
    let mut data = prepared();
    data.folds = (0..data.train.len()).map(|row| row % 2).collect();
    let problem = Problem::of_texts(&recipe(), &data);
    let found = cross_validate(&recipe(), &problem, &AtomicBool::new(true), &OneProcess, |_, _| {}).unwrap();
    assert_eq!(found, None);
}

#[test]
fn balanced_class_weights_choose_the_epoch_with_the_best_macro_f1() {
    let mut data = prepared();
    // One class in ten is rare: an epoch that never predicts it has the better accuracy early on.
    let mut rare = 0;
    data.train.retain(|example| {
        rare += usize::from(example.label == 2);
        example.label != 2 || rare % 8 == 0
    });
    let mut recipe = recipe();
    (recipe.training.class_weights, recipe.training.learning_rate) = (ClassWeights::Balanced, 0.004);
    for metric in [None, Some(Metric::Accuracy), Some(Metric::Loss)] {
        recipe.training.metric = metric;
        let outcome = train_on(&Problem::of_texts(&recipe, &data), &recipe);
        let value = |epoch: &EpochFigures| match metric {
            None => epoch.valid.macro_f1.unwrap(),
            Some(Metric::Accuracy) => epoch.valid.accuracy.unwrap(),
            Some(_) => -epoch.valid.loss,
        };
        let best = outcome.history.iter().map(value).fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(value(&outcome.history[outcome.best_epoch - 1]), best, "{metric:?}");
    }
}

#[test]
fn every_head_learns() {
    let mut data = prepared();
    for examples in [&mut data.train, &mut data.valid] {
        examples.retain(|example| example.label < 2);
    }
    data.labels.truncate(2);
    for (head_hidden, output, class_weights) in [
        (16, Output::Softmax, ClassWeights::Balanced),
        (0, Output::Sigmoid, ClassWeights::None),
        (16, Output::Sigmoid, ClassWeights::Balanced),
    ] {
        let mut recipe = recipe();
        (recipe.model.head_hidden, recipe.model.output) = (head_hidden, output);
        recipe.training.class_weights = class_weights;
        assert_learnt(&train_on(&Problem::of_texts(&recipe, &data), &recipe), &recipe);
    }
}

#[test]
fn dropout_differs_between_batches_and_repeats_with_the_seed() {
    let two_layers = Recurrent { num_layers: 2, ..Recurrent::default() };
    let (architecture, weights, list) = small_with_ngrams(two_layers, Head { hidden: 0, outputs: 3 });
    for dropout in [
        Dropout { dropout: 0.5, ..NO_DROPOUT },
        Dropout { layer_dropout: 0.5, ..NO_DROPOUT },
        Dropout { embedding_dropout: 0.5, ..NO_DROPOUT },
        Dropout { word_dropout: 0.5, ..NO_DROPOUT },
        Dropout { ngram_dropout: 0.5, ..NO_DROPOUT },
    ] {
        let loss = |seed, batch| {
            gradients(&weights, &architecture, &smoothed(3), &refs(&list), dropout, seed, batch).unwrap().loss
        };
        assert_eq!(loss(1, 0), loss(1, 0));
        assert_ne!(loss(1, 0), loss(1, 1));
        assert_ne!(loss(1, 0), loss(2, 0));
    }
}

mod preparing {
    use super::*;
    use std::fs;

    fn prepare_csv(train: &str, valid: Option<&str>) -> anyhow::Result<Prepared> {
        prepare_folds(train, valid, 1)
    }

    fn prepare_folds(train: &str, valid: Option<&str>, folds: usize) -> anyhow::Result<Prepared> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("train.csv");
        fs::write(&path, format!("text,label\n{train}")).unwrap();
        let mut recipe = Recipe::for_data(&path);
        recipe.vocabulary.min_count = Some(1);
        // The texts are single words, for which the default would be `chars`.
        recipe.tokenizer.kind = Some(TokenizerKind::Words);
        recipe.data.folds = folds;
        if let Some(valid) = valid {
            recipe.data.valid = Some(dir.path().join("valid.csv"));
            fs::write(dir.path().join("valid.csv"), format!("text,label\n{valid}")).unwrap();
        }
        prepare(&mut recipe)
    }

    #[test]
    fn the_vocabulary_holds_tokens_of_training_texts_only() {
        let data = prepare_csv("one,a\ntwo,b\n", Some("three,a\none,b\n")).unwrap();
        assert_eq!(data.vocabulary.tokens(), ["[PAD]", "[UNK]", "one", "two"]);
        assert_eq!((data.train.len(), data.valid.len(), data.leaked), (2, 2, 1));
    }

    #[test]
    fn equal_texts_are_in_the_same_part_of_a_split() {
        let mut table = String::new();
        for row in 0..60 {
            table += &format!("text {},{}\n", row % 20, ["a", "b"][row % 2]);
        }
        let data = prepare_csv(&table, None).unwrap();
        assert_eq!((data.duplicates, data.valid.len(), data.leaked), (40, 6, 0));
        assert!(data.valid.iter().all(|held_out| data.train.iter().all(|row| row.text != held_out.text)));
        for (example, place) in data.train.iter().zip(&data.places) {
            assert_eq!(example.text.as_str(), format!("text {}", place.row % 20));
            assert_eq!(place.line, place.row as u64 + 2);
        }
    }

    #[test]
    fn small_data_is_divided_into_folds_with_every_class() {
        let table: String = (0..12).map(|row| format!("text {row},{}\n", ["a", "b"][usize::from(row > 8)])).collect();
        let data = prepare_folds(&table, None, 0).unwrap();
        assert_eq!((data.train.len(), data.valid.len()), (12, 12));
        for fold in 0..3 {
            for label in 0..2 {
                let rows = data.train.iter().zip(&data.folds);
                assert!(rows.clone().any(|(example, of)| *of == fold && example.label == label), "{fold} {label}");
            }
        }
        assert_eq!(data.folds.iter().max(), Some(&2), "the class of three texts allows three folds");
        let parts = data.splits();
        assert_eq!(parts.iter().map(|part| part.valid.len()).sum::<usize>(), 12);
        assert!(parts.iter().all(|part| part.train.iter().all(|row| part.valid.iter().all(|of| of.text != row.text))));
    }

    #[test]
    fn bad_tables_are_refused() {
        for (train, valid, expected) in [
            ("x,a\ny,a\n", None, "every label is \"a\", expected two labels or more"),
            ("x,a\ny,b\n", Some("z,c\n"), "unknown label \"c\""),
            (" ,a\n\"\",b\n", Some("x,a\n"), "the vocabulary would be empty"),
        ] {
            let error = prepare_csv(train, valid).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
