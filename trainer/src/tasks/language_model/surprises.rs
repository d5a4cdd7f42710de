//! The sections of a language model in the report: generated text, top-k accuracy, and the tokens of the validation
//! text to which the model gave the lowest probabilities.

use super::text_figures::{TextFigures, next_tokens};
use crate::float_model::{FloatModel, files};
use crate::model::{Model, Sampling};
use crate::report::chart::{self, FIRST, Line};
use crate::report::elements::{Cell, count, exact, figure, nothing, percent, table};
use crate::report::{ReportInputs, Section, TaskReport, TaskWording};
use crate::train::{self, Guess};
use crate::vocabulary::UNK;
use maud::{Markup, html};
use rayon::prelude::*;
use serde_json::Value;
use tern_runtime::text::Detokenizer;

/// The temperatures of the generated samples.
const TEMPERATURES: [f64; 3] = [0.5, 0.8, 1.0];
/// Largest number of tokens of a sample.
const SAMPLE_TOKENS: usize = 240;
/// Largest number of characters of a sample.
const SAMPLE_CHARACTERS: usize = 400;
/// Number of tokens at the beginning of the validation text that are the prompt of the samples.
const PROMPT_TOKENS: usize = 8;
/// Largest number of unexpected tokens that are shown.
const MAX_SURPRISES: usize = 15;
/// Two unexpected tokens that are shown are more than this number of tokens apart.
const MIN_DISTANCE: usize = 24;
/// Number of characters that are shown before an unexpected token.
const EXCERPT_CHARS: usize = 90;
/// Number of most probable tokens that are shown for an unexpected token.
const EXPECTED_TOKENS: usize = 3;

/// The content of the report on a language model: generated samples and unexpected tokens. Empty if there is no
/// validation text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LanguageReport {
    /// Generated texts.
    pub samples: Vec<Sample>,
    /// The tokens of the validation text with the lowest probabilities.
    pub surprises: Vec<Surprise>,
}

/// A generated text.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The temperature at which the text was generated.
    pub temperature: f64,
    /// The beginning of the validation text, which the model read first.
    pub prompt: String,
    /// The generated continuation.
    pub text: String,
}

/// A token of the validation text to which the model gave a low probability.
#[derive(Clone, Debug, PartialEq)]
pub struct Surprise {
    /// The text before the token, of which only the last [`EXCERPT_CHARS`] characters are kept.
    pub before: String,
    /// The token.
    pub token: String,
    /// The predicted probability of the token.
    pub probability: f64,
    /// The most probable tokens at this place, with their probabilities.
    pub expected: Vec<(String, f64)>,
}

impl LanguageReport {
    /// Runs `model` over a text. Returns the figures of the text and the content of the report; `None` if the text has
    /// fewer than two tokens.
    pub fn new(model: &FloatModel, text: &str) -> Option<(TextFigures, Self)> {
        let ids = model.vocabulary().encode(text);
        if ids.len() < 2 {
            return None;
        }
        let guesses = train::guesses(model.network(), &ids);
        let least_expected = least_expected_guesses(&guesses, &ids);
        let surprises = least_expected.par_iter().map(|guess| surprise(model, &ids, guess)).collect();
        // At least one token of the text follows the prompt.
        let prompt = &ids[..PROMPT_TOKENS.min(ids.len() - 1)];
        let samples = TEMPERATURES.map(|temperature| sample(model, prompt, temperature)).to_vec();
        Some((TextFigures::new(&ids, text, &guesses), LanguageReport { samples, surprises }))
    }

    /// Returns the generated samples, each with its temperature.
    fn generated(&self) -> Markup {
        if self.samples.is_empty() {
            return nothing();
        }
        html! {
            p {
                "Continuations of the beginning of the validation text. The temperature divides the logits before a token is sampled: "
                "lower values give likelier tokens. " code { "tern generate --seed 1" } " samples the same tokens."
            }
            @for sample in &self.samples {
                h3 { "Temperature " (sample.temperature.to_string()) }
                blockquote.sample { span.note { (sample.prompt) } (sample.text) }
            }
        }
    }

    /// Returns the unexpected tokens, each with the most probable tokens at its place.
    fn least_expected(&self) -> Markup {
        if self.surprises.is_empty() {
            return nothing();
        }
        html! {
            p {
                "The tokens of the validation text with the lowest predicted probability, and the tokens that the model predicted in "
                "their place. Unknown tokens are left out."
            }
            ol.mistakes { @for surprise in &self.surprises { (surprise_item(surprise)) } }
        }
    }
}

/// Returns the predictions of the tokens with the highest loss, at most [`MAX_SURPRISES`], which are more than
/// [`MIN_DISTANCE`] tokens apart. Unknown tokens are left out, since the model does not predict which word they are.
fn least_expected_guesses<'g>(guesses: &'g [Guess], ids: &[u32]) -> Vec<&'g Guess> {
    let mut known: Vec<&Guess> = guesses.iter().filter(|guess| ids[guess.place] != UNK).collect();
    known.sort_by(|a, b| b.loss.total_cmp(&a.loss).then(a.place.cmp(&b.place)));
    let mut chosen: Vec<&Guess> = Vec::new();
    for guess in known {
        if chosen.iter().all(|other| other.place.abs_diff(guess.place) > MIN_DISTANCE) {
            chosen.push(guess);
        }
        if chosen.len() == MAX_SURPRISES {
            break;
        }
    }
    chosen
}

/// Returns the token of `guess`, with the text before it and the tokens that the model predicted at its place.
fn surprise(model: &FloatModel, ids: &[u32], guess: &Guess) -> Surprise {
    let (place, tokens) = (guess.place, model.vocabulary().tokens());
    // The loss was computed on parts of the text, so the model had read only the tokens of the same part.
    let part_start = train::part_of(place, ids.len());
    let expected = next_tokens(model, &ids[part_start..place], EXPECTED_TOKENS);
    // `EXCERPT_CHARS` tokens have enough characters: a token has one or more, except the bytes of a longer character.
    let mut before = joined(model, "", &ids[place.saturating_sub(EXCERPT_CHARS)..place]);
    let token = &tokens[ids[place] as usize];
    // A space between the text and the token is shown with the text.
    if token != " " && joined(model, &before, &ids[place..=place]).starts_with(' ') {
        before.push(' ');
    }
    let surplus = before.chars().count().saturating_sub(EXCERPT_CHARS);
    Surprise {
        before: before.chars().skip(surplus).collect(),
        token: token.clone(),
        probability: (-guess.loss).exp(),
        expected: expected.into_iter().map(|(id, probability)| (tokens[id as usize].clone(), probability)).collect(),
    }
}

/// Generates a continuation of `prompt` at a temperature.
fn sample(model: &FloatModel, prompt: &[u32], temperature: f64) -> Sample {
    let before = joined(model, "", prompt);
    let mut detokenizer = Detokenizer::new(model.config().tokenizer().kind, before.as_bytes());
    let mut text = String::new();
    let mut tokens = 0;
    // `top_k: 0` samples from all tokens. The generation ends when the function returns false.
    model.generate(prompt, Sampling { temperature, top_k: 0, seed: 1 }, &mut |id| {
        // Writing to a string does not fail.
        let _ = detokenizer.write(id, &model.vocabulary().tokens()[id as usize], &mut text);
        tokens += 1;
        tokens < SAMPLE_TOKENS && text.chars().count() < SAMPLE_CHARACTERS
    });
    Sample { temperature, prompt: before, text }
}

/// Returns the tokens `ids` as text that continues the text `before`.
fn joined(model: &FloatModel, before: &str, ids: &[u32]) -> String {
    let mut detokenizer = Detokenizer::new(model.config().tokenizer().kind, before.as_bytes());
    let mut text = String::new();
    // Writing to a string does not fail.
    for &id in ids {
        let _ = detokenizer.write(id, &model.vocabulary().tokens()[id as usize], &mut text);
    }
    let _ = detokenizer.finish(&mut text);
    text
}

/// The wording of the report for language models.
static WORDING: TaskWording = TaskWording {
    purpose: |_| "Predicts the next token of a text".to_owned(),
    figures: &[
        ("/validation/perplexity", "perplexity", exact),
        ("/validation/bits_per_character", "bits per character", exact),
        ("/validation/bits_per_byte", "bits per byte", exact),
        ("/validation/accuracy", "next token right", percent),
        ("/validation/top_5_accuracy", "next token among the 5 likeliest", percent),
        ("/validation/loss", "validation loss (cross-entropy of a token)", exact),
        ("/train/text_tokens", "training tokens", count),
        ("/validation/tokens", "validation tokens", count),
        ("/validation/unknown", "unknown validation tokens", count),
        ("/validation/characters", "validation characters", count),
    ],
    loss: "Loss (cross-entropy)",
    compared: "tokens",
    validation: ("characters", "/validation/characters"),
    training: ("tokens", "/train/text_tokens"),
    is_stratified: false,
    files: [files::VALIDATION_TEXT, files::CALIBRATION_TEXT],
    hub_task: ("text-generation", "Text generation"),
    intended_use: (
        "texts",
        "Its text is likely, and not necessarily true; it may repeat parts of its training text word for word. It was not tested on \
         other texts.",
    ),
    commands: |folder, _| format!("tern predict {folder} \"a text that\"\ntern generate {folder} --length 100"),
};

impl TaskReport for LanguageReport {
    fn wording(&self) -> &'static TaskWording {
        &WORDING
    }

    fn sections(&self, page: &ReportInputs) -> Vec<Section> {
        vec![
            ("samples", "Generated text", self.generated()),
            ("top-k", "Top-k accuracy", top_k(page)),
            ("surprises", "Least expected tokens", self.least_expected()),
        ]
    }
}

/// Returns the chart and the table of the share of tokens that are among the k most probable.
fn top_k(page: &ReportInputs) -> Markup {
    let Some(Value::Object(shares)) = page.json_at("/validation/k_best") else { return nothing() };
    let points = shares.iter().filter_map(|(k, share)| Some((k.parse().ok()?, share.as_f64()?))).collect();
    let row = |k: &String| vec![Cell::Text(k.clone()), page.cell(&format!("/validation/k_best/{k}"), percent)];
    let rows: Vec<Vec<Cell>> = shares.keys().map(row).collect();
    let title = "How often the next token is among the k likeliest";
    let line = Line { points, colour: FIRST, dots: true };
    let numbers = table(title, &["k", "share of the tokens"], &rows);
    let chart = chart::lines(title, "k", &[line], None);
    html! { div.charts { (figure(title, &chart, &[("first", "validation text")], &numbers)) } }
}

/// Returns an item of the list of unexpected tokens: the text before the token, the token, its information in bits, and
/// the most probable tokens at its place.
fn surprise_item(surprise: &Surprise) -> Markup {
    let predicted = |(token, probability): &(String, f64)| format!("“{}” {}", shown(token), percent(*probability));
    let predicted: Vec<String> = surprise.expected.iter().map(predicted).collect();
    let bits = -surprise.probability.log2();
    html! {
        li {
            blockquote { "…" (surprise.before) mark.against style="--w:.25" { (shown(&surprise.token)) } }
            p.note {
                (format!("{bits:.1}")) " bits, 1 in " (one_in(surprise.probability)) "; predicted: " (predicted.join(", "))
            }
        }
    }
}

/// Formats the reciprocal of a probability: rounded, or with an exponent from 1e6 on. A probability of 0 counts as
/// 1e-300.
fn one_in(probability: f64) -> String {
    let one_in = (1.0 / probability.max(1e-300)).max(1.0);
    if one_in < 1e6 { format!("{one_in:.0}") } else { format!("{one_in:.0e}") }
}

/// Returns a visible character for a token of white space; other tokens unchanged.
fn shown(token: &str) -> &str {
    match token {
        " " => "␣",
        "\n" => "↵",
        "\t" => "⇥",
        token => token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{Head, Recurrent};
    use crate::float_model::tests::model_with;

    #[test]
    fn unexpected_tokens_are_apart_and_known() {
        let guess = |place, loss| Guess { place, loss, above: 0 };
        let mut ids = vec![5; 200];
        ids[100] = UNK;
        let guesses = [guess(10, 1.0), guess(11, 9.0), guess(12, 8.0), guess(100, 99.0), guess(150, 2.0)];
        let places: Vec<usize> = least_expected_guesses(&guesses, &ids).iter().map(|guess| guess.place).collect();
        assert_eq!(places, [11, 150]);
    }

    #[test]
    fn the_expected_tokens_are_those_at_the_time_of_reading() {
        let model = model_with(Recurrent::default(), Head { hidden: 0, outputs: 11 });
        let text = model.vocabulary().tokens()[2..].iter().cycle().take(90).cloned().collect::<Vec<_>>().join(" ");
        let (figures, language) = LanguageReport::new(&model, &text).unwrap();
        assert_eq!(figures.tokens, 90);
        assert_eq!(figures.k_best[0].1, figures.figures.accuracy.unwrap());
        assert_eq!((language.samples.len(), language.samples[0].temperature), (3, 0.5));
        let worst = &language.surprises[0];
        assert!(!worst.before.is_empty() && worst.expected.len() == 3);
        assert!(worst.expected[0].1 > worst.probability, "{worst:?}");
        assert!(language.surprises.windows(2).all(|pair| pair[0].probability <= pair[1].probability));
        assert!(LanguageReport::new(&model, "one").is_none());
    }
}
