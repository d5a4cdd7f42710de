//! The comparison of two language models or two forecasts, by their losses on the same tokens or windows.

use super::interface::{CommandOutput, NamedModel};
use serde_json::{Map, json};

/// Number of consecutive blocks into which the differences of the losses are divided.
const BLOCKS: usize = 20;
/// The 97.5 % quantile of Student's t distribution with `BLOCKS - 1` degrees of freedom.
const STUDENT_T: f64 = 2.093_024_054_408_263;

/// The losses of one of the two models.
pub struct ModelLosses<'a> {
    /// The model and its path.
    pub model: &'a NamedModel<'a>,
    /// One loss for each token or window, in the order of the data.
    pub losses: Vec<f64>,
    /// Further figures that are shown, each with its name, which is also the key in JSON.
    pub figures: Vec<(&'static str, f64)>,
}

/// Compares the losses of A and B on the same tokens or windows. Both must have the same number of losses. `unit`:
/// "tokens" or "windows". `loss`: the name of the loss.
pub fn compare([a, b]: [ModelLosses<'_>; 2], unit: &str, loss: &str) -> CommandOutput {
    let differences: Vec<f64> = b.losses.iter().zip(&a.losses).map(|(b, a)| b - a).collect();
    let (examples, difference) = (differences.len(), mean(&differences));
    let interval = confidence_interval(&differences);
    let verdict = verdict_of(&differences, interval, unit);

    let to_json = |side: &ModelLosses<'_>| {
        let mut object = Map::from_iter([
            ("model".to_owned(), json!(side.model.path)),
            ("mean_loss".to_owned(), json!(mean(&side.losses))),
        ]);
        object.extend(side.figures.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        object
    };
    let json = json!({
        "examples": examples,
        "unit": unit,
        "loss": loss,
        "a": to_json(&a),
        "b": to_json(&b),
        "difference": difference,
        "difference_interval": interval,
        "verdict": verdict,
    });

    let mut lines = Vec::new();
    for (letter, side) in [("A", &a), ("B", &b)] {
        lines.push(format!("{letter}  {}", side.model.path.display()));
        let figures = side.figures.iter().map(|(name, value)| format!("  {} {value:.4}", name.replace('_', " ")));
        lines.push(format!("   loss {:.4}{}", mean(&side.losses), figures.collect::<String>()));
    }
    lines.push(format!("loss         {loss}, mean over {examples} {unit}"));
    lines.push(format!("difference   {difference:+.4} (B - A)"));
    if let Some([low, high]) = interval {
        lines.push(format!("95 % interval {low:+.4} to {high:+.4}, from the means of {BLOCKS} consecutive blocks"));
    }
    lines.extend([String::new(), format!("{verdict}.")]);
    CommandOutput { json, lines }
}

/// Returns the mean; 0 if `numbers` is empty.
fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

/// Returns the ends of the 95 % confidence interval of the mean difference. Neighbouring differences depend on each
/// other, so the interval is computed from the means of consecutive blocks, which are nearly independent (the method of
/// batch means). `None` if a block would have fewer than two differences.
fn confidence_interval(differences: &[f64]) -> Option<[f64; 2]> {
    let count = differences.len();
    if count < 2 * BLOCKS {
        return None;
    }
    let block_start = |block: usize| block * count / BLOCKS;
    let block_mean = |block: usize| mean(&differences[block_start(block)..block_start(block + 1)]);
    let block_means: Vec<f64> = (0..BLOCKS).map(block_mean).collect();
    let centre = mean(&block_means);
    let squares: f64 = block_means.iter().map(|block_mean| (block_mean - centre).powi(2)).sum();
    let variance = squares / (BLOCKS - 1) as f64;
    let half_width = STUDENT_T * (variance / BLOCKS as f64).sqrt();
    let difference = mean(differences);
    Some([difference - half_width, difference + half_width])
}

/// Returns the result of the comparison as a sentence without a full stop. `differences`: the losses of B minus those
/// of A. `interval`: the result of [`confidence_interval`].
fn verdict_of(differences: &[f64], interval: Option<[f64; 2]>, unit: &str) -> String {
    let (examples, difference) = (differences.len(), mean(differences));
    let (better, worse) = if difference > 0.0 { ("A", "B") } else { ("B", "A") };
    let gap = difference.abs();
    match interval {
        _ if differences.iter().all(|difference| *difference == 0.0) => {
            format!("A and B have the same loss on each of the {examples} {unit}")
        }
        None => format!("{examples} {unit} are too few for a verdict: expected {} or more", 2 * BLOCKS),
        Some([low, high]) if low <= 0.0 && high >= 0.0 => format!(
            "no difference is shown: the mean loss of {better} is lower by {gap:.4}, but the interval includes 0"
        ),
        Some(_) => {
            format!("{better} is better than {worse}: its mean loss is lower by {gap:.4}, and the interval excludes 0")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_follows_from_the_interval() {
        let waves = |offset: f64| (0..400).map(|i| offset + f64::from(i).sin()).collect::<Vec<_>>();
        for (differences, expected) in [
            (vec![0.0; 400], "A and B have the same loss on each of the 400 tokens"),
            (vec![0.5; 400], "A is better than B: its mean loss is lower by 0.5000"),
            (waves(-0.5), "B is better than A"),
            (waves(0.0), "no difference is shown"),
            (vec![1.0; 39], "39 tokens are too few for a verdict: expected 40 or more"),
        ] {
            let found = verdict_of(&differences, confidence_interval(&differences), "tokens");
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn repeated_differences_do_not_narrow_the_interval() {
        // Each of 20 numbers, `length` times in a row. `runs(8)` has four times the differences of `runs(2)`, but no
        // more independent ones: the interval keeps its width.
        let runs = |length: usize| (0..20 * length).map(|i| ((i / length * 7) % 20) as f64).collect::<Vec<_>>();
        let width = |differences: &[f64]| confidence_interval(differences).map(|[low, high]| high - low).unwrap();
        assert!((width(&runs(2)) - width(&runs(8))).abs() < 1e-9);
        // t · s / √20 with s² = 35 for the numbers 0 to 19.
        assert!((width(&runs(2)) - 2.0 * STUDENT_T * (35.0f64 / 20.0).sqrt()).abs() < 1e-9);
    }
}
