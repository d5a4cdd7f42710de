//! The common parts of the two classification tasks: the analysis of predictions, their figures as text and JSON, and
//! the comparison of two classifiers.

pub mod analysis;
pub mod class_figures;
pub mod label_comparison;
mod mcnemar;
mod validation_metrics;

pub use analysis::Analysis;
pub use validation_metrics::{TrainingStats, add_baselines, measurements, validation};

use crate::report::SummaryFigure;
use crate::report::elements::{count, exact, percent};

/// The figures of a classifier in the report, the most important one first.
pub const SUMMARY_FIGURES: &[SummaryFigure] = &[
    ("/validation/accuracy", "validation accuracy", percent),
    ("/validation/majority_accuracy", "accuracy of the most frequent label", percent),
    ("/validation/macro_f1", "macro F1", exact),
    ("/validation/loss", "validation loss (cross-entropy)", exact),
    ("/validation/calibration/ece", "expected calibration error", exact),
    ("/export/integer_accuracy", "accuracy in integers", percent),
    ("/train_examples", "training rows", count),
    ("/validation/examples", "validation rows", count),
];
