//! What the float model meets on training texts: means, by which biases make up for rounded weights, and ranges.

use crate::data::Example;
use crate::float_model::FloatModel;
use crate::weights::names;

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
    /// Mean of the hidden state that a step reads: `[hidden_size]`.
    pub mean_h: Vec<f64>,
    /// Mean of the last hidden state: `[hidden_size]`.
    pub mean_last_h: Vec<f64>,
    /// Largest |pre-activation|.
    pub largest_z: f64,
    /// Largest |cell state|.
    pub largest_c: f64,
}

/// Runs the float model over `examples`, in order, until enough tokens are read.
pub fn calibrate(model: &FloatModel, examples: &[Example]) -> Statistics {
    let hidden_size = model.config().hidden_size;
    let zero = vec![0.0; hidden_size];
    let mut all = Statistics {
        texts: 0,
        tokens: 0,
        counts: vec![0.0; model.config().vocab_size],
        mean_h: zero.clone(),
        mean_last_h: zero,
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
    all.mean_h.iter_mut().for_each(|h| *h /= tokens);
    all.mean_last_h.iter_mut().for_each(|h| *h /= texts);
    all
}

impl Statistics {
    fn add(&mut self, model: &FloatModel, ids: &[u32]) {
        let hidden_size = model.config().hidden_size;
        let states = model.network().hidden_states(ids);
        let mut h = vec![0f32; hidden_size];
        let mut c = vec![0f64; hidden_size];
        for (&id, next_h) in ids.iter().zip(states.chunks_exact(hidden_size)) {
            self.counts[id as usize] += 1.0;
            self.mean_h.iter_mut().zip(&h).for_each(|(sum, &h)| *sum += f64::from(h));
            let z = pre_activations(model, id, &h);
            self.largest_z = z.iter().fold(self.largest_z, |max, z| max.max(z.abs()));
            for (u, c) in c.iter_mut().enumerate() {
                let [i, f, g] = [0, 1, 2].map(|gate| z[gate * hidden_size + u]);
                *c = sigmoid(f) * *c + sigmoid(i) * g.tanh();
                self.largest_c = self.largest_c.max(c.abs());
            }
            h.copy_from_slice(next_h);
        }
        self.mean_last_h.iter_mut().zip(&h).for_each(|(sum, &h)| *sum += f64::from(h));
        self.texts += 1;
        self.tokens += ids.len();
    }
}

/// The gates' sums for a token after the hidden state `h`: `[4 · hidden_size]`, gates i, f, g, o.
fn pre_activations(model: &FloatModel, id: u32, h: &[f32]) -> Vec<f64> {
    let weights = model.weights();
    let dim = model.config().embedding_dim;
    let x = &weights[names::EMBEDDING].data[id as usize * dim..][..dim];
    let dot = |row: &[f32], v: &[f32]| row.iter().zip(v).map(|(&w, &v)| f64::from(w) * f64::from(v)).sum::<f64>();
    let biases = weights[names::B_IH].data.iter().zip(&weights[names::B_HH].data);
    let rows = weights[names::W_IH].data.chunks_exact(dim).zip(weights[names::W_HH].data.chunks_exact(h.len()));
    let sums = rows.zip(biases).map(|((ih, hh), (&b, &c))| dot(ih, x) + dot(hh, h) + f64::from(b) + f64::from(c));
    sums.collect()
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}
