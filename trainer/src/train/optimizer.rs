//! AdamW with clipping and a running average of the weights.

use crate::weights::Weights;
use pulp::{Arch, NullaryFnOnce};

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// The settings that hold for the whole training.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Decay of weight matrices, per step and learning rate.
    pub weight_decay: f32,
    /// The greatest norm of all gradients together.
    pub clip_norm: f64,
    /// Decay of the running average per step; 0: none.
    pub averaging: f64,
}

/// The weights under way and the optimizer's memory of them.
#[derive(Debug)]
pub struct AdamW {
    settings: Settings,
    parameters: Vec<Parameter>,
    steps: i32,
}

#[derive(Debug)]
struct Parameter {
    name: String,
    decays: bool,
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl AdamW {
    /// An optimizer of the parameters `names`.
    pub fn new<S: AsRef<str>>(names: &[S], weights: &Weights, settings: Settings) -> Self {
        let parameters = names
            .iter()
            .map(|name| {
                let name = name.as_ref();
                let zeros = vec![0.0; weights[name].data.len()];
                // Biases do not grow with the size of the input: there is nothing to hold down.
                let decays = weights[name].shape.len() > 1;
                Parameter { name: name.to_owned(), decays, mean: zeros.clone(), square: zeros }
            })
            .collect();
        AdamW { settings, parameters, steps: 0 }
    }

    /// Takes a step against `gradients`, one for each parameter, and moves `average` towards the new weights.
    ///
    /// Returns the norm of the gradients before clipping.
    pub fn step(&mut self, weights: &mut Weights, average: &mut Weights, gradients: &[Vec<f32>], rate: f64) -> f64 {
        let norm = gradients.iter().map(|gradient| square_norm(gradient)).sum::<f64>().sqrt();
        let clip = if norm > self.settings.clip_norm { self.settings.clip_norm / norm } else { 1.0 };
        self.steps += 1;
        let correction_1 = 1.0 - f64::from(BETA_1).powi(self.steps);
        let correction_2 = 1.0 - f64::from(BETA_2).powi(self.steps);
        // Early on the average follows closely: it must not remember the random beginning.
        let steps = f64::from(self.steps);
        let kept = self.settings.averaging.min((steps - 1.0) / (steps + 9.0));
        for (parameter, gradient) in self.parameters.iter_mut().zip(gradients) {
            let decay = if parameter.decays { rate as f32 * self.settings.weight_decay } else { 0.0 };
            Arch::new().dispatch(Update {
                weights: &mut weights.get_mut(&parameter.name).data,
                average: &mut average.get_mut(&parameter.name).data,
                gradient,
                mean: &mut parameter.mean,
                square: &mut parameter.square,
                clip: clip as f32,
                rate: (rate / correction_1) as f32,
                scale: (1.0 / correction_2.sqrt()) as f32,
                shrink: 1.0 - decay,
                kept: kept as f32,
            });
        }
        norm
    }
}

struct Update<'a> {
    weights: &'a mut [f32],
    average: &'a mut [f32],
    gradient: &'a [f32],
    mean: &'a mut [f32],
    square: &'a mut [f32],
    clip: f32,
    rate: f32,
    scale: f32,
    shrink: f32,
    kept: f32,
}

impl NullaryFnOnce for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let n = self.weights.len();
        let (weights, average) = (&mut self.weights[..n], &mut self.average[..n]);
        let (gradient, mean, square) = (&self.gradient[..n], &mut self.mean[..n], &mut self.square[..n]);
        for i in 0..n {
            let g = gradient[i] * self.clip;
            mean[i] = BETA_1 * mean[i] + (1.0 - BETA_1) * g;
            square[i] = BETA_2 * square[i] + (1.0 - BETA_2) * g * g;
            let step = self.rate * mean[i] / (square[i].sqrt() * self.scale + EPSILON);
            weights[i] = weights[i] * self.shrink - step;
            average[i] = self.kept * average[i] + (1.0 - self.kept) * weights[i];
        }
    }
}

/// Sum of squares, in eight chains so that they overlap.
fn square_norm(values: &[f32]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*value) * f64::from(*value);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Array;

    fn one(name: &'static str, shape: Vec<usize>, value: f32) -> Weights {
        let mut weights = Weights::default();
        weights.insert(name, Array { data: vec![value; shape.iter().product()], shape });
        weights
    }

    fn settings() -> Settings {
        Settings { weight_decay: 0.1, clip_norm: 100.0, averaging: 0.5 }
    }

    #[test]
    fn the_first_step_is_as_long_as_the_rate() {
        // m / (√v + ε) is ±1 after the bias corrections, whatever the gradient; the decay comes on top.
        let mut weights = one("w", vec![1, 2], 1.0);
        let mut average = weights.clone();
        let mut adam = AdamW::new(&["w"], &weights, settings());
        let norm = adam.step(&mut weights, &mut average, &[vec![3.0, -4.0]], 0.01);
        assert_eq!(norm, 5.0);
        let w = &weights["w"].data;
        assert!((w[0] - (1.0 - 0.001 - 0.01)).abs() < 1e-6 && (w[1] - (1.0 - 0.001 + 0.01)).abs() < 1e-6, "{w:?}");
        assert_eq!(average["w"].data, *w);
    }

    #[test]
    fn biases_do_not_decay() {
        let mut weights = one("b", vec![1], 1.0);
        let mut average = weights.clone();
        AdamW::new(&["b"], &weights, settings()).step(&mut weights, &mut average, &[vec![0.0]], 0.5);
        assert_eq!(weights["b"].data, [1.0]);
    }

    #[test]
    fn finds_the_bottom_of_a_bowl() {
        let mut weights = one("b", vec![1], 5.0);
        let mut average = weights.clone();
        let mut adam = AdamW::new(&["b"], &weights, settings());
        for _ in 0..2000 {
            let gradient = 2.0 * (weights["b"].data[0] - 3.0);
            adam.step(&mut weights, &mut average, &[vec![gradient]], 0.05);
        }
        assert!((average["b"].data[0] - 3.0).abs() < 1e-2);
    }
}
