//! The figures at the top of a report and in a model card.

use super::elements::{Format, count, exact, percent};
use crate::task::Task;

/// A figure: its JSON pointer, its name, and how it is written. A pointer below `/export` is one of `export.json`, another one of
/// `metrics.json`.
pub type SummaryFigure = (&'static str, &'static str, Format);

/// The figures of a task, the most important one first.
pub fn summary_figures(task: Task) -> &'static [SummaryFigure] {
    match task {
        Task::Classify => &[
            ("/validation/accuracy", "validation accuracy", percent),
            ("/validation/majority_accuracy", "accuracy of the most frequent label", percent),
            ("/validation/macro_f1", "macro F1", exact),
            ("/validation/loss", "validation loss (cross-entropy)", exact),
            ("/validation/calibration/ece", "expected calibration error", exact),
            ("/export/integer_accuracy", "accuracy in integers", percent),
            ("/train_examples", "training rows", count),
            ("/validation/examples", "validation rows", count),
        ],
        Task::LanguageModel => &[
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
        Task::Forecast => &[
            ("/validation/rmse", "RMSE (root mean squared error)", exact),
            ("/validation/naive_rmse", "RMSE of the last value repeated", exact),
            ("/validation/seasonal_naive_rmse", "RMSE of the value a season before", exact),
            ("/validation/rmse_to_naive", "RMSE relative to the last value repeated", percent),
            ("/validation/mae", "MAE (mean absolute error)", exact),
            ("/validation/naive_mae", "MAE of the last value repeated", exact),
            ("/validation/seasonal_naive_mae", "MAE of the value a season before", exact),
            ("/train/rows", "training rows", count),
            ("/validation/examples", "validation windows", count),
        ],
    }
}
