//! What the two classification tasks share: the analysis of predictions, their figures as text and JSON, and the comparison of two classifiers.

pub mod analysis;
pub mod class_figures;
pub mod label_comparison;
mod mcnemar;

pub use analysis::Analysis;
