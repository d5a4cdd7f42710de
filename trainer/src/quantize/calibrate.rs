//! What the float model meets on training texts: means, by which biases make up for rounded weights, and ranges.

use crate::architecture::{Cell, LayerNames};
use crate::data::Example;
use crate::float_model::FloatModel;
use crate::nn::network::{Input, Trace};
use crate::nn::packed::Direction;
use crate::nn::recurrent::Biases;

/// Texts are read until they have this many tokens.
const TOKENS: usize = 20_000;

/// Figures of the float model over calibration texts.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// Texts read.
    pub texts: usize,
    /// Tokens read.
    pub tokens: usize,
    /// How often each token was read, by desktop id: `[vocab_size]`.
    pub counts: Vec<f64>,
    /// `[layer][direction]`
    pub layers: Vec<Vec<LayerStatistics>>,
    /// Mean of what the head reads: `[head_width]`.
    pub mean_read: Vec<f64>,
    /// Mean of the activations of the head's hidden layer: `[head_hidden]`.
    pub mean_hidden: Vec<f64>,
    /// The largest of them.
    pub largest_hidden: f64,
    /// Largest |pre-activation|.
    pub largest_z: f64,
    /// Largest |cell state| of LSTM.
    pub largest_c: f64,
}

/// Figures of one direction of a layer.
#[derive(Clone, Debug)]
pub struct LayerStatistics {
    /// Mean of what a step reads: `[inputs]`.
    pub mean_x: Vec<f64>,
    /// Mean of the hidden state that a step reads: `[hidden_size]`.
    pub mean_h: Vec<f64>,
    /// Largest |hidden state|.
    pub largest_h: f64,
}

/// Runs the float model over `examples`, in order, until enough tokens are read.
pub fn calibrate(model: &FloatModel, examples: &[Example]) -> Statistics {
    let (config, recurrent) = (model.config(), model.config().recurrent());
    let hidden_size = config.hidden_size;
    let directions = recurrent.directions().len();
    let layers = (0..recurrent.layers).map(|layer| {
        let inputs = if layer == 0 { config.embedding_dim } else { directions * hidden_size };
        vec![LayerStatistics { mean_x: vec![0.0; inputs], mean_h: vec![0.0; hidden_size], largest_h: 0.0 }; directions]
    });
    let mut all = Statistics {
        texts: 0,
        tokens: 0,
        counts: vec![0.0; config.vocab_size],
        layers: layers.collect(),
        mean_read: vec![0.0; recurrent.head_width(hidden_size)],
        mean_hidden: vec![0.0; config.head_hidden],
        largest_hidden: 0.0,
        largest_z: 0.0,
        largest_c: 0.0,
    };
    for example in examples {
        if all.tokens >= TOKENS {
            break;
        }
        all.add(model, &model.vocabulary().encode(&example.text));
    }
    let (tokens, texts) = (all.tokens.max(1) as f64, all.texts.max(1) as f64);
    for layer in all.layers.iter_mut().flatten() {
        layer.mean_x.iter_mut().chain(&mut layer.mean_h).for_each(|mean| *mean /= tokens);
    }
    all.mean_read.iter_mut().chain(&mut all.mean_hidden).for_each(|mean| *mean /= texts);
    all
}

fn add(sums: &mut [f64], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, &v)| *sum += f64::from(v));
}

impl Statistics {
    fn add(&mut self, model: &FloatModel, ids: &[u32]) {
        let recurrent = model.config().recurrent();
        let Trace { inputs, states, read, hidden } = model.network().trace(Input::Tokens(ids));
        ids.iter().for_each(|&id| self.counts[id as usize] += 1.0);
        for (layer, (inputs, states)) in inputs.iter().zip(&states).enumerate() {
            for (way, (states, &direction)) in states.iter().zip(recurrent.directions()).enumerate() {
                let names = recurrent.names(layer, direction);
                self.add_layer(model, (layer, way), &names, direction, inputs, states);
            }
        }
        add(&mut self.mean_read, &read);
        add(&mut self.mean_hidden, &hidden);
        self.largest_hidden = hidden.iter().fold(self.largest_hidden, |max, &v| max.max(v.into()));
        self.texts += 1;
        self.tokens += ids.len();
    }

    /// One direction of a layer over a text. inputs: `[tokens, inputs]`; states: `[tokens, hidden_size]`.
    fn add_layer(
        &mut self,
        model: &FloatModel,
        (layer, way): (usize, usize),
        names: &LayerNames,
        direction: Direction,
        inputs: &[f32],
        states: &[f32],
    ) {
        let (weights, cell) = (model.weights(), model.config().cell);
        let statistics = &mut self.layers[layer][way];
        let (width, hidden_size) = (statistics.mean_x.len(), statistics.mean_h.len());
        let biases = Biases::new(cell, &weights[&names.b_ih].data, &weights[&names.b_hh].data);
        let mut h = vec![0f32; hidden_size];
        let mut c = vec![0f64; hidden_size];
        let tokens = states.len() / hidden_size;
        for step in 0..tokens {
            let at = if direction == Direction::Reverse { tokens - 1 - step } else { step };
            let x = &inputs[at * width..][..width];
            add(&mut statistics.mean_x, x);
            add(&mut statistics.mean_h, &h);
            let rows =
                weights[&names.w_ih].data.chunks_exact(width).zip(weights[&names.w_hh].data.chunks_exact(hidden_size));
            let dot =
                |row: &[f32], v: &[f32]| row.iter().zip(v).map(|(&w, &v)| f64::from(w) * f64::from(v)).sum::<f64>();
            let sums = rows.zip(&biases.sums).map(|((ih, hh), &bias)| dot(ih, x) + dot(hh, &h) + f64::from(bias));
            let z: Vec<f64> = sums.collect();
            self.largest_z = z.iter().fold(self.largest_z, |max, z| max.max(z.abs()));
            if cell == Cell::Lstm {
                for (u, c) in c.iter_mut().enumerate() {
                    let [i, f, g] = [0, 1, 2].map(|gate| z[gate * hidden_size + u]);
                    *c = sigmoid(f) * *c + sigmoid(i) * g.tanh();
                    self.largest_c = self.largest_c.max(c.abs());
                }
            }
            h.copy_from_slice(&states[at * hidden_size..][..hidden_size]);
            statistics.largest_h = h.iter().fold(statistics.largest_h, |max, &h| max.max(h.abs().into()));
        }
    }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}
