//! What the answers to single texts show: is the model as sure as it is right, does length matter, which words decided, where is it wrong?

use super::Page;
use crate::report::chart::{self, Share};
use crate::report::html::{Cell, count, escape, exact, figure, percent, table};
use crate::tasks::Findings;
use crate::tasks::sequence_classification::{SequenceMistakes, WrongSequence};
use crate::tasks::text_classification::Mistake;
use crate::tasks::text_classification::word_weights::{Part, Word};
use serde_json::Value;
use std::fmt::Write;

/// The most characters of a mistaken text on the page.
const EXCERPT: usize = 400;
/// Words that are named below a mistake.
const NAMED: usize = 4;
/// Labels from which on the table of words scrolls by itself.
const TALL: usize = 20;

impl Page<'_> {
    pub(super) fn calibration(&self) -> String {
        let bins = self.list("/validation/calibration/bins");
        if bins.is_empty() {
            return String::new();
        }
        let number = |bin: &Value, key: &str| bin[key].as_f64().unwrap_or(0.0);
        let points: Vec<_> = bins
            .iter()
            .map(|bin| (number(bin, "from"), number(bin, "to"), number(bin, "confidence"), number(bin, "accuracy")))
            .collect();
        let (texts, _) = self.units();
        let rows: Vec<Vec<Cell>> = (0..bins.len())
            .map(|index| {
                let at = |key: &str, format| {
                    Cell::Number(self.value(&format!("/validation/calibration/bins/{index}/{key}"), format))
                };
                let range =
                    format!("{} – {}", percent(number(&bins[index], "from")), percent(number(&bins[index], "to")));
                vec![Cell::Text(range), at("examples", count), at("confidence", percent), at("accuracy", percent)]
            })
            .collect();
        let numbers = table("Confidence and accuracy", &["probability", texts, "mean probability", "right"], &rows);
        let legend = [("first", "share that is right"), ("rule", "as sure as right")];
        let title = "How often the model is right, by how sure it is";
        format!(
            "<p>Expected calibration error {}: by so much accuracy and probability differ on the mean. Points below the line: \
             the model is too sure; above it: not sure enough.</p>\n{}",
            self.value("/validation/calibration/ece", exact),
            figure(title, &chart::reliability(title, &points), &legend, &numbers)
        )
    }

    pub(super) fn lengths(&self) -> String {
        let mut html = String::new();
        let (texts, tokens) = self.units();
        let bins = self.list("/validation/by_length");
        if !bins.is_empty() {
            let share = |bin: &Value| Share {
                name: range(bin),
                share: bin["accuracy"].as_f64().unwrap_or(0.0),
                interval: [0, 1].map(|end| bin["interval"][end].as_f64().unwrap_or(0.0)),
            };
            let shares: Vec<Share> = bins.iter().map(share).collect();
            let rows: Vec<Vec<Cell>> = (0..bins.len())
                .map(|index| {
                    let at = |key: &str, format| self.value(&format!("/validation/by_length/{index}/{key}"), format);
                    let ends = format!("{} – {}", at("interval/0", percent), at("interval/1", percent));
                    vec![
                        Cell::Text(range(&bins[index])),
                        Cell::Number(at("examples", count)),
                        Cell::Number(at("accuracy", percent)),
                        Cell::Number(ends),
                    ]
                })
                .collect();
            let numbers = table("Accuracy by length", &[tokens, texts, "right", "95 % interval"], &rows);
            let title = format!("Accuracy by number of {tokens}, held-out {texts}");
            html.push_str(&figure(&title, &chart::shares(&title, tokens, &shares), &[], &numbers));
        }
        let counts = self.list("/train/tokens/counts");
        if let (false, Some(width)) = (counts.is_empty(), self.number("/train/tokens/range")) {
            let bar = |(index, count): (usize, &Value)| {
                (index as f64 * width, (index + 1) as f64 * width, count.as_f64().unwrap_or(0.0))
            };
            let bars: Vec<_> = counts.iter().enumerate().map(bar).collect();
            let rows: Vec<Vec<Cell>> = (0..counts.len())
                .filter(|index| counts[*index] != 0)
                .map(|index| {
                    let from = index * width as usize;
                    let name =
                        if width > 1.0 { format!("{from}–{}", from + width as usize - 1) } else { from.to_string() };
                    vec![Cell::Text(name), Cell::Number(self.value(&format!("/train/tokens/counts/{index}"), count))]
                })
                .collect();
            let name = if self.reads_values() { "Sequences" } else { "Texts" };
            let title = format!("{name} learnt from, by number of {tokens}");
            let numbers = table(&title, &[tokens, texts], &rows);
            html.push_str(&figure(&title, &chart::bars(&title, tokens, &bars), &[], &numbers));
        }
        if html.is_empty() {
            return html;
        }
        html = format!("<div class=\"charts\">\n{html}</div>\n");
        if self.number("/train/tokens/median").is_some() {
            let _ = write!(
                html,
                "<p class=\"note\">Learnt from: median {} {tokens}, longest {}.",
                self.value("/train/tokens/median", count),
                self.value("/train/tokens/longest", count)
            );
            if self.number("/train/cut").is_some_and(|cut| cut > 0.0) {
                let _ = write!(
                    html,
                    " Of {} {texts} only a part was learnt from (<code>max_length</code>, <code>batch_tokens</code>).",
                    self.value("/train/cut", count)
                );
            }
            html.push_str("</p>\n");
        }
        html
    }

    pub(super) fn words(&self) -> String {
        let Findings::Texts(findings) = self.findings else { return String::new() };
        let words = &findings.words;
        let list = |words: &Vec<Word>| {
            let word = |word: &Word| format!("{} +{:.1}", word.word, word.weight);
            words.iter().map(word).collect::<Vec<_>>().join(", ")
        };
        let rows: Vec<Vec<Cell>> = self
            .config
            .labels
            .iter()
            .zip(&words.by_label)
            .filter(|(_, words)| !words.is_empty())
            .map(|(label, words)| vec![Cell::Text(label.clone()), Cell::Text(list(words))])
            .collect();
        if rows.is_empty() {
            return String::new();
        }
        let table = table("Words that spoke for each label", &["label", "words that spoke the most for it"], &rows);
        let table = if rows.len() > TALL { table.replacen("class=\"wide\"", "class=\"wide tall\"", 1) } else { table };
        format!(
            "<p>How much a word weighs: the text is read again without it, and its weight is by how much the log-odds of the \
             predicted label, ln <i>p</i>/(1 − <i>p</i>), fall. +0.7 about doubles the odds. The mean over {} held-out texts, of words that \
             stand in two or more of them.</p>\n{table}",
            count(words.texts as f64)
        )
    }

    /// The most confident mistakes.
    pub(super) fn mistakes(&self) -> String {
        let findings = match self.findings {
            Findings::Texts(findings) => findings,
            Findings::Sequences(findings) => return self.wrong_sequences(findings),
            _ => return String::new(),
        };
        if findings.examples == 0 {
            return String::new();
        }
        if findings.mistakes.is_empty() {
            return "<p>None: every held-out text got its label.</p>\n".to_owned();
        }
        let shown = if findings.mistakes.len() < findings.wrong {
            format!(
                "{} of the {} held-out texts that got a wrong label",
                findings.mistakes.len(),
                count(findings.wrong as f64)
            )
        } else if findings.wrong == 1 {
            "The only held-out text that got a wrong label".to_owned()
        } else {
            format!("All {} held-out texts that got a wrong label", findings.wrong)
        };
        let mut html = format!(
            "<p>{shown}, the surest first. <mark class=\"for\" style=\"--w:.25\">Words for</mark> the predicted label, \
             <mark class=\"against\" style=\"--w:.25\">words against</mark> it, weighed as above; where a label is wrong in the data, it shows here.</p>\n<ol class=\"mistakes\">\n"
        );
        for mistake in &findings.mistakes {
            html.push_str(&self.mistake(mistake));
        }
        html + "</ol>\n"
    }

    fn wrong_sequences(&self, findings: &SequenceMistakes) -> String {
        if findings.mistakes.is_empty() {
            return "<p>None: every held-out sequence got its label.</p>\n".to_owned();
        }
        let label = |label: usize| Cell::Text(self.config.labels[label].clone());
        let row = |wrong: &WrongSequence| {
            let (name, sure) = (Cell::Text(wrong.name.clone()), Cell::Number(percent(wrong.probability)));
            vec![name, label(wrong.label), label(wrong.predicted), sure, Cell::Number(count(wrong.steps as f64))]
        };
        let rows: Vec<Vec<Cell>> = findings.mistakes.iter().map(row).collect();
        let head = ["sequence", "label", "said", "probability", "steps"];
        format!(
            "<p>{} of {} that got a wrong label, the surest first; the sequence's name is that of <code>validation.csv</code>.</p>\n{}",
            count(findings.mistakes.len() as f64),
            count(findings.wrong as f64),
            table("Held-out sequences that got a wrong label", &head, &rows)
        )
    }

    fn mistake(&self, mistake: &Mistake) -> String {
        let (label, predicted) = (&self.config.labels[mistake.label], &self.config.labels[mistake.predicted]);
        let mut html = format!(
            "<li>\n<p><strong>{}</strong>, said <strong>{}</strong> with {}</p>\n<blockquote>{}</blockquote>\n",
            escape(label),
            escape(predicted),
            percent(mistake.probability),
            marked(&mistake.text, &mistake.parts)
        );
        let mut parts: Vec<&Part> = mistake.parts.iter().filter(|part| part.weight.abs() >= 0.05).collect();
        parts.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        let named: Vec<String> = parts
            .into_iter()
            .take(NAMED)
            .map(|part| format!("{} {:+.1}", excerpt(&mistake.text[part.place.clone()], 40), part.weight))
            .collect();
        if !named.is_empty() {
            let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(&named.join(", ")));
        }
        html + "</li>\n"
    }

    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

fn range(bin: &Value) -> String {
    let (from, to) = (bin["from"].as_u64().unwrap_or(0), bin["to"].as_u64().unwrap_or(0));
    if from == to { from.to_string() } else { format!("{from}–{to}") }
}

fn excerpt(text: &str, characters: usize) -> String {
    let mut cut: String = text.chars().take(characters).collect();
    if text.chars().nth(characters).is_some() {
        cut.push('…');
    }
    cut
}

/// The text, the words that matter marked: the more, the deeper.
fn marked(text: &str, parts: &[Part]) -> String {
    let end = text.char_indices().nth(EXCERPT).map_or(text.len(), |(at, _)| at);
    let largest = parts.iter().map(|part| part.weight.abs()).fold(0.5, f64::max);
    let (mut html, mut at) = (String::new(), 0);
    for part in parts.iter().filter(|part| part.place.end <= end) {
        html.push_str(&escape(&text[at..part.place.start]));
        let word = escape(&text[part.place.clone()]);
        let depth = part.weight.abs() / largest;
        let class = if part.weight > 0.0 { "for" } else { "against" };
        let _ = match depth {
            0.1.. => write!(html, "<mark class=\"{class}\" style=\"--w:{:.2}\">{word}</mark>", 0.45 * depth),
            _ => write!(html, "{word}"),
        };
        at = part.place.end;
    }
    html.push_str(&escape(&text[at..end]));
    if end < text.len() {
        html.push('…');
    }
    html
}
