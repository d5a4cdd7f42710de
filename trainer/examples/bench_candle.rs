//! A worker of `cargo xtask bench train`, which compares the speed of trainings: trains with the recurrent layers of
//! candle-nn, step by step on padded batches.
//!
//! It takes the same recipe as `bench_step`, the worker that measures Tern. It prints `ready` after a first batch. For
//! every line on stdin it then trains on all texts once, in the order of the data, and prints
//! `{"seconds": …, "tokens": …}`.

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use candle_nn::rnn::{GRU, GRUConfig, LSTM, LSTMConfig, RNN};
use candle_nn::{AdamW, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use tern_trainer::denormals::Flush;
use tern_trainer::recipe::{Cell, Recipe};
use tern_trainer::train::{self, Problem, Sample, Target};

fn main() -> Result<()> {
    let path = std::env::args_os().nth(1).context("expected a recipe on the command line")?;
    let mut recipe = Recipe::read(Path::new(&path))?;
    let data = train::prepare(&mut recipe)?;
    let problem = Problem::of_texts(&recipe, &data);
    let (batch_size, model) = (recipe.training.batch_size, &recipe.model);
    let variables = VarMap::new();
    let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let embedding = candle_nn::embedding(data.vocabulary.len(), model.embedding_dim(), builder.pp("embedding"))?;
    let layer = Layer::new(model.cell, model.embedding_dim(), model.hidden_size(), builder.pp("rnn"))?;
    let fc = candle_nn::linear(model.hidden_size(), data.labels.len(), builder.pp("fc"))?;
    let parameters = ParamsAdamW { lr: recipe.training.learning_rate, weight_decay: 0.0, ..Default::default() };
    let mut optimizer = AdamW::new(variables.all_vars(), parameters)?;
    // Trains on a batch. Returns its number of tokens without padding.
    let mut train_on = |batch: &[Sample]| -> Result<usize> {
        let (ids, labels) = padded(batch)?;
        let last = layer.last(&embedding.forward(&ids)?)?;
        let loss = candle_nn::loss::cross_entropy(&fc.forward(&last)?, &labels)?;
        optimizer.backward_step(&loss)?;
        Ok(batch.iter().map(|sample| sample.steps.len()).sum())
    };
    // Denormal numbers would slow the arithmetic down; the other workers flush them to zero, too.
    let _flush = Flush::denormals();
    train_on(&problem.train[..batch_size.min(problem.train.len())])?;
    println!("ready");
    std::io::stdout().flush()?;
    for line in std::io::stdin().lines() {
        line?;
        let start = Instant::now();
        let mut tokens = 0;
        for batch in problem.train.chunks(batch_size) {
            tokens += train_on(batch)?;
        }
        println!("{}", serde_json::json!({ "seconds": start.elapsed().as_secs_f64(), "tokens": tokens }));
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// The recurrent layer.
enum Layer {
    Lstm(LSTM),
    Gru(GRU),
}

impl Layer {
    /// A layer with random weights. Fails for plain cells, which candle-nn does not have.
    fn new(cell: Cell, inputs: usize, hidden: usize, builder: VarBuilder<'_>) -> Result<Self> {
        Ok(match cell {
            Cell::Lstm => Layer::Lstm(candle_nn::lstm(inputs, hidden, LSTMConfig::default(), builder)?),
            Cell::Gru => Layer::Gru(candle_nn::gru(inputs, hidden, GRUConfig::default(), builder)?),
            Cell::Rnn | Cell::RnnRelu => {
                bail!("candle-nn has no layer for the cell {}; expected lstm or gru", cell.name())
            }
        })
    }

    /// Returns the hidden states after the last step, `[texts, hidden]`. `x`: `[texts, steps, inputs]`.
    fn last(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Layer::Lstm(layer) => layer.seq(x)?.pop().context("no step")?.h().clone(),
            Layer::Gru(layer) => layer.seq(x)?.pop().context("no step")?.h,
        })
    }
}

/// Returns the token ids, `[texts, steps]`, padded in front with 0 (PAD) so that each text ends at the last step, and
/// the labels, `[texts]`. The number of steps is that of the longest text, which must have a token.
fn padded(samples: &[Sample]) -> Result<(Tensor, Tensor)> {
    let steps = samples.iter().map(|sample| sample.steps.len()).max().unwrap_or(0);
    let mut ids = vec![0u32; samples.len() * steps];
    let mut labels = Vec::new();
    for (row, sample) in ids.chunks_exact_mut(steps).zip(samples) {
        let tokens = sample.steps.tokens();
        row[steps - tokens.len()..].copy_from_slice(tokens);
        match sample.target {
            Target::Class(label) => labels.push(label as u32),
            _ => bail!("expected labelled texts"),
        }
    }
    let labels = Tensor::new(labels, &Device::Cpu)?;
    Ok((Tensor::from_vec(ids, (samples.len(), steps), &Device::Cpu)?, labels))
}
