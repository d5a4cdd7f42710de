//! Compares the gradients of whole networks on a GPU with those on the CPU. Needs the feature `cuda` or `metal`.

#![cfg(any(feature = "cuda", feature = "metal"))]

use candle_core::Device;
use tern_nn::architecture::{Architecture, Cell, Head, Pooling, Recurrent, Sizes};
use tern_nn::gpu::machine::open_cuda;
use tern_nn::graph::{Dropout, Graph};
use tern_nn::objective::{Classes, Objective};
use tern_nn::process_group::OneProcess;
use tern_nn::reference;
use tern_nn::sample::{Sample, Steps, Target};

/// The device under test. Prints the reason and returns `None` if it cannot be opened.
fn device() -> Option<Device> {
    let opened = if cfg!(feature = "cuda") { open_cuda(0) } else { Device::new_metal(0) };
    opened.inspect_err(|error| eprintln!("skipped: no device: {error}")).ok()
}

fn samples() -> Vec<Sample> {
    let lengths = [9, 1, 30, 4, 0, 17];
    let ids = |length: u32, seed: u32| (0..length).map(|step| 1 + (step * 7 + seed * 5) % 11).collect();
    let texts = lengths.iter().zip(0..).map(|(&length, seed)| (Steps::Tokens(ids(length, seed)), seed as usize % 3));
    texts.map(|(steps, label)| Sample::new(steps, Target::Class(label))).collect()
}

#[test]
fn a_devices_gradients_agree_with_the_cpus() {
    let Some(device) = device() else { return };
    let dropout =
        Dropout { dropout: 0.0, layer_dropout: 0.0, embedding_dropout: 0.0, word_dropout: 0.0, ngram_dropout: 0.0 };
    let objective = Objective::Classes(Classes::plain(3, 0.1));
    let samples = samples();
    let samples: Vec<&Sample> = samples.iter().collect();
    for &cell in Cell::ALL {
        for (num_layers, bidirectional, pooling) in
            [(1, false, Pooling::Last), (2, true, Pooling::MeanMax), (1, true, Pooling::Max), (2, false, Pooling::Mean)]
        {
            let recurrent = Recurrent { cell, num_layers, bidirectional, pooling, ..Recurrent::default() };
            let sizes = Sizes { vocab_size: 12, embedding_dim: 5, hidden_size: 7, labels: 3 };
            let head = Head { hidden: 4, outputs: 3 };
            let architecture = Architecture { head, ..Architecture::of_tokens(sizes, recurrent) };
            let weights = reference::weights(&architecture);
            let on = |device: &Device| {
                let (architecture, objective) = (&architecture, &objective);
                let graph = Graph {
                    architecture,
                    objective,
                    dropout,
                    grid: None,
                    branch_loss: 0.0,
                    seed: 1,
                    shards: 4,
                    group: &OneProcess,
                    device,
                };
                graph.gradients(&weights, &samples, 0).unwrap()
            };
            let (cpu, other) = (on(&Device::Cpu), on(&device));
            assert!((cpu.loss - other.loss).abs() < 1e-4, "{recurrent:?}: {} {}", cpu.loss, other.loss);
            for (cpu, other) in cpu.gradients.iter().flatten().zip(other.gradients.iter().flatten()) {
                assert!((cpu - other).abs() < 1e-5, "{recurrent:?}: {other}, expected {cpu}");
            }
        }
    }
}
