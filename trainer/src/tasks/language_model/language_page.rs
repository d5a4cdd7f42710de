//! What a language model writes, how often it is right, and where the held-out text surprises it.

use super::Surprise;
use crate::report::chart::{self, FIRST, Line};
use crate::report::html::{Cell, escape, figure, percent, table};
use crate::report::page::Page;
use crate::tasks::Findings;
use std::fmt::Write;

impl Page<'_> {
    /// Texts that the model wrote.
    pub(crate) fn samples(&self) -> String {
        let Findings::Language(findings) = self.findings else { return String::new() };
        let mut html = String::from(
            "<p>It goes on from the beginning of the held-out text. The temperature divides the logits before a token is drawn: \
             the lower, the safer. <code>tern generate --seed 1</code> draws the same.</p>\n",
        );
        for sample in &findings.samples {
            let _ = write!(
                html,
                "<h3>Temperature {}</h3>\n<blockquote class=\"sample\"><span class=\"note\">{}</span>{}</blockquote>\n",
                sample.temperature,
                lines(&sample.prompt),
                lines(&sample.text)
            );
        }
        html
    }

    /// How often the right token is among the k likeliest.
    pub(crate) fn k_best(&self) -> String {
        let Some(shares) = self.metrics.pointer("/validation/k_best").and_then(|shares| shares.as_object()) else {
            return String::new();
        };
        let points = shares.iter().filter_map(|(k, share)| Some((k.parse().ok()?, share.as_f64()?))).collect();
        let row = |k: &String| {
            vec![Cell::Text(k.clone()), Cell::Number(self.value(&format!("/validation/k_best/{k}"), percent))]
        };
        let rows: Vec<Vec<Cell>> = shares.keys().map(row).collect();
        let title = "How often the token that comes is among the k likeliest";
        let line = Line { points, colour: FIRST, dots: true };
        format!(
            "<div class=\"charts\">\n{}</div>\n",
            figure(
                title,
                &chart::lines(title, "k", &[line], None),
                &[("first", "held-out text")],
                &table(title, &["k", "share of the tokens"], &rows)
            )
        )
    }

    /// Tokens that the model did not expect.
    pub(crate) fn surprises(&self) -> String {
        let Findings::Language(findings) = self.findings else { return String::new() };
        if findings.surprises.is_empty() {
            return String::new();
        }
        let mut html = String::from(
            "<p>The tokens of the held-out text that were given the least probability, and what was thought likelier. \
             Unknown tokens are left out.</p>\n<ol class=\"mistakes\">\n",
        );
        findings.surprises.iter().for_each(|surprise| html.push_str(&place(surprise)));
        html + "</ol>\n"
    }
}

fn place(surprise: &Surprise) -> String {
    let expected: Vec<String> = surprise
        .expected
        .iter()
        .map(|(token, probability)| format!("“{}” {}", visible(token), percent(*probability)))
        .collect();
    format!(
        "<li>\n<blockquote>…{}<mark class=\"against\" style=\"--w:.25\">{}</mark></blockquote>\n\
         <p class=\"note\">{:.1} bits, 1 in {}; expected: {}</p>\n</li>\n",
        escape(&surprise.before),
        escape(&visible(&surprise.token)),
        -surprise.probability.log2(),
        one_in(surprise.probability),
        escape(&expected.join(", "))
    )
}

/// 1 over a probability, in two digits that count.
fn one_in(probability: f64) -> String {
    let one_in = (1.0 / probability.max(1e-300)).max(1.0);
    if one_in < 1e6 { format!("{one_in:.0}") } else { format!("{one_in:.0e}") }
}

/// White space as one sees it.
fn visible(token: &str) -> String {
    match token {
        " " => "␣".to_owned(),
        "\n" => "↵".to_owned(),
        "\t" => "⇥".to_owned(),
        token => token.to_owned(),
    }
}

/// Text whose lines stay lines.
fn lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("<br>")
}
