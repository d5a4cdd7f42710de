//! Whole training steps against those of the CPU: losses, gradients, optimizers.

use super::{CPU, close, device, flat};
use candle_core::{Tensor, Var};
use tern_nn::architecture::{
    Architecture, Cell, CellBias, Head, InputLayer, Merge, NgramTable, Pooling, Recurrent, Sizes, names,
};
use tern_nn::device_training::DeviceTraining;
use tern_nn::gpu::rows::drop_values;
use tern_nn::graph::{Dropout, Graph};
use tern_nn::ngrams::Grid;
use tern_nn::objective::{Classes, Objective};
use tern_nn::optimizer::{Method, Optimizer, Settings};
use tern_nn::process_group::OneProcess;
use tern_nn::reference;
use tern_nn::sample::{NO_TOKEN, Sample, Steps, Target};
use tern_nn::weights::Weights;

const NO_DROPOUT: Dropout =
    Dropout { dropout: 0.0, layer_dropout: 0.0, embedding_dropout: 0.0, word_dropout: 0.0, ngram_dropout: 0.0 };

/// A network with its objective, and samples for it.
struct Case {
    architecture: Architecture,
    objective: Objective,
    samples: Vec<Sample>,
    grid: Option<Grid>,
    branch_loss: f64,
}

const LENGTHS: [usize; 7] = [5, 1, 9, 4, 0, 7, 5];

fn ids(length: usize, seed: usize) -> Vec<u32> {
    (0..length).map(|step| 1 + ((step * 7 + seed * 5) % 11) as u32).collect()
}

/// Texts with targets that `target` makes from the number and the length of a text.
fn texts(target: impl Fn(usize, usize) -> Target) -> Vec<Sample> {
    let samples = LENGTHS.iter().enumerate().map(|(index, &length)| {
        let ngrams = (0..2 * length as u32).map(|ngram| (ngram * 13 + index as u32) % 16).collect();
        Sample { ngrams, ..Sample::new(Steps::Tokens(ids(length, index)), target(index, length)) }
    });
    samples.collect()
}

fn cases() -> Vec<Case> {
    let sizes = Sizes { vocab_size: 12, embedding_dim: 5, hidden_size: 7, labels: 3 };
    let plain =
        |architecture, objective, samples| Case { architecture, objective, samples, grid: None, branch_loss: 0.0 };
    let classes = |labels: usize| {
        let weights = (0..labels).map(|label| 0.5 + label as f64).collect();
        Objective::Classes(Classes { smoothing: 0.1, weights, teacher_weight: 0.3 })
    };
    let label = |labels: usize| texts(move |index, _| Target::Class(index % labels));
    // The same with the probabilities of teachers.
    let taught = |labels: usize| -> Vec<Sample> {
        let sum = (labels * (labels + 1) / 2) as f32;
        let teacher = (1..=labels).map(|label| label as f32 / sum).collect::<Vec<_>>();
        label(labels).into_iter().map(|sample| Sample { teacher: teacher.clone(), ..sample }).collect()
    };
    let two_layers = Recurrent {
        cell: Cell::Gru,
        num_layers: 2,
        bidirectional: true,
        pooling: Pooling::MeanMax,
        ..Recurrent::default()
    };
    let head = Head { hidden: 4, outputs: 3 };
    let ngrams = Some(NgramTable { buckets: 16, rank: 2, bits: 4 });
    let one_logit = Architecture::of_tokens(Sizes { labels: 1, ..sizes }, Recurrent::default());
    let one_bias = Recurrent { cell: Cell::Gru, bias: CellBias::One, pooling: Pooling::Last, ..Recurrent::default() };
    let merged =
        Recurrent { cell: Cell::Rnn, bidirectional: true, merge: Merge::Product, pooling: Pooling::Max, ..one_bias };
    let values = Architecture {
        input: InputLayer::Values { channels: 2 },
        head: Head { hidden: 0, outputs: 2 },
        ..Architecture::of_tokens(
            sizes,
            Recurrent { cell: Cell::RnnRelu, pooling: Pooling::Mean, ..Recurrent::default() },
        )
    };
    let sequences = LENGTHS.iter().filter(|length| **length > 0).enumerate().map(|(index, &length)| {
        let values = super::random(2 * length, index as u64);
        let targets = vec![index as f32 / 4.0, if index == 2 { f32::NAN } else { -0.5 }];
        Sample::new(Steps::Values { values, channels: 2 }, Target::Values(targets))
    });
    let next =
        |_, length| Target::Tokens((0..length as u32).map(|step| if step == 2 { NO_TOKEN } else { step }).collect());
    vec![
        plain(Architecture { head, ..Architecture::of_tokens(sizes, two_layers) }, classes(3), taught(3)),
        plain(one_logit, classes(2), taught(2)),
        plain(Architecture::of_tokens(sizes, one_bias), classes(3), label(3)),
        plain(Architecture::of_tokens(sizes, merged), classes(3), label(3)),
        plain(
            Architecture::of_tokens(Sizes { labels: 12, ..sizes }, Recurrent::default()),
            Objective::NextToken,
            texts(next),
        ),
        plain(values, Objective::Values, sequences.collect()),
        Case {
            grid: Some(Grid::new(0.06, 4)),
            branch_loss: 0.5,
            ..plain(
                Architecture { ngrams, ..Architecture::of_tokens(sizes, Recurrent::default()) },
                classes(3),
                label(3),
            )
        },
        plain(
            Architecture {
                ngrams,
                ..Architecture::of_tokens(sizes, Recurrent { num_layers: 0, ..Recurrent::default() })
            },
            classes(3),
            label(3),
        ),
    ]
}

impl Case {
    fn graph(&self) -> Graph<'_> {
        let Case { architecture, objective, grid, branch_loss, .. } = self;
        let (grid, branch_loss) = (*grid, *branch_loss);
        Graph {
            architecture,
            objective,
            dropout: NO_DROPOUT,
            grid,
            branch_loss,
            seed: 1,
            shards: 4,
            group: &OneProcess,
            device: &CPU,
        }
    }

    fn names(&self) -> Vec<String> {
        self.architecture.shapes().into_iter().map(|(name, _)| name).collect()
    }

    /// The weights, their average as it begins, and an optimizer.
    fn start(&self, method: Method) -> (Weights, Weights, Optimizer) {
        let weights = reference::weights(&self.architecture);
        let mut average = weights.clone();
        if self.architecture.ngrams.is_some() {
            average.get_mut(names::NGRAMS).data.fill(0.0);
        }
        let settings = Settings { method, weight_decay: 0.02, clip_norm: 0.8, averaging: 0.9 };
        let optimizer = Optimizer::new(&self.names(), &weights, settings);
        (weights, average, optimizer)
    }
}

#[test]
fn losses_and_gradients_agree_with_the_cpus() {
    let Some(device) = device() else { return };
    for case in cases() {
        let (weights, average, optimizer) = case.start(Method::AdamW);
        let samples: Vec<&Sample> = case.samples.iter().collect();
        let expected = case.graph().gradients(&weights, &samples, 0).unwrap();
        let state = (&weights, &average, &optimizer);
        let training = DeviceTraining::new(case.architecture, &case.objective, state, None, device).unwrap();
        let found = training.gradients(&case.graph(), &case.graph().prepare(&samples, 0)).unwrap();
        let (loss, correct, _) = found.figures.read().unwrap();
        assert!(
            (loss - expected.loss).abs() < 1e-4,
            "{}: {loss}, expected {}",
            case.architecture.describe(),
            expected.loss
        );
        assert_eq!(correct, expected.correct);
        assert_eq!(case.graph().prepare(&samples, 0).targets(), expected.targets);
        for ((found, expected), name) in found.gradients.iter().zip(&expected.gradients).zip(case.names()) {
            close(&flat(found), expected, 1e-5, &format!("{}, {name}", case.architecture.describe()));
        }
        if let Some(rows) = found.ngram_rows {
            assert_eq!(rows.to_vec1::<u32>().unwrap(), expected.ngram_rows);
        }
    }
}

#[test]
fn optimizers_agree_with_the_cpus() {
    let Some(device) = device() else { return };
    let momentum = |momentum, nesterov| Method::Sgd { momentum, nesterov };
    for method in [Method::AdamW, momentum(0.0, false), momentum(0.9, false), momentum(0.9, true)] {
        // The network with an n-gram branch has every kind of parameter.
        let case = cases().into_iter().find(|case| case.branch_loss > 0.0).unwrap();
        let (mut weights, mut average, mut optimizer) = case.start(method);
        let (mut own_weights, mut own_average, mut own_optimizer) = case.start(method);
        let state = (&own_weights, &own_average, &own_optimizer);
        let mut training = DeviceTraining::new(case.architecture, &case.objective, state, None, device).unwrap();
        for step in 0..6 {
            // Other texts in each step, so that rows of the table stay unused in some.
            let samples: Vec<&Sample> = case.samples.iter().skip(step % 3).step_by(2).collect();
            let expected = case.graph().gradients(&weights, &samples, step as u64).unwrap();
            let norm = optimizer.step(&mut weights, &mut average, &expected.gradients, &expected.ngram_rows, 0.01);
            let prepared = case.graph().prepare(&samples, step as u64);
            let figures = training.step(&case.graph(), &prepared, 0.01).unwrap();
            let (_, _, found) = figures.read().unwrap();
            assert!((found - norm).abs() < 1e-4 * norm, "{method:?}: norm {found}, expected {norm}");
        }
        training.read(&mut own_weights, &mut own_average, &mut own_optimizer).unwrap();
        let own_averaged = own_optimizer.averaged(&own_weights, &own_average);
        let averaged = optimizer.averaged(&weights, &average);
        for name in case.names() {
            // Adam divides by the root of squares: where a gradient is near 0, rounding becomes visible.
            close(&own_weights[&name].data, &weights[&name].data, 2e-3, &format!("{method:?}, {name}"));
            close(&own_averaged[&name].data, &averaged[&name].data, 2e-3, &format!("{method:?}, average of {name}"));
        }
        assert_eq!((own_optimizer.steps(), own_optimizer.lag_factor()), (optimizer.steps(), optimizer.lag_factor()));
        for (own, state) in own_optimizer.states().zip(optimizer.states()) {
            assert_eq!((own.0, own.1), (state.0, state.1));
            close(own.2, state.2, 1e-4, &format!("{method:?}, {} of {}", own.1, own.0));
        }
    }
}

#[test]
fn steps_that_are_not_finite_change_nothing() {
    let Some(device) = device() else { return };
    let case = &cases()[0];
    let (mut weights, mut average, mut optimizer) = case.start(Method::AdamW);
    weights.get_mut(names::FC_BIAS).data[0] = f32::INFINITY;
    let before = weights.clone();
    let state = (&weights, &average, &optimizer);
    let mut training = DeviceTraining::new(case.architecture, &case.objective, state, None, device).unwrap();
    let samples: Vec<&Sample> = case.samples.iter().collect();
    let figures = training.step(&case.graph(), &case.graph().prepare(&samples, 0), 0.01).unwrap();
    let (loss, _, norm) = figures.read().unwrap();
    assert!(!loss.is_finite() || !norm.is_finite(), "loss {loss}, norm {norm}");
    training.read(&mut weights, &mut average, &mut optimizer).unwrap();
    assert_eq!(weights, before);
}

#[test]
fn only_trained_rows_of_an_embedding_change() {
    let Some(device) = device() else { return };
    let case = &cases()[1];
    let (mut weights, mut average, mut optimizer) = case.start(Method::AdamW);
    let before = weights[names::EMBEDDING].data.clone();
    let state = (&weights, &average, &optimizer);
    let trained = [1, 4, 7];
    let mut training = DeviceTraining::new(case.architecture, &case.objective, state, Some(&trained), device).unwrap();
    let samples: Vec<&Sample> = case.samples.iter().collect();
    training.step(&case.graph(), &case.graph().prepare(&samples, 0), 0.01).unwrap();
    training.read(&mut weights, &mut average, &mut optimizer).unwrap();
    let rows = weights[names::EMBEDDING].data.chunks_exact(5).zip(before.chunks_exact(5));
    let changed: Vec<u32> = (0..).zip(rows).filter(|(_, (new, old))| new != old).map(|(row, _)| row).collect();
    assert_eq!(changed, trained);
}

#[test]
fn dropout_keeps_the_expected_share_and_passes_its_mask_back() {
    let Some(device) = device() else { return };
    let x = Var::ones((50, 40), candle_core::DType::F32, device).unwrap();
    let dropped = |stream| drop_values(&x, 0.3, 7, stream).unwrap();
    let gradient = |y: &Tensor| flat(y.sum_all().unwrap().backward().unwrap().get(&x).unwrap());
    let (first, second) = (dropped(1), dropped(2));
    let kept = flat(&first).iter().filter(|value| **value != 0.0).count();
    assert!((1340..=1460).contains(&kept), "{kept} of 2000 values were kept, expected about 1400");
    assert_eq!(flat(&first), gradient(&first));
    assert_eq!(flat(&first), flat(&dropped(1)));
    assert_ne!(flat(&first), flat(&second));
    assert!(flat(&first).iter().all(|&value| value == 0.0 || (value - 1.0 / 0.7).abs() < 1e-6));
}
