//! [`FloatModel`] as a [`Model`], and the random draw of the next token when it generates text.

use super::{Model, Reader, Sampling, TraceStep, is_known};
use crate::float_model::{Config, FloatModel};
use crate::logits::{Logits, class_logits};
use crate::nn::network::Input;
use crate::nn::stream::State;
use crate::train::{Guess, guesses};
use crate::vocabulary::{PAD, Spellings, UNK, Vocabulary};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tern_format::Task;

impl Model for FloatModel {
    fn config(&self) -> &Config {
        self.config()
    }

    fn vocabulary(&self) -> &Vocabulary {
        self.vocabulary()
    }

    fn outputs(&self, input: Input<'_>) -> Logits {
        let outputs = self.network().outputs(input);
        // A classifier with a single output (sigmoid) still has a logit for each of its two labels.
        Logits::Float(if self.config().task == Task::Classify { class_logits(&outputs) } else { outputs })
    }

    fn trace(&self, text: &str) -> Vec<TraceStep> {
        let ids = self.vocabulary().encode(text);
        let mut spellings = Spellings::new(self.vocabulary().tokenizer(), text);
        // The buckets of all n-grams, and for each word the number of n-grams up to its end.
        let ngrams = self.config().ngrams().map(|ngrams| ngrams.buckets_by_word(text));
        // Without an n-gram branch, one run of the network gives the outputs after each token; with one, the network
        // runs below for each prefix of the text.
        let outputs_after_each = if ngrams.is_some() { Vec::new() } else { self.network().logits_after_each(&ids) };
        let step = |(index, &id): (usize, &u32)| {
            let known_token = if id == UNK { None } else { Some(self.vocabulary().tokens()[id as usize].as_str()) };
            let token = spellings.next(known_token);
            let outputs = match &ngrams {
                None => outputs_after_each[index].clone(),
                // A prefix has the n-grams up to the end of its last token's word.
                Some((buckets, ngrams_up_to_word)) => {
                    let word = spellings.words_begun() - 1;
                    let end = ngrams_up_to_word[word];
                    self.network().outputs(Input::Text { ids: &ids[..=index], ngrams: &buckets[..end] })
                }
            };
            // Only classifiers are traced, so the outputs are those of classes.
            let logits = Logits::Float(class_logits(&outputs));
            TraceStep { token, known: is_known(self.config(), id), logits }
        };
        ids.iter().enumerate().map(step).collect()
    }

    fn with_reader(&self, run: &mut dyn FnMut(&mut dyn Reader)) {
        run(&mut FloatReader::new(self));
    }

    fn generate(&self, prompt: &[u32], sampling: Sampling, sink: &mut dyn FnMut(u32) -> bool) {
        let mut reader = FloatReader::new(self);
        let mut rng = ChaCha8Rng::seed_from_u64(sampling.seed);
        // The network is trained to predict only after a token, so an empty prompt is read as one UNK.
        let prompt = if prompt.is_empty() { &[UNK] } else { prompt };
        prompt.iter().for_each(|&id| reader.read(id));
        loop {
            let id = draw(&reader.logits(), sampling, &mut rng);
            reader.read(id);
            if !sink(id) {
                break;
            }
        }
    }

    fn guesses(&self, ids: &[u32]) -> Vec<Guess> {
        guesses(self.network(), ids)
    }
}

/// A [`FloatModel`] as a [`Reader`].
struct FloatReader<'m> {
    model: &'m FloatModel,
    state: State,
    /// The hidden state of the last layer after the last token, `[hidden_size]`; zeros before the first token.
    hidden: Vec<f32>,
}

impl<'m> FloatReader<'m> {
    /// Creates a reader at the beginning of a text.
    fn new(model: &'m FloatModel) -> Self {
        let hidden = vec![0.0; model.config().hidden_size];
        let text_count = 1;
        FloatReader { model, state: model.network().initial_state(text_count), hidden }
    }
}

impl Reader for FloatReader<'_> {
    fn read(&mut self, id: u32) {
        self.hidden = self.model.network().step(&mut self.state, &[id]).to_vec();
    }

    fn logits(&mut self) -> Vec<f32> {
        self.model.network().outputs_of_states(&self.hidden)
    }
}

/// Draws a token from the softmax of `logits`, `[vocab_size]`, with the temperature and the `top_k` of `sampling`, and
/// returns its id. PAD and UNK are never drawn.
fn draw(logits: &[f32], sampling: Sampling, rng: &mut ChaCha8Rng) -> u32 {
    let ranked = ranked_tokens(logits);
    if sampling.temperature == 0.0 {
        return ranked[0].0;
    }
    let count = if sampling.top_k == 0 { ranked.len() } else { sampling.top_k.min(ranked.len()) };
    let highest = f64::from(ranked[0].1);
    let weight = |&(_, logit): &(u32, f32)| ((f64::from(logit) - highest) / sampling.temperature).exp();
    let weights: Vec<f64> = ranked[..count].iter().map(weight).collect();
    // The weights are the lengths of adjacent intervals: the token whose interval contains a random point is drawn.
    let mut point = rng.random::<f64>() * weights.iter().sum::<f64>();
    for (weight, (id, _)) in weights.iter().zip(&ranked) {
        point -= weight;
        if point < 0.0 {
            return *id;
        }
    }
    // Rounding may leave the point beyond the last interval; the most probable token is drawn then.
    ranked[0].0
}

/// Returns the ids of all tokens except PAD and UNK with their logits, the most probable first. Tokens with equal
/// logits are in the order of their ids. `logits`: `[vocab_size]`.
pub fn ranked_tokens(logits: &[f32]) -> Vec<(u32, f32)> {
    let with_ids = (0..).zip(logits.iter().copied());
    let mut ranked: Vec<(u32, f32)> = with_ids.filter(|(id, _)| ![PAD, UNK].contains(id)).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{Head, Recurrent};
    use crate::float_model::tests::model_with;

    #[test]
    fn the_same_seed_generates_the_same_text() {
        let model = model_with(Recurrent::default(), Head { hidden: 0, outputs: 11 });
        let generate = |seed, temperature, top_k| -> Vec<u32> {
            let mut ids = Vec::new();
            model.generate(&[3, 4], Sampling { temperature, top_k, seed }, &mut |id| {
                ids.push(id);
                ids.len() < 60
            });
            ids
        };
        assert_eq!(generate(1, 1.0, 0), generate(1, 1.0, 0));
        assert_ne!(generate(1, 1.0, 0), generate(2, 1.0, 0));
        assert_eq!(generate(1, 0.0, 0), generate(2, 1.0, 1), "temperature 0 and top-k 1 take the most probable token");
        assert!(generate(3, 5.0, 0).iter().all(|id| (2..11).contains(id)));
        let mut distinct = generate(4, 5.0, 3);
        distinct.sort_unstable();
        distinct.dedup();
        assert!(distinct.len() > 1);
    }
}
