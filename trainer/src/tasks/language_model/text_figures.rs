//! The figures of a language model on a text, and its most probable next tokens.

use crate::metrics::log_softmax;
use crate::model::Model;
use crate::model::float::ranked_tokens;
use crate::nn::network::Input;
use crate::train::{Guess, Validation};
use crate::vocabulary::UNK;
use serde_json::{Map, Value, json};

/// Returns the ids of the `k` most probable tokens after the text `ids` with their probabilities, the most probable
/// first. PAD and UNK are left out.
pub fn next_tokens(model: &dyn Model, ids: &[u32], k: usize) -> Vec<(u32, f64)> {
    // `ranked_tokens` takes 32-bit floats, and leaves out PAD and UNK.
    let logits: Vec<f32> = model.outputs(Input::Tokens(ids)).nats().iter().map(|&logit| logit as f32).collect();
    let probabilities = log_softmax(logits.iter().map(|&logit| f64::from(logit)));
    ranked_tokens(&logits).into_iter().take(k).map(|(id, _)| (id, probabilities[id as usize].exp())).collect()
}

/// The numbers k for which the figures give the share of tokens that are among the k most probable.
const K_BEST: [usize; 6] = [1, 2, 3, 5, 10, 20];

/// The figures of a language model on a text.
#[derive(Clone, Debug, PartialEq)]
pub struct TextFigures {
    /// Number of tokens.
    pub tokens: usize,
    /// Number of tokens that are not in the vocabulary. The model predicts only that an unknown token follows, not
    /// which one.
    pub unknown: usize,
    /// Number of characters.
    pub characters: usize,
    /// Number of bytes.
    pub bytes: usize,
    /// Loss, perplexity, bits per character and accuracy.
    pub figures: Validation,
    /// Pairs of k and the share of tokens that are among the k most probable.
    pub k_best: Vec<(usize, f64)>,
}

impl TextFigures {
    /// Computes the figures of a text of two tokens or more. `ids`: the ids of the tokens of `text`. `guesses`: the
    /// predictions of these tokens, as [`guesses`](crate::train::guesses) returns them.
    pub fn new(ids: &[u32], text: &str, guesses: &[Guess]) -> Self {
        let characters = text.chars().count();
        // The share of tokens that are among the k most probable: fewer than k others are more probable.
        let share_of_top =
            |k| guesses.iter().filter(|guess| guess.above < k).count() as f64 / guesses.len().max(1) as f64;
        TextFigures {
            tokens: ids.len(),
            unknown: ids.iter().filter(|id| **id == UNK).count(),
            characters,
            bytes: text.len(),
            figures: Validation::of_language(guesses, ids.len(), characters),
            k_best: K_BEST.into_iter().map(|k| (k, share_of_top(k))).collect(),
        }
    }

    /// Returns the object for `metrics.json` and `tern eval --json`.
    pub fn to_json(&self) -> Value {
        let bits = self.figures.bits_per_character.unwrap_or(f64::NAN);
        json!({
            "tokens": self.tokens,
            "unknown": self.unknown,
            "characters": self.characters,
            "bytes": self.bytes,
            "loss": self.figures.loss,
            "perplexity": self.figures.perplexity,
            "bits_per_character": bits,
            "bits_per_byte": bits * self.characters as f64 / self.bytes as f64,
            "bits_per_token": self.figures.loss / std::f64::consts::LN_2,
            "accuracy": self.figures.accuracy,
            "top_5_accuracy": self.figures.top_5,
            "k_best": self.k_best.iter().map(|(k, share)| (k.to_string(), json!(share))).collect::<Map<_, _>>(),
        })
    }

    /// Returns the figures as lines of text.
    pub fn lines(&self) -> Vec<String> {
        let figures = &self.figures;
        let unknown_percent = 100.0 * self.unknown as f64 / self.tokens as f64;
        let mut lines = vec![
            format!(
                "{} tokens, {} of them unknown ({unknown_percent:.1} %); {} characters",
                self.tokens, self.unknown, self.characters
            ),
            format!("loss                {:.4} (nats per token)", figures.loss),
            format!("perplexity          {:.2}", figures.perplexity.unwrap_or(f64::NAN)),
            format!("bits per character  {:.4}", figures.bits_per_character.unwrap_or(f64::NAN)),
            format!("top-1 accuracy      {:.4}", figures.accuracy.unwrap_or(f64::NAN)),
            format!("top-5 accuracy      {:.4}", figures.top_5.unwrap_or(f64::NAN)),
        ];
        if self.unknown > 0 {
            lines.push("The loss of an unknown token does not include which word it is, so that".to_owned());
            lines.push("many unknown tokens make bits per character too low.".to_owned());
        }
        lines
    }
}
