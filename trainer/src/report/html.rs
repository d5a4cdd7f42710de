//! `report.html`: one page that needs nothing else.

use super::{Figures, svg};
use crate::float_model::Config;
use crate::recipe::Recipe;
use std::fmt::Write;

/// The most mistakes on the page.
const MISTAKES: usize = 25;
/// The most characters of a mistaken text on the page.
const EXCERPT: usize = 300;
/// The most classes whose confusion is shown as a matrix.
const MATRIX: usize = 40;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2329; --paper: #fff; --soft: #68737d; --line: #d9dee3; --a: #0b66c3; --b: #c4570a; --hot: 11,102,195; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --paper: #15191d; --soft: #9aa5af; --line: #333b43; --a: #6db3ff; --b: #ff9d57; --hot: 109,179,255; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } p.sub { color: var(--soft); margin-top: .2rem; }
.tiles { display: flex; flex-wrap: wrap; gap: 2rem; margin: 1rem 0; } .tiles b { display: block; font-size: 1.6rem; } .tiles span { color: var(--soft); }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; } svg { width: 460px; max-width: 100%; } svg text { font-size: 11px; fill: var(--soft); }
svg polyline { fill: none; stroke-width: 2; } .train { stroke: var(--b); } .valid { stroke: var(--a); } circle.train { fill: var(--b); } circle.valid { fill: var(--a); }
.grid { stroke: var(--line); } .best { stroke: var(--soft); stroke-dasharray: 4 3; } .bar { fill: var(--a); }
.wide { overflow-x: auto; } table { border-collapse: collapse; } th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--soft); } th:first-child, td.text { text-align: left; } td.text { overflow-wrap: anywhere; }
.matrix td { min-width: 2.2rem; text-align: center; }
";

/// The page.
pub fn page(config: &Config, recipe: &Recipe, figures: &Figures) -> String {
    let name = escape(&config.name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{name}: training report</title><style>{STYLE}</style></head><body>\n<h1>{name}</h1>\n"
    );
    let _ = writeln!(
        page,
        "<p class=\"sub\">{} words → embedding {} → {} → {} classes; {} parameters; seed {}</p>",
        config.vocab_size,
        config.embedding_dim,
        config.recurrent().describe(config.hidden_size),
        config.labels.len(),
        figures.parameters,
        recipe.training.seed
    );
    tiles(&mut page, figures);
    curves(&mut page, figures);
    classes(&mut page, figures);
    confusion(&mut page, figures);
    mistakes(&mut page, figures);
    page + "</body></html>\n"
}

fn tiles(page: &mut String, figures: &Figures) {
    let validation = &figures.validation;
    page.push_str("<div class=\"tiles\">");
    for (value, what) in [
        (percent(validation.accuracy()), "validation accuracy"),
        (percent(validation.majority_accuracy()), "always the most frequent label"),
        (format!("{:.4}", validation.macro_f1()), "macro F1"),
        (format!("{:.4}", validation.loss()), "validation loss"),
        (figures.lengths.len().to_string(), "examples learnt from"),
        (validation.examples().to_string(), "examples held out"),
    ] {
        let _ = write!(page, "<div><b>{value}</b><span>{what}</span></div>");
    }
    page.push_str("</div>\n");
    let _ = writeln!(
        page,
        "<p>Epoch {} of {} was kept, the one with the highest accuracy on the held-out rows. These rows chose the \
         epoch: expect a little less on others.</p>",
        figures.best_epoch,
        figures.history.len()
    );
    if figures.leaked > 0 {
        let _ = writeln!(
            page,
            "<p><strong>{} of the validation texts were learnt from as well: the figures flatter the model.</strong></p>",
            figures.leaked
        );
    }
}

fn curves(page: &mut String, figures: &Figures) {
    let column =
        |value: fn(&crate::train::EpochFigures) -> f64| figures.history.iter().map(value).collect::<Vec<f64>>();
    page.push_str("<h2>Training</h2>\n<div class=\"charts\">");
    page.push_str(&svg::lines(
        "Loss by epoch",
        &[
            ("train loss", "train", column(|epoch| epoch.train_loss)),
            ("valid loss", "valid", column(|epoch| epoch.valid.loss)),
        ],
        figures.best_epoch,
    ));
    page.push_str(&svg::lines(
        "Accuracy by epoch",
        &[
            ("train accuracy", "train", column(|epoch| epoch.train_accuracy.unwrap_or(f64::NAN))),
            ("valid accuracy", "valid", column(|epoch| epoch.valid.accuracy.unwrap_or(f64::NAN))),
        ],
        figures.best_epoch,
    ));
    page.push_str("</div>\n<p class=\"sub\">Training figures are taken with dropout and label smoothing, validation figures without.</p>\n");
    page.push_str("<h2>Length of the texts</h2>\n");
    page.push_str(&svg::histogram("Tokens in the texts learnt from", "tokens", &figures.lengths));
    let mut sorted = figures.lengths.clone();
    sorted.sort_unstable();
    if let (Some(longest), Some(median)) = (sorted.last(), sorted.get(sorted.len() / 2)) {
        let _ = writeln!(page, "<p class=\"sub\">Median {median} tokens, longest {longest}.</p>");
    }
    if figures.cut > 0 {
        let _ = writeln!(
            page,
            "<p class=\"sub\">Of {} texts only the end was learnt from (batch_tokens).</p>",
            figures.cut
        );
    }
}

fn classes(page: &mut String, figures: &Figures) {
    page.push_str(
        "<h2>Classes</h2>\n<div class=\"wide\"><table><tr><th>label</th><th>precision</th><th>recall</th><th>F1</th>\
         <th>held out</th><th>learnt from</th></tr>\n",
    );
    for ((label, class), train) in figures.labels.iter().zip(figures.validation.per_class()).zip(&figures.train_support)
    {
        let _ = writeln!(
            page,
            "<tr><td class=\"text\">{}</td><td>{:.4}</td><td>{:.4}</td><td>{:.4}</td><td>{}</td><td>{train}</td></tr>",
            escape(label),
            class.precision,
            class.recall,
            class.f1,
            class.support
        );
    }
    page.push_str("</table></div>\n");
}

/// The matrix, or where that would be too wide its largest entries off the diagonal.
fn confusion(page: &mut String, figures: &Figures) {
    let (labels, matrix) = (&figures.labels, figures.validation.confusion());
    page.push_str("<h2>Confusion</h2>\n<div class=\"wide\">");
    if labels.len() <= MATRIX {
        page.push_str("<table class=\"matrix\"><tr><th>label \\ predicted</th>");
        for label in labels {
            let _ = write!(page, "<th>{}</th>", escape(label));
        }
        page.push_str("</tr>\n");
        for (label, row) in labels.iter().zip(matrix) {
            let _ = write!(page, "<tr><th>{}</th>", escape(label));
            let support: usize = row.iter().sum();
            for &count in row {
                let share = count as f64 / support.max(1) as f64;
                let text = if count == 0 { String::new() } else { count.to_string() };
                let _ = write!(page, "<td style=\"background:rgba(var(--hot),{:.2})\">{text}</td>", share.sqrt() * 0.6);
            }
            page.push_str("</tr>\n");
        }
    } else {
        let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
        for (label, row) in matrix.iter().enumerate() {
            pairs.extend(row.iter().enumerate().filter(|(p, n)| *p != label && **n > 0).map(|(p, n)| (*n, label, p)));
        }
        pairs.sort_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
        page.push_str("<table><tr><th>label</th><th>predicted</th><th>examples</th></tr>\n");
        for (count, label, predicted) in pairs.into_iter().take(MATRIX) {
            let (label, predicted) = (escape(&labels[label]), escape(&labels[predicted]));
            let _ = writeln!(
                page,
                "<tr><td class=\"text\">{label}</td><td class=\"text\">{predicted}</td><td>{count}</td></tr>"
            );
        }
    }
    page.push_str("</table></div>\n");
}

fn mistakes(page: &mut String, figures: &Figures) {
    page.push_str("<h2>Most confident mistakes</h2>\n");
    if figures.mistakes.is_empty() {
        page.push_str("<p>None: every held-out text got its label.</p>\n");
        return;
    }
    page.push_str("<table><tr><th>text</th><th>label</th><th>predicted</th><th>probability</th></tr>\n");
    for mistake in figures.mistakes.iter().take(MISTAKES) {
        let mut text: String = mistake.text.chars().take(EXCERPT).collect();
        if mistake.text.chars().nth(EXCERPT).is_some() {
            text.push('…');
        }
        let _ = writeln!(
            page,
            "<tr><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&text),
            escape(&figures.labels[mistake.label]),
            escape(&figures.labels[mistake.predicted]),
            percent(mistake.probability)
        );
    }
    page.push_str("</table>\n");
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Text that may stand anywhere in HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
