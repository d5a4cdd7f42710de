//! The sections of a language model: generated text, top-k accuracy, and the least expected tokens.

use super::Surprise;
use crate::report::chart::{self, FIRST, Line};
use crate::report::elements::{Cell, figure, nothing, percent, table};
use crate::report::html_page::HtmlPage;
use crate::tasks::Findings;
use maud::{Markup, html};
use serde_json::Value;

impl HtmlPage<'_> {
    pub(crate) fn samples(&self) -> Markup {
        let Findings::Language(findings) = self.findings else { return nothing() };
        html! {
            p {
                "Continuations of the beginning of the validation text. The temperature divides the logits before a token is sampled: "
                "lower values give likelier tokens. " code { "tern generate --seed 1" } " samples the same tokens."
            }
            @for sample in &findings.samples {
                h3 { "Temperature " (sample.temperature.to_string()) }
                blockquote.sample { span.note { (sample.prompt) } (sample.text) }
            }
        }
    }

    pub(crate) fn top_k(&self) -> Markup {
        let Some(Value::Object(shares)) = self.at("/validation/k_best") else { return nothing() };
        let points = shares.iter().filter_map(|(k, share)| Some((k.parse().ok()?, share.as_f64()?))).collect();
        let row = |k: &String| vec![Cell::Text(k.clone()), self.cell(&format!("/validation/k_best/{k}"), percent)];
        let rows: Vec<Vec<Cell>> = shares.keys().map(row).collect();
        let title = "How often the next token is among the k likeliest";
        let line = Line { points, colour: FIRST, dots: true };
        let numbers = table(title, &["k", "share of the tokens"], &rows);
        let chart = chart::lines(title, "k", &[line], None);
        html! { div.charts { (figure(title, &chart, &[("first", "validation text")], &numbers)) } }
    }

    pub(crate) fn surprises(&self) -> Markup {
        let Findings::Language(findings) = self.findings else { return nothing() };
        if findings.surprises.is_empty() {
            return nothing();
        }
        html! {
            p {
                "The tokens of the validation text with the lowest predicted probability, and the tokens that the model predicted in "
                "their place. Unknown tokens are left out."
            }
            ol.mistakes { @for surprise in &findings.surprises { (item(surprise)) } }
        }
    }
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
