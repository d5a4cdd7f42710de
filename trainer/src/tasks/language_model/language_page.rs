//! The sections of a language model: generated text, top-k accuracy, and the least expected tokens.

use super::{Language, Surprise};
use crate::float_model::files;
use crate::report::chart::{self, FIRST, Line};
use crate::report::elements::{Cell, count, exact, figure, nothing, percent, table};
use crate::report::html_page::HtmlPage;
use crate::report::{Section, TaskReport, TaskWording};
use maud::{Markup, html};
use serde_json::Value;

/// The words for language models in the report.
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
    splits_classes: false,
    files: [files::VALIDATION_TEXT, files::CALIBRATION_TEXT],
    hub_task: ("text-generation", "Text generation"),
    intended_use: (
        "texts",
        "Its text is likely, and not necessarily true; it may repeat parts of its training text word for word. It was not tested on \
         other texts.",
    ),
    commands: |folder, _| format!("tern predict {folder} \"a text that\"\ntern generate {folder} --length 100"),
};

impl TaskReport for Language {
    fn wording(&self) -> &'static TaskWording {
        &WORDING
    }

    fn sections(&self, page: &HtmlPage<'_>) -> Vec<Section> {
        vec![
            ("samples", "Generated text", self.generated()),
            ("top-k", "Top-k accuracy", top_k(page)),
            ("surprises", "Least expected tokens", self.least_expected()),
        ]
    }
}

impl Language {
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

    fn least_expected(&self) -> Markup {
        if self.surprises.is_empty() {
            return nothing();
        }
        html! {
            p {
                "The tokens of the validation text with the lowest predicted probability, and the tokens that the model predicted in "
                "their place. Unknown tokens are left out."
            }
            ol.mistakes { @for surprise in &self.surprises { (item(surprise)) } }
        }
    }
}

/// The share of tokens that are among the k most probable.
fn top_k(page: &HtmlPage<'_>) -> Markup {
    let Some(Value::Object(shares)) = page.at("/validation/k_best") else { return nothing() };
    let points = shares.iter().filter_map(|(k, share)| Some((k.parse().ok()?, share.as_f64()?))).collect();
    let row = |k: &String| vec![Cell::Text(k.clone()), page.cell(&format!("/validation/k_best/{k}"), percent)];
    let rows: Vec<Vec<Cell>> = shares.keys().map(row).collect();
    let title = "How often the next token is among the k likeliest";
    let line = Line { points, colour: FIRST, dots: true };
    let numbers = table(title, &["k", "share of the tokens"], &rows);
    let chart = chart::lines(title, "k", &[line], None);
    html! { div.charts { (figure(title, &chart, &[("first", "validation text")], &numbers)) } }
}

fn item(surprise: &Surprise) -> Markup {
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

/// The reciprocal of a probability, rounded.
fn one_in(probability: f64) -> String {
    let one_in = (1.0 / probability.max(1e-300)).max(1.0);
    if one_in < 1e6 { format!("{one_in:.0}") } else { format!("{one_in:.0e}") }
}

/// A token, with a visible sign for white space.
fn shown(token: &str) -> &str {
    match token {
        " " => "␣",
        "\n" => "↵",
        "\t" => "⇥",
        token => token,
    }
}
