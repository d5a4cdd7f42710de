//! Writing text.

use crate::float_model::FloatModel;
use crate::metrics::log_softmax;
use crate::model::Sequential;
use crate::nn::network::Input;
use crate::nn::stream::State;
use crate::vocabulary::{PAD, UNK};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it: below 1 the likely tokens become likelier. 0: always the likeliest.
    pub temperature: f64,
    /// Tokens to draw from, the likeliest ones. 0: all.
    pub top_k: usize,
    /// Where the random numbers begin.
    pub seed: u64,
}

/// Writes on from a prompt. PAD and UNK are never drawn.
pub struct Writer<'a> {
    model: &'a FloatModel,
    state: State,
    logits: Vec<f32>,
    sampling: Sampling,
    rng: ChaCha8Rng,
}

impl<'a> Writer<'a> {
    /// Reads the prompt; an empty one is one unknown token.
    pub fn new(model: &'a FloatModel, prompt: &[u32], sampling: Sampling) -> Self {
        let state = model.network().start(1);
        let rng = ChaCha8Rng::seed_from_u64(sampling.seed);
        let mut writer = Writer { model, state, logits: Vec::new(), sampling, rng };
        let prompt = if prompt.is_empty() { &[UNK] } else { prompt };
        prompt.iter().for_each(|&id| writer.read(id));
        writer
    }

    fn read(&mut self, id: u32) {
        let states = self.model.network().advance(&mut self.state, &[id]);
        self.logits = self.model.network().head_of(states);
    }

    /// Draws a token, reads it and returns it.
    pub fn write(&mut self) -> u32 {
        let ranked = ranked(&self.logits);
        let kept = if self.sampling.top_k == 0 { ranked.len() } else { self.sampling.top_k.min(ranked.len()) };
        let id = if self.sampling.temperature == 0.0 {
            ranked[0].0
        } else {
            let highest = f64::from(ranked[0].1);
            let weight = |&(_, logit): &(u32, f32)| ((f64::from(logit) - highest) / self.sampling.temperature).exp();
            let weights: Vec<f64> = ranked[..kept].iter().map(weight).collect();
            let mut left = self.rng.random::<f64>() * weights.iter().sum::<f64>();
            let drawn = weights.iter().position(|weight| {
                left -= weight;
                left < 0.0
            });
            ranked[drawn.unwrap_or(0)].0
        };
        self.read(id);
        id
    }
}

/// The ids of real tokens, the likeliest first.
fn ranked(logits: &[f32]) -> Vec<(u32, f32)> {
    let real = |id: &u32| *id != PAD && *id != UNK;
    let mut ranked: Vec<(u32, f32)> =
        (0..logits.len() as u32).filter(real).map(|id| (id, logits[id as usize])).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked
}

/// The `k` likeliest tokens after a text, with their probabilities among all tokens.
pub fn next_tokens(model: &dyn Sequential, ids: &[u32], k: usize) -> Vec<(u32, f64)> {
    let logits: Vec<f32> = model.outputs(Input::Tokens(ids)).nats().iter().map(|&logit| logit as f32).collect();
    let probabilities = log_softmax(logits.iter().map(|&logit| f64::from(logit)));
    ranked(&logits).into_iter().take(k).map(|(id, _)| (id, probabilities[id as usize].exp())).collect()
}

/// Puts tokens together to a text.
///
/// Characters and bytes are the text. Words have lost the white space between them: one blank stands there, and none
/// before a full stop and its like, or after an opening bracket.
#[derive(Debug)]
pub struct Joiner {
    kind: Kind,
    /// Bytes of a character that is not whole yet.
    bytes: Vec<u8>,
    /// Whether a blank may stand before the next word.
    blank: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Characters,
    Bytes,
    Pieces,
    Words,
}

impl Joiner {
    /// `tokenizer`: as in `config.json`. `before`: the text that goes before.
    pub fn new(tokenizer: &str, before: &str) -> Self {
        let kind = match tokenizer.split('_').next() {
            Some("chars") => Kind::Characters,
            Some("bytes") => Kind::Bytes,
            Some("wordpiece") => Kind::Pieces,
            _ => Kind::Words,
        };
        Joiner { kind, bytes: Vec::new(), blank: before.chars().next_back().is_some_and(|c| !c.is_whitespace()) }
    }

    /// What a token adds to the text. `token`: its name; `id`: its id, which of bytes is the byte and 2.
    pub fn join(&mut self, token: &str, id: u32) -> String {
        match self.kind {
            Kind::Characters => token.to_owned(),
            Kind::Bytes => {
                self.bytes.push(id.saturating_sub(2) as u8);
                match std::str::from_utf8(&self.bytes) {
                    Err(error) if error.error_len().is_none() => String::new(),
                    _ => String::from_utf8_lossy(&std::mem::take(&mut self.bytes)).into_owned(),
                }
            }
            Kind::Pieces if token.starts_with("##") => token[2..].to_owned(),
            Kind::Pieces | Kind::Words => {
                let closes =
                    |c: char| matches!(c, '.' | ',' | '!' | '?' | ';' | ':' | ')' | ']' | '\'' | '%' | '…' | '’');
                let opens = |c: char| matches!(c, '(' | '[' | '\'' | '’' | '-');
                let blank = self.blank && !token.starts_with(closes);
                self.blank = !token.ends_with(opens);
                if blank { format!(" {token}") } else { token.to_owned() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{Head, Recurrent};
    use crate::float_model::tests::model_with;

    #[test]
    fn the_same_seed_writes_the_same_text() {
        let model = model_with(Recurrent::default(), Head { hidden: 0, outputs: 11 });
        let write = |seed, temperature, top_k| -> Vec<u32> {
            let mut writer = Writer::new(&model, &[3, 4], Sampling { temperature, top_k, seed });
            (0..60).map(|_| writer.write()).collect()
        };
        assert_eq!(write(1, 1.0, 0), write(1, 1.0, 0));
        assert_ne!(write(1, 1.0, 0), write(2, 1.0, 0));
        assert_eq!(write(1, 0.0, 0), write(2, 1.0, 1), "the likeliest one is the likeliest of one");
        assert!(write(3, 5.0, 0).iter().all(|id| (2..11).contains(id)));
        let mut distinct = write(4, 5.0, 3);
        distinct.sort_unstable();
        distinct.dedup();
        assert!(distinct.len() > 1);
        let best = next_tokens(&model, &[3, 4], 3);
        assert_eq!((best.len(), best[0].0), (3, write(1, 0.0, 0)[0]));
        assert!(best[0].1 >= best[1].1 && best[0].1 < 1.0);
    }

    #[test]
    fn tokens_become_text_again() {
        let join = |tokenizer: &str, before: &str, tokens: &[&str]| -> String {
            let mut joiner = Joiner::new(tokenizer, before);
            tokens.iter().map(|token| joiner.join(token, 0)).collect()
        };
        assert_eq!(join("words", "so", &["it", "'", "s", "(", "ok", ")", ",", "bye"]), " it's (ok), bye");
        assert_eq!(join("words", "", &["it", "is"]), "it is");
        assert_eq!(join("chars_cased", "so", &["i", "t", " ", "\n"]), "it \n");
        assert_eq!(join("wordpiece", "", &["un", "##know", "##n", "."]), "unknown.");
        let mut joiner = Joiner::new("bytes", "");
        let bytes: Vec<String> = "aé✓".bytes().chain([0xff, b'z']).map(|b| joiner.join("", u32::from(b) + 2)).collect();
        assert_eq!(bytes.concat(), "aé✓\u{fffd}z");
    }
}
