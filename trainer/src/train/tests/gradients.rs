//! Gradients against finite differences and the plain network in f64.

use super::*;
use crate::architecture::NgramTable;
use crate::logits::class_logits;
use crate::nn::ngrams::Grid;
use tern_nn::packed::PackedLayout;

pub fn small(recurrent: Recurrent) -> (Architecture, Weights, Vec<Sample>) {
    small_with(recurrent, Head { hidden: 0, outputs: 3 })
}

pub fn small_with(recurrent: Recurrent, head: Head) -> (Architecture, Weights, Vec<Sample>) {
    let sizes = Sizes { vocab_size: 9, embedding_dim: 3, hidden_size: 5, labels: 3 };
    let architecture = Architecture { head, ..Architecture::of_tokens(sizes, recurrent) };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut weights = initial::weights(&architecture, 0.1, &mut rng);
    for value in &mut weights.get_mut(names::EMBEDDING).data {
        *value = rng.random_range(-1.0..1.0);
    }
    let samples = [4, 1, 0, 6, 2, 2]
        .iter()
        .enumerate()
        .map(|(index, &length)| {
            let steps = Steps::Tokens((0..length).map(|_| rng.random_range(1..9)).collect());
            Sample::new(steps, Target::Class(index % head.outputs.max(2)))
        })
        .collect();
    (architecture, weights, samples)
}

pub fn refs(samples: &[Sample]) -> Vec<&Sample> {
    samples.iter().collect()
}

type Double = BTreeMap<String, Vec<f64>>;

fn double(weights: &Weights) -> Double {
    let double = |array: &Array| array.data.iter().map(|&w| f64::from(w)).collect();
    weights.iter().map(|(name, array)| (name.to_owned(), double(array))).collect()
}

/// The outputs in f64, straight from the definitions.
fn plain_outputs(parameters: &Double, architecture: &Architecture, steps: &Steps, ngrams: &[u32]) -> Vec<f64> {
    match steps {
        Steps::Tokens(ids) => reference::logits(|name| &parameters[name], architecture, ids, ngrams),
        Steps::Values { .. } => {
            let x = steps.rows().iter().map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect();
            reference::outputs(|name| &parameters[name], architecture, x)
        }
    }
}

/// The mean loss in f64, straight from the definitions.
fn plain_loss(parameters: &Double, architecture: &Architecture, objective: &Objective, samples: &[Sample]) -> f64 {
    let mut total = 0.0;
    let cross_entropy = |logits: &[f64], label: usize, smoothing: f64| {
        let logits = if let [z] = logits { vec![0.0, *z] } else { logits.to_vec() };
        let logs = log_softmax(logits.into_iter());
        -(1.0 - smoothing) * logs[label] - smoothing * logs.iter().sum::<f64>() / logs.len() as f64
    };
    let mut count = samples.len();
    for Sample { steps, ngrams, target, .. } in samples {
        total += match (objective, target) {
            (Objective::Classes(classes), Target::Class(label)) => {
                let logits = plain_outputs(parameters, architecture, steps, ngrams);
                classes.weights[*label] * cross_entropy(&logits, *label, classes.smoothing)
            }
            (Objective::Values, Target::Values(values)) => {
                let outputs = plain_outputs(parameters, architecture, steps, &[]);
                let known = values.iter().zip(&outputs).filter(|(target, _)| !target.is_nan());
                known.map(|(&t, y)| (y - f64::from(t)).powi(2)).sum::<f64>() / outputs.len() as f64
            }
            (Objective::NextToken, Target::Tokens(next)) => {
                let asked = (0..next.len()).filter(|&step| next[step] != NO_TOKEN);
                let losses = asked.map(|step| {
                    let read = Steps::Tokens(steps.tokens()[..=step].to_vec());
                    cross_entropy(&plain_outputs(parameters, architecture, &read, &[]), next[step] as usize, 0.0)
                });
                losses.sum()
            }
            other => panic!("{other:?}"),
        };
        if objective.every_step() {
            count = samples.iter().map(|sample| sample.target.count()).sum();
        }
    }
    total / count as f64
}

pub fn gradients(
    weights: &Weights,
    architecture: &Architecture,
    objective: &Objective,
    samples: &[&Sample],
    dropout: Dropout,
    seed: u64,
    batch: u64,
) -> candle_core::Result<BatchResult> {
    Graph {
        architecture,
        objective,
        dropout,
        grid: None,
        branch_loss: 0.0,
        seed,
        shards: 4,
        group: &OneProcess,
        device: &candle_core::Device::Cpu,
    }
    .gradients(weights, samples, batch)
}

/// The gradient of a parameter with all its values; that of the n-gram table from its rows.
pub fn dense(result: &BatchResult, architecture: &Architecture, parameter: usize) -> Vec<f32> {
    let (name, shape) = &architecture.shapes()[parameter];
    let gradient = &result.gradients[parameter];
    if name != names::NGRAMS {
        return gradient.clone();
    }
    let mut all = vec![0.0; shape.iter().product()];
    for (&row, gradient) in result.ngram_rows.iter().zip(gradient.chunks_exact(shape[1])) {
        all[row as usize * shape[1]..][..shape[1]].copy_from_slice(gradient);
    }
    all
}

/// The gradients of every `stride`-th value of each parameter against finite differences of [`plain_loss`].
fn check_gradients(
    architecture: &Architecture,
    weights: &Weights,
    objective: &Objective,
    samples: &[Sample],
    stride: usize,
) {
    let what = format!("{architecture:?} {objective:?}");
    let result = gradients(weights, architecture, objective, &refs(samples), NO_DROPOUT, 0, 0).unwrap();
    let mut double = double(weights);
    let loss = plain_loss(&double, architecture, objective, samples);
    assert!((result.loss / result.targets as f64 - loss).abs() < 1e-6, "{what}: {} {loss}", result.loss);
    for (parameter, (name, _)) in architecture.shapes().iter().enumerate() {
        for index in (parameter % 3..double[name].len()).step_by(stride) {
            let kept = double[name][index];
            let mut at = |value: f64| {
                double.get_mut(name).unwrap()[index] = value;
                plain_loss(&double, architecture, objective, samples)
            };
            let difference = (at(kept + 1e-5) - at(kept - 1e-5)) / 2e-5;
            at(kept);
            let gradient = f64::from(dense(&result, architecture, parameter)[index]);
            assert!((gradient - difference).abs() < 1e-6, "{what} {name}[{index}]: {gradient}, expected {difference}");
        }
    }
}

#[test]
fn gradients_of_all_parameters_agree_with_finite_differences() {
    for recurrent in [vec![Recurrent::default()], networks()].concat() {
        let (architecture, weights, list) = small(recurrent);
        // All values of the default network, some of each parameter of the others.
        let stride = if recurrent == Recurrent::default() { 1 } else { 11 };
        check_gradients(&architecture, &weights, &smoothed(3), &list, stride);
    }
}

#[test]
fn gradients_of_every_head_agree_with_finite_differences() {
    let weighted =
        |weights: &[f64]| Objective::Classes(Classes { weights: weights.to_vec(), ..Classes::plain(0, SMOOTHING) });
    for (hidden, outputs, objective) in
        [(4, 3, weighted(&[0.5, 1.0, 1.5])), (0, 1, weighted(&[1.0, 1.0])), (4, 1, weighted(&[0.25, 1.75]))]
    {
        for pooling in [Pooling::Last, Pooling::MeanMax] {
            let recurrent = Recurrent { pooling, ..Recurrent::default() };
            let (architecture, weights, list) = small_with(recurrent, Head { hidden, outputs });
            check_gradients(&architecture, &weights, &objective, &list, 1);
        }
    }
}

/// The network of [`small_with`] with an n-gram branch beside its recurrent layers, or alone if there are none.
pub fn small_with_ngrams(recurrent: Recurrent, head: Head) -> (Architecture, Weights, Vec<Sample>) {
    let (plain, _, mut samples) = small_with(Recurrent { num_layers: 1, ..recurrent }, head);
    let architecture = Architecture { recurrent, ngrams: Some(NgramTable { buckets: 16, rank: 4, bits: 4 }), ..plain };
    let weights = reference::weights(&architecture);
    for (sample, count) in samples.iter_mut().zip([7, 0, 3, 12, 1, 5]) {
        sample.ngrams = (0..count).map(|index| (index * index + count) % 11).collect();
    }
    (architecture, weights, samples)
}

/// Recurrent layers beside which the n-gram branch is tested, the last one without any.
pub fn beside_ngrams() -> [Recurrent; 3] {
    let bidirectional = Recurrent { bidirectional: true, pooling: Pooling::MeanMax, ..Recurrent::default() };
    [Recurrent::default(), bidirectional, Recurrent { num_layers: 0, ..Recurrent::default() }]
}

#[test]
fn gradients_of_networks_with_an_ngram_branch_agree_with_finite_differences() {
    for recurrent in beside_ngrams() {
        for head in [Head { hidden: 0, outputs: 3 }, Head { hidden: 4, outputs: 1 }] {
            let (architecture, weights, samples) = small_with_ngrams(recurrent, head);
            let objective = smoothed(head.outputs.max(2));
            check_gradients(&architecture, &weights, &objective, &samples, 1);
        }
    }
}

#[test]
fn ngram_table_is_rounded_in_the_forward_pass_and_its_gradients_are_those_of_the_rounded_one() {
    let (architecture, mut weights, samples) = small_with_ngrams(Recurrent::default(), Head { hidden: 0, outputs: 3 });
    let grid = Grid::new(0.125, 4);
    let objective = smoothed(3);
    let graph = |grid| Graph {
        architecture: &architecture,
        objective: &objective,
        dropout: NO_DROPOUT,
        grid,
        branch_loss: 0.0,
        seed: 0,
        shards: 4,
        group: &OneProcess,
        device: &candle_core::Device::Cpu,
    };
    let rounding = graph(Some(grid)).gradients(&weights, &refs(&samples), 0).unwrap();
    weights.get_mut(names::NGRAMS).data.iter_mut().for_each(|value| *value = grid.round(*value));
    let rounded = graph(None).gradients(&weights, &refs(&samples), 0).unwrap();
    assert_eq!((rounding.loss, rounding.gradients), (rounded.loss, rounded.gradients));
}

#[test]
fn branch_losses_are_those_of_the_branches_alone() {
    let (architecture, weights, samples) = small_with_ngrams(Recurrent::default(), Head { hidden: 0, outputs: 3 });
    let objective = smoothed(3);
    let gradients = |architecture: &Architecture, weights: &Weights, branch_loss| {
        let device = &candle_core::Device::Cpu;
        let graph = Graph {
            architecture,
            objective: &objective,
            dropout: NO_DROPOUT,
            grid: None,
            branch_loss,
            seed: 0,
            shards: 4,
            group: &OneProcess,
            device,
        };
        let result = graph.gradients(weights, &refs(&samples), 0).unwrap();
        let names = architecture.shapes().into_iter().enumerate();
        let of_parameters = names.map(|(index, (name, _))| (name, dense(&result, architecture, index)));
        (result.loss, of_parameters.collect::<BTreeMap<_, _>>())
    };
    let recurrent = Architecture { ngrams: None, ..architecture };
    let ngrams = Architecture { recurrent: Recurrent { num_layers: 0, ..architecture.recurrent }, ..architecture };
    let width = architecture.head_width();
    let columns = [0..recurrent.head_width(), recurrent.head_width()..width];
    let (loss, both) = gradients(&architecture, &weights, 0.0);
    let mut expected: BTreeMap<String, Vec<f32>> =
        both.into_iter().map(|(name, values)| (name, values.iter().map(|value| 0.75 * value).collect())).collect();
    for (branch, columns) in [recurrent, ngrams].iter().zip(columns) {
        let mut alone = weights.clone();
        let head = alone.get_mut(names::FC_WEIGHT);
        head.data = head.data.chunks(width).flat_map(|row| &row[columns.clone()]).copied().collect();
        head.shape[1] = columns.len();
        for (name, values) in gradients(branch, &alone, 0.0).1 {
            let total = expected.get_mut(&name).unwrap();
            for (index, value) in values.iter().enumerate() {
                let index = match name.as_str() {
                    names::FC_WEIGHT => index / columns.len() * width + columns.start + index % columns.len(),
                    _ => index,
                };
                total[index] += 0.25 * value;
            }
        }
    }
    let (found_loss, found) = gradients(&architecture, &weights, 0.25);
    assert_eq!(found_loss, loss);
    for (name, expected) in expected {
        let difference = expected.iter().zip(&found[&name]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference < 1e-6, "{name}: {difference}");
    }
}

#[test]
fn graph_with_an_ngram_branch_learns_the_network_that_inference_runs() {
    for recurrent in beside_ngrams() {
        let (architecture, weights, samples) = small_with_ngrams(recurrent, Head { hidden: 0, outputs: 3 });
        let objective = Objective::Classes(Classes::plain(3, 0.0));
        let network = Network::new(&weights, &architecture);
        for sample in &samples {
            let Target::Class(label) = sample.target else { panic!("a class") };
            let logits = network.outputs(sample.into());
            let targets = objective.targets(&[sample], &PackedLayout::new(&[sample.steps.len()]));
            let expected = objective.loss(&logits, &targets, 1.0).total;
            let found = gradients(&weights, &architecture, &objective, &[sample], NO_DROPOUT, 0, 0).unwrap().loss;
            assert_eq!(found, expected, "{recurrent:?} label {label}");
        }
    }
}

#[test]
fn gradients_of_networks_of_values_agree_with_finite_differences() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::RnnRelu] {
        let recurrent = Recurrent { cell, num_layers: 2, ..Recurrent::default() };
        let (mut architecture, _, _) = small_with(recurrent, Head { hidden: 4, outputs: 2 });
        architecture.input = InputLayer::Values { channels: 3 };
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let weights = initial::weights(&architecture, 0.1, &mut rng);
        let samples: Vec<Sample> = [3, 1, 5]
            .into_iter()
            .map(|steps| {
                let values = (0..steps * 3).map(|_| rng.random_range(-1.0..1.0)).collect();
                let targets = vec![rng.random_range(-1.0..1.0), if steps == 1 { f32::NAN } else { 0.5 }];
                Sample::new(Steps::Values { values, channels: 3 }, Target::Values(targets))
            })
            .collect();
        check_gradients(&architecture, &weights, &Objective::Values, &samples, 3);
    }
}

#[test]
fn gradients_of_every_steps_next_token_agree_with_finite_differences() {
    for (cell, layers, hidden) in [(Cell::Lstm, 1, 0), (Cell::Gru, 2, 4), (Cell::Rnn, 1, 0)] {
        let recurrent = Recurrent { cell, num_layers: layers, ..Recurrent::default() };
        let (architecture, weights, mut samples) = small_with(recurrent, Head { hidden, outputs: 9 });
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for sample in &mut samples {
            let next = |step| if step == 1 { NO_TOKEN } else { rng.random_range(0..9) };
            sample.target = Target::Tokens((0..sample.steps.len()).map(next).collect());
        }
        check_gradients(&architecture, &weights, &Objective::NextToken, &samples, 3);
    }
}

#[test]
fn a_batch_is_the_mean_of_its_texts() {
    for recurrent in networks() {
        let (architecture, weights, list) = small(recurrent);
        let of =
            |samples: &[&Sample]| gradients(&weights, &architecture, &smoothed(3), samples, NO_DROPOUT, 0, 0).unwrap();
        let together = of(&refs(&list));
        let alone: Vec<_> = list.iter().map(|sample| of(&[sample])).collect();
        for (parameter, (name, _)) in architecture.shapes().iter().enumerate() {
            for (index, &gradient) in together.gradients[parameter].iter().enumerate() {
                let mean = alone.iter().map(|one| one.gradients[parameter][index]).sum::<f32>() / list.len() as f32;
                assert!((gradient - mean).abs() < 1e-6, "{recurrent:?} {name}[{index}]: {gradient}, expected {mean}");
            }
        }
    }
}

#[test]
fn the_graph_learns_the_network_that_inference_runs() {
    for recurrent in networks() {
        for head in [Head { hidden: 0, outputs: 3 }, Head { hidden: 4, outputs: 1 }] {
            let (architecture, weights, list) = small_with(recurrent, head);
            let objective = Objective::Classes(Classes::plain(head.outputs.max(2), 0.0));
            let network = Network::new(&weights, &architecture);
            for sample in &list {
                let Target::Class(label) = sample.target else { panic!("a class") };
                let logits = class_logits(&network.logits(sample.steps.tokens()));
                let expected = -log_softmax(logits.iter().map(|&logit| f64::from(logit)))[label];
                let loss = gradients(&weights, &architecture, &objective, &[sample], NO_DROPOUT, 0, 0).unwrap().loss;
                assert!((loss - expected).abs() < 1e-6, "{recurrent:?}: {loss} {expected}");
            }
        }
    }
}
