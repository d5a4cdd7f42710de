//! Training data: tables of labelled texts and of numbers from files, folders and the Hugging Face hub, and their
//! splits.
//!
//! [`read`] reads labelled texts from every kind of [`Source`]. [`number_table`] reads tables of numbers. [`read_text`]
//! reads plain text. [`save`](fn@save) writes a table in another format. Errors name the file, the line and what was
//! expected.
//!
//! [`hold_out`] chooses the validation rows and [`partition`] separates them from the others. [`split`](fn@split)
//! divides rows in given shares, [`folds`] divides them for a cross-validation, and [`sample`] draws some of them.
//!
//! [`sequences`] groups the rows of a table into sequences, [`Windows`] cuts sequences into windows, [`normalise`]
//! scales channels to mean 0 and standard deviation 1, and [`Statistics`] counts labels and lengths.

mod delimited;
mod encoding;
mod error;
mod folder;
#[cfg(feature = "hub")]
mod hub;
mod labels;
mod lines;
pub mod normalise;
pub mod number_table;
#[cfg(feature = "hub")]
mod parquet;
mod read;
mod save;
pub mod sequences;
mod source;
mod split;
mod statistics;
mod table;
mod text;
mod windows;

pub use delimited::Layout;
pub use encoding::read as read_text;
pub use labels::{distinct_labels, labels_to_indices};
pub use read::read;
pub use save::{Format, save};
pub use sequences::{Sequence, Sequences};
pub use source::{Place, Source, is_hub, is_plain_text};
pub use split::{folds, hold_out, partition, sample, sample_indices, split};
pub use statistics::{Lengths, Statistics};
pub use table::{Columns, Example, Row, read_saved, write};
pub use windows::Windows;

#[cfg(test)]
mod tests;
