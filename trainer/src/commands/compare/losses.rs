//! Two language models, or two forecasts, by their losses on the same tokens or windows.

use super::diebold_mariano::{DieboldMariano, LEAST};
use super::{ALPHA, Args, probability};
use crate::data::number_table::Table;
use crate::model::Sequential;
use crate::tasks::forecast::{self, Said};
use crate::train::Validation;
use anyhow::{Context, bail};
use serde::Serialize;
use std::path::PathBuf;

/// What a comparison of losses says. The keys of `tern compare --json` for language models and forecasts.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Tokens or windows that both models were measured on.
    pub examples: usize,
    /// "tokens" or "windows".
    pub unit: &'static str,
    /// What a loss is.
    pub loss: &'static str,
    /// The one.
    pub a: Side,
    /// The other.
    pub b: Side,
    /// Mean loss of B less that of A.
    pub difference: f64,
    /// Where that lies with 95 % confidence, by the test's standard error; none where nothing was tested.
    pub difference_interval: Option<[f64; 2]>,
    /// Whether that is chance; none of few examples, and where all losses are equal.
    pub diebold_mariano: Option<DieboldMariano>,
    /// The whole in a sentence.
    pub verdict: String,
}

/// One of the two models.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// Its path.
    pub model: PathBuf,
    /// Its mean loss.
    pub mean_loss: f64,
    /// What else is said of it, by name.
    #[serde(flatten)]
    pub figures: Named,
}

/// Figures by name, in their order.
#[derive(Clone, Debug)]
pub struct Named(pub Vec<(&'static str, f64)>);

impl Serialize for Named {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// Compares two language models on a text, token by token.
///
/// # Errors
///
/// Where their tokens are not the same, or the text has too few.
pub fn language(models: [&dyn Sequential; 2], text: &str, args: &Args) -> anyhow::Result<Comparison> {
    // A device file numbers its tokens otherwise.
    let [a, b] = models.map(|model| {
        let mut tokens = model.vocabulary().tokens().to_vec();
        tokens.sort();
        (model.config().tokenizer.clone(), tokens)
    });
    if a != b {
        let name = |(tokenizer, tokens): &(String, Vec<String>)| format!("{} {tokenizer}", tokens.len());
        bail!(
            "{} knows {}, {} knows {}: their tokens are not the same, so that their losses have no pairs; compare their bits per character by \
             `tern eval`",
            args.a.display(),
            name(&a),
            args.b.display(),
            name(&b)
        );
    }
    let characters = text.chars().count();
    let mut losses: Vec<Vec<f64>> = Vec::new();
    let mut sides = Vec::new();
    for (model, path) in models.into_iter().zip([&args.a, &args.b]) {
        let ids = model.vocabulary().encode(text);
        if ids.len() < 2 {
            bail!("{}: fewer than two tokens, expected a text", args.data.display());
        }
        let guesses = model.guesses(&ids);
        let figures = Validation::of_language(&guesses, ids.len(), characters);
        losses.push(guesses.iter().map(|guess| guess.loss).collect());
        let named = [
            ("perplexity", figures.perplexity),
            ("bits_per_character", figures.bits_per_character),
            ("next_token_right", figures.accuracy),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        sides.push((path.clone(), named));
    }
    Ok(Comparison::new("tokens", "cross entropy in nats", &losses, sides, 0))
}

/// Compares two forecasts of the same columns, window by window.
///
/// # Errors
///
/// Where they say other columns or other numbers of rows, or the table is too short.
pub fn forecast(models: [&dyn Sequential; 2], tables: [Table; 2], args: &Args) -> anyhow::Result<Comparison> {
    let [a, b] = models.map(|model| model.config().forecast.as_ref().context("no forecast in config.json"));
    let (a, b) = (a?, b?);
    if (&a.targets, a.horizon) != (&b.targets, b.horizon) {
        bail!(
            "{} says {} rows of {}, {} says {} rows of {}: expected the same columns and as many rows, so that their errors have pairs",
            args.a.display(),
            a.horizon,
            a.targets.join(", "),
            args.b.display(),
            b.horizon,
            b.targets.join(", ")
        );
    }
    // Both forecast the same rows, whatever they read before.
    let first = [a, b].iter().map(|forecast| forecast.window.max(forecast.season)).max().unwrap_or(0);
    let scale: Vec<f64> = a
        .targets
        .iter()
        .map(|target| {
            models[0].config().channels.iter().find(|of| of.name == *target).map_or(1.0, |of| f64::from(of.std))
        })
        .collect();
    let mut losses: Vec<Vec<f64>> = Vec::new();
    let mut sides = Vec::new();
    for ((model, table), path) in models.into_iter().zip(&tables).zip([&args.a, &args.b]) {
        let said = forecast::say(model, table, first).context("no forecast in config.json")?;
        if said.is_empty() {
            bail!("{}: {} rows, too few for a window and what follows it", args.data.display(), table.rows.len());
        }
        let all = forecast::Comparison::new(&said, a).all.model;
        losses.push(said.iter().map(|said| loss(said, &scale)).collect());
        sides.push((path.clone(), vec![("rmse", all.rmse()), ("mae", all.mae())]));
    }
    Ok(Comparison::new("windows", "squared error over the variance", &losses, sides, a.horizon - 1))
}

/// The mean squared error of a window's known numbers, in variances of their columns.
fn loss(said: &Said, scale: &[f64]) -> f64 {
    let errors = said.model.iter().zip(&said.truth).zip(scale.iter().cycle()).filter(|((_, truth), _)| !truth.is_nan());
    let squares = errors.map(|((model, truth), scale)| ((model - truth) / scale).powi(2));
    let (sum, count) = squares.fold((0.0, 0usize), |(sum, count), square| (sum + square, count + 1));
    sum / count.max(1) as f64
}

impl Comparison {
    /// losses: of A and of B, in pairs. overlap: see [`DieboldMariano::new`].
    fn new(
        unit: &'static str,
        loss: &'static str,
        losses: &[Vec<f64>],
        sides: Vec<(PathBuf, Vec<(&'static str, f64)>)>,
        overlap: usize,
    ) -> Self {
        let examples = losses[0].len();
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / examples as f64;
        let differences: Vec<f64> = losses[1].iter().zip(&losses[0]).map(|(b, a)| b - a).collect();
        let difference = mean(&differences);
        let test = DieboldMariano::new(&differences, overlap);
        let interval = test.map(|test| {
            let half = 1.959_963_984_540_054 * test.standard_error;
            [difference - half, difference + half]
        });
        let mut sides = sides.into_iter().zip(losses).map(|((model, figures), losses)| Side {
            model,
            mean_loss: mean(losses),
            figures: Named(figures),
        });
        let (Some(a), Some(b)) = (sides.next(), sides.next()) else { unreachable!("two models are compared") };
        Comparison {
            examples,
            unit,
            loss,
            a,
            b,
            difference,
            difference_interval: interval,
            diebold_mariano: test,
            verdict: verdict(difference, test, examples, unit),
        }
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let names = [&self.a, &self.b].map(|side| side.model.display().to_string());
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let side = |letter: &str, name: &str, side: &Side| {
            let figures = side.figures.0.iter().map(|(name, value)| format!("  {} {value:.4}", name.replace('_', " ")));
            format!("{letter}  {name:width$}  loss {:.4}{}", side.mean_loss, figures.collect::<String>())
        };
        let mut lines = vec![side("A", &names[0], &self.a), side("B", &names[1], &self.b)];
        let within = self
            .difference_interval
            .map_or_else(String::new, |[low, high]| format!("; 95 % between {low:+.4} and {high:+.4}"));
        lines.push(format!(
            "difference   {:+.4} (B - A, {}, {} {}{within})",
            self.difference, self.loss, self.examples, self.unit
        ));
        lines.push(match &self.diebold_mariano {
            Some(test) => format!(
                "Diebold-Mariano  {:.3}, p {} (variance of Newey and West, {} lags)",
                test.statistic,
                probability(test.p),
                test.lags
            ),
            None => "Diebold-Mariano  nothing to test".to_owned(),
        });
        lines.extend([String::new(), format!("{}.", self.verdict)]);
        lines
    }
}

/// The whole in a sentence.
fn verdict(difference: f64, test: Option<DieboldMariano>, examples: usize, unit: &str) -> String {
    let (better, worse) = if difference > 0.0 { ("A", "B") } else { ("B", "A") };
    match test {
        None if examples < LEAST => format!("{examples} {unit} are too few to test: expected {LEAST} or more"),
        None => "A and B have the same losses: nothing here tells them apart".to_owned(),
        Some(test) if test.p < ALPHA => format!(
            "{better} is better than {worse}: its mean loss is lower by {:.4}, which chance would seldom give (p {})",
            difference.abs(),
            probability(test.p)
        ),
        Some(test) => format!(
            "no difference is shown: the mean loss of {better} is lower by {:.4}, which chance may well give (p {})",
            difference.abs(),
            probability(test.p)
        ),
    }
}
