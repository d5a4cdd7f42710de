mod gradients;

use self::gradients::{gradients, refs, small};
use super::*;
use crate::architecture::{Architecture, Cell, Head, InputLayer, Pooling, Recurrent};
use crate::data::Example;
use crate::float_model::{safetensors_bytes, tests::networks};
use crate::metrics::log_softmax;
use crate::nn::network::Network;
use crate::nn::reference;
use crate::recipe::{ClassWeights, OptimizerKind, Output, Recipe};
use crate::vocabulary::Vocabulary;
use crate::weights::{Array, Sizes, Weights, names};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tern_nn::graph::{BatchResult, Graph, Noise};

const SILENT: Noise = Noise { dropout: 0.0, layer_dropout: 0.0, embedding_dropout: 0.0, word_dropout: 0.0 };
const SMOOTHING: f64 = 0.1;

fn smoothed(labels: usize) -> Objective {
    Objective::Classes(Classes::plain(labels, SMOOTHING))
}

/// Texts of filler words, the label told by one word somewhere in them.
fn examples(count: usize, seed: u64) -> Vec<Example> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|index| {
            let label = index % 3;
            let mut words: Vec<String> =
                (0..rng.random_range(0..9)).map(|_| format!("w{}", rng.random_range(0..30))).collect();
            words.insert(rng.random_range(0..=words.len()), ["red", "green", "blue"][label].to_owned());
            Example { text: words.join(" "), label }
        })
        .collect()
}

fn prepared() -> Prepared {
    let (train, valid) = (examples(240, 1), examples(60, 2));
    let vocabulary = Vocabulary::build(train.iter().map(|example| example.text.as_str()), 1, None);
    let labels = ["red", "green", "blue"].map(str::to_owned).to_vec();
    Prepared { labels, vocabulary, train, valid, leaked: 0, duplicates: 0, places: Vec::new() }
}

fn recipe() -> Recipe {
    let mut recipe = Recipe::for_data(Path::new("none.csv"));
    recipe.model.embedding = 8;
    recipe.model.hidden = 12;
    recipe.training.epochs = 10;
    recipe.training.learning_rate = 0.02;
    recipe.training.threads = 1;
    recipe
}

#[derive(Default)]
struct Recorder {
    batches: usize,
    stop_after: Option<(usize, &'static AtomicBool)>,
}

impl Observer for Recorder {
    fn batch(&mut self, progress: &BatchProgress) {
        assert!(progress.batch <= progress.batches && progress.loss.is_finite());
        self.batches += 1;
        if let Some((batches, stop)) = self.stop_after
            && self.batches == batches
        {
            stop.store(true, Ordering::Relaxed);
        }
    }

    fn epoch(&mut self, _: &EpochFigures, _: bool) {}
}

fn train(recipe: &Recipe) -> Outcome {
    let problem = Problem::of_texts(recipe, &prepared());
    run(recipe, &problem, &mut Recorder::default(), &AtomicBool::new(false)).unwrap()
}

#[test]
fn learns_what_there_is_to_learn() {
    let outcome = train(&recipe());
    let best = outcome.history[outcome.best_epoch - 1];
    assert!(best.valid.accuracy.unwrap() > 0.95, "{best:?}");
    assert!(outcome.weights[names::EMBEDDING].data[..8].iter().all(|value| *value == 0.0), "PAD has learnt");
}

#[test]
fn frozen_vectors_keep_their_bits_and_the_others_learn() {
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
        (recipe.training.epochs, recipe.training.optimizer) = (2, optimizer);
        recipe.model.embeddings = Some(path.clone());
        recipe.model.freeze_embeddings = freeze;
        let mut problem = Problem::of_texts(&recipe, &data);
        problem.embeddings = crate::embeddings::of_recipe(&recipe, &data.vocabulary).unwrap();
        let run = |problem: &Problem| run(&recipe, problem, &mut Recorder::default(), &AtomicBool::new(false)).unwrap();
        let outcome = run(&problem);
        let table = &outcome.weights[names::EMBEDDING].data;
        let row = |id: usize| &table[id * 8..][..8];
        for (id, vector) in ids[..2].iter().zip(vectors.chunks(8)) {
            assert_eq!(row(*id) == vector, freeze, "{optimizer:?} {:?}", row(*id));
        }
        assert!(row(0).iter().all(|value| *value == 0.0), "PAD has learnt");
        let begun = before_the_first_step(&recipe, &problem);
        let stay = (0..data.vocabulary.len()).filter(|&id| begun[id * 8..][..8] == *row(id)).count();
        assert_eq!(stay, if freeze { 3 } else { 1 }, "PAD, and the two frozen rows");
    }
}

/// The embedding before the first step.
fn before_the_first_step(recipe: &Recipe, problem: &Problem) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.training.seed);
    let mut weights = initial::weights(&problem.architecture, &mut rng);
    problem.embeddings.as_ref().unwrap().start(weights.get_mut(names::EMBEDDING), initial::EMBEDDING_STD);
    weights[names::EMBEDDING].data.clone()
}

#[test]
fn the_same_bytes_every_time_with_any_number_of_threads() {
    let bytes = [1, 1, 2, 3].map(|threads| {
        let mut recipe = recipe();
        recipe.training.epochs = 2;
        recipe.training.threads = threads;
        safetensors_bytes(&train(&recipe).weights).unwrap()
    });
    assert!(bytes[0] == bytes[1], "two runs differ");
    assert!(bytes[0] == bytes[2] && bytes[0] == bytes[3], "threads change the result");

    let mut other = recipe();
    other.training.epochs = 2;
    other.training.seed = 2;
    assert!(bytes[0] != safetensors_bytes(&train(&other).weights).unwrap(), "the seed changes nothing");
}

#[test]
fn an_interrupt_keeps_the_best_so_far() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let mut recorder = Recorder { batches: 0, stop_after: Some((3, &STOP)) };
    let problem = Problem::of_texts(&recipe(), &prepared());
    let outcome = run(&recipe(), &problem, &mut recorder, &STOP).unwrap();
    assert_eq!((recorder.batches, outcome.history.len(), outcome.ending), (3, 1, Ending::Interrupted));
    assert_eq!(outcome.best_epoch, 1);
}

#[test]
fn patience_ends_a_training_that_does_not_get_better() {
    let mut recipe = recipe();
    recipe.training.learning_rate = 1e-9;
    recipe.training.patience = 2;
    recipe.training.weight_averaging = 0.0;
    let outcome = train(&recipe);
    assert_eq!(outcome.ending, Ending::Patience);
    assert_eq!(outcome.history.len(), outcome.best_epoch + 2);
}

#[test]
fn long_texts_are_cut_to_their_end() {
    let mut recipe = recipe();
    recipe.training.epochs = 1;
    recipe.training.batch_tokens = 4;
    let outcome = train(&recipe);
    let longer = prepared().train.iter().filter(|example| example.text.split(' ').count() > 4).count();
    assert_eq!(outcome.cut, longer);
}

#[test]
fn every_network_learns() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn, Cell::RnnRelu] {
        for (layers, bidirectional, pooling) in [(1, false, Pooling::MeanMax), (2, true, Pooling::Last)] {
            let mut recipe = recipe();
            (recipe.model.cell, recipe.model.layers) = (cell, layers);
            (recipe.model.bidirectional, recipe.model.pooling) = (bidirectional, pooling);
            let outcome = train(&recipe);
            let best = outcome.history[outcome.best_epoch - 1];
            assert!(best.valid.accuracy.unwrap() > 0.95, "{:?}: {best:?}", recipe.model);
        }
    }
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
                // Words that are rare have small gradients, and no memory of Adam's to scale them.
                (training.learning_rate, training.epochs, training.patience) = (0.0, 30, 30);
            }
            let outcome = train(&recipe);
            let best = outcome.history[outcome.best_epoch - 1];
            assert!(best.valid.accuracy.unwrap() > 0.95, "{optimizer:?} {schedule:?} {nesterov}: {best:?}");
        }
    }
}

#[test]
fn plateau_lowers_the_rate_of_a_training_that_stands_still() {
    let mut recipe = recipe();
    (recipe.training.schedule, recipe.training.learning_rate) = (Schedule::Plateau, 1e-9);
    (recipe.training.plateau_patience, recipe.training.plateau_factor) = (1, 0.1);
    let rates: Vec<f64> = train(&recipe).history.iter().take(5).map(|figures| figures.learning_rate).collect();
    for (rate, expected) in rates.iter().zip([1e-9, 1e-9, 1e-9, 1e-10, 1e-10]) {
        assert!((rate / expected - 1.0).abs() < 1e-6, "{rates:?}");
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
        let problem = Problem::of_texts(&recipe, &data);
        let outcome = run(&recipe, &problem, &mut Recorder::default(), &AtomicBool::new(false)).unwrap();
        let best = outcome.history[outcome.best_epoch - 1];
        assert!(best.valid.accuracy.unwrap() > 0.95, "{:?}: {best:?}", recipe.model);
    }
}

#[test]
fn noise_differs_from_batch_to_batch_and_repeats_by_seed() {
    let two_layers = Recurrent { layers: 2, ..Recurrent::default() };
    let (architecture, weights, list) = small(two_layers);
    for noise in [
        Noise { dropout: 0.5, ..SILENT },
        Noise { layer_dropout: 0.5, ..SILENT },
        Noise { embedding_dropout: 0.5, ..SILENT },
        Noise { word_dropout: 0.5, ..SILENT },
    ] {
        let loss = |seed, batch| {
            gradients(&weights, &architecture, &smoothed(3), &refs(&list), noise, seed, batch).unwrap().loss
        };
        assert_eq!(loss(1, 0), loss(1, 0));
        assert_ne!(loss(1, 0), loss(1, 1));
        assert_ne!(loss(1, 0), loss(2, 0));
    }
}

mod preparing {
    use super::*;
    use std::fs;

    fn prepare_csv(train: &str, valid: Option<&str>) -> Result<Prepared, PrepareError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("train.csv");
        fs::write(&path, format!("text,label\n{train}")).unwrap();
        let mut recipe = Recipe::for_data(&path);
        recipe.vocabulary.min_count = 1;
        if let Some(valid) = valid {
            recipe.data.valid = Some(dir.path().join("valid.csv"));
            fs::write(dir.path().join("valid.csv"), format!("text,label\n{valid}")).unwrap();
        }
        prepare(&recipe)
    }

    #[test]
    fn the_vocabulary_is_of_the_training_texts_alone() {
        let data = prepare_csv("one,a\ntwo,b\n", Some("three,a\none,b\n")).unwrap();
        assert_eq!(data.vocabulary.tokens(), ["[PAD]", "[UNK]", "one", "two"]);
        assert_eq!((data.train.len(), data.valid.len(), data.leaked), (2, 2, 1));
    }

    #[test]
    fn equal_texts_are_held_out_together_and_counted() {
        let mut table = String::new();
        for row in 0..60 {
            table += &format!("text {},{}\n", row % 20, ["a", "b"][row % 2]);
        }
        let data = prepare_csv(&table, None).unwrap();
        assert_eq!((data.duplicates, data.valid.len(), data.leaked), (40, 6, 0));
        assert!(data.valid.iter().all(|held_out| data.train.iter().all(|learnt| learnt.text != held_out.text)));
        for (example, place) in data.train.iter().zip(&data.places) {
            assert_eq!(example.text, format!("text {}", place.row % 20));
            assert_eq!(place.line, place.row as u64 + 2);
        }
    }

    #[test]
    fn bad_tables_are_refused() {
        for (train, valid, expected) in [
            ("x,a\ny,a\n", None, "every label is \"a\", expected two labels or more"),
            ("x,a\ny,a\nz,b\n", None, "class \"b\" has 1 distinct text"),
            ("x,a\ny,b\n", Some("z,c\n"), "unknown label \"c\""),
            (" ,a\n\"\",b\n", Some("x,a\n"), "the vocabulary would be empty"),
        ] {
            let error = prepare_csv(train, valid).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
