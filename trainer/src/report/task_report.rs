//! The interface between the report and the tasks: each task describes itself in words and adds its sections.

use super::elements::Format;
use super::html_page::HtmlPage;
use crate::float_model::Config;
use maud::Markup;
use std::fmt::Debug;

/// A figure: its JSON pointer, its name, and how it is written. A pointer below `/export` is one of `export.json`,
/// another one of `metrics.json`.
pub type SummaryFigure = (&'static str, &'static str, Format);

/// A section of the page: its id, its title and its content.
pub type Section = (&'static str, &'static str, Markup);

/// The words in which the page and the card describe models of one task.
pub struct TaskWording {
    /// The purpose of a model, as a sentence without its full stop.
    pub purpose: fn(&Config) -> String,
    /// The figures at the top of the page and in the card, the most important one first.
    pub figures: &'static [SummaryFigure],
    /// The name of the loss in the learning curves.
    pub loss: &'static str,
    /// The plural noun for what the float model and the device file are compared on.
    pub compared: &'static str,
    /// The plural noun for the validation examples, and the JSON pointer of their number.
    pub validation: (&'static str, &'static str),
    /// The plural noun for the training examples, and the JSON pointer of their number.
    pub training: (&'static str, &'static str),
    /// True if the validation split has a share of each class, false if it is the end of the data.
    pub splits_classes: bool,
    /// The files in the model directory that hold the validation split and the calibration data.
    pub files: [&'static str; 2],
    /// The Hugging Face Hub's identifier of the task, and its name.
    pub hub_task: (&'static str, &'static str),
    /// The plural noun for the inputs, and the limits of the model.
    pub intended_use: (&'static str, &'static str),
    /// Example commands, given the model directory and the validation file.
    pub commands: fn(&str, &str) -> String,
}

/// The part of a report that depends on the task.
pub trait TaskReport: Debug + Send + Sync {
    /// The words for models of this task.
    fn wording(&self) -> &'static TaskWording;

    /// The sections of the page between the learning curves and the export. Empty ones are left out.
    fn sections(&self, page: &HtmlPage<'_>) -> Vec<Section>;
}
