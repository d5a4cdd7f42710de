//! [`DeviceFile`], the quantised model, as a [`Model`]: `tern_runtime` computes every output, in the integers of the
//! device.

use super::{Model, Prediction, Reader, Sampling, TraceStep, is_known};
use crate::device_file::{DeviceFile, NATS_PER_UNIT};
use crate::float_model::Config;
use crate::logits::Logits;
use crate::nn::network::Input;
use crate::vocabulary::{Spellings, Vocabulary};
use tern_format::Task;
use tern_runtime::{Ranked, Sampler, Session, TextSession, UNK};

/// Copies the runtime's logits: integers in Q16, with the real value of 1 as their scale.
fn integer_logits(values: tern_runtime::Logits<'_>) -> Logits {
    Logits::Integer { values: values.iter().collect(), scale: NATS_PER_UNIT }
}

/// A session of the runtime as a [`Reader`], which takes device ids.
struct DeviceReader<'s>(TextSession<'s>);

impl Reader for DeviceReader<'_> {
    fn read(&mut self, id: u32) {
        self.0.feed_id(id);
    }

    fn logits(&mut self) -> Vec<f32> {
        self.0.logits().iter().map(|logit| (f64::from(logit) * NATS_PER_UNIT) as f32).collect()
    }
}

impl Model for DeviceFile {
    fn config(&self) -> &Config {
        &self.config
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn classify(&self, text: &str) -> Prediction {
        // A text has no more tokens than bytes.
        self.with_fast_text_session(text.len(), |mut session| {
            let logits = integer_logits(session.classify(text.as_bytes()));
            Prediction { logits, tokens: session.tokens() as usize, unknown: session.unknown() as usize }
        })
    }

    fn trace(&self, text: &str) -> Vec<TraceStep> {
        let mut steps = Vec::new();
        let mut spellings = Spellings::new(self.model().config().tokenizer, text);
        let vocabulary = self.model().vocabulary();
        let mut on_step = |step: tern_runtime::Step<'_>| {
            let token = spellings.next(vocabulary.token(step.id));
            let known = is_known(&self.config, step.id);
            steps.push(TraceStep { token, known, logits: integer_logits(step.logits) });
        };
        // A text has no more tokens than bytes.
        self.with_fast_text_session(text.len(), |mut session| {
            session.feed_with(text.as_bytes(), &mut on_step);
            session.finish_with(&mut on_step);
        });
        steps
    }

    fn outputs(&self, input: Input<'_>) -> Logits {
        let steps = match input {
            Input::Tokens(ids) | Input::Text { ids, .. } => ids.len(),
            Input::Values(values) => values.len() / self.config().channels.len().max(1),
        };
        self.with_fast_session(steps, |mut session| match (input, &mut session) {
            (Input::Tokens(ids) | Input::Text { ids, .. }, Session::Text(session)) => {
                for &id in ids {
                    session.feed_id(id);
                }
                if let Input::Text { ngrams, .. } = input {
                    for &bucket in ngrams {
                        session.feed_ngram(bucket);
                    }
                }
                integer_logits(session.logits())
            }
            (Input::Values(values), Session::Values(session)) => {
                let integers = self.device_integers(values);
                // The last row, from which a forecast begins; empty without a row.
                let mut last_row: &[i32] = &[];
                for row in integers.chunks_exact(self.config().channels.len()) {
                    session.feed(row);
                    last_row = row;
                }
                match self.config().task {
                    Task::Forecast => Logits::Float(self.forecast(session, last_row)),
                    _ => integer_logits(session.logits()),
                }
            }
            _ => panic!("the input is not of the kind that the model reads"),
        })
    }

    fn with_reader(&self, run: &mut dyn FnMut(&mut dyn Reader)) {
        assert!(!self.config().bidirectional, "a bidirectional model reads whole texts only");
        self.with_fast_text_session(1, |session| run(&mut DeviceReader(session)));
    }

    /// Draws with the random numbers of the runtime's [`Sampler`], so that the text differs from that of the float
    /// model with the same seed.
    fn generate(&self, prompt: &[u32], sampling: Sampling, sink: &mut dyn FnMut(u32) -> bool) {
        // The sampler takes the temperature as an integer, of which `ONE` stands for 1. A cast of a float saturates.
        let mut temperature = (sampling.temperature * f64::from(Sampler::ONE)).round() as u32;
        // A temperature above 0 must not be rounded to 0, with which the sampler takes the most probable token.
        if sampling.temperature > 0.0 {
            temperature = temperature.max(1);
        }
        let mut sampler = Sampler::new(sampling.seed, temperature);
        let mut candidates = vec![Ranked::default(); sampling.top_k.min(self.config().vocab_size)];
        // A language model has one direction, for which the number of tokens does not matter.
        self.with_fast_text_session(1, |mut session| {
            let prompt = if prompt.is_empty() { &[UNK] } else { prompt };
            prompt.iter().for_each(|&id| session.feed_id(id));
            let mut draw = |logits: &tern_runtime::Logits<'_>| match sampling.top_k {
                0 => sampler.sample_all(logits),
                _ => sampler.sample(logits, &mut candidates),
            };
            while let Some(id) = draw(&session.logits()) {
                session.feed_id(id);
                if !sink(id) {
                    break;
                }
            }
        });
    }
}
