//! Windows of a time series: the rows that a network reads and those that it predicts.

use crate::data::normalise;
use crate::data::number_table::Table;
use crate::float_model::{Channel, Forecast};
use crate::model::Model;
use crate::nn::network::Input;
use crate::recipe::Anchor;
use crate::train::{Sample, Steps, Target};
use std::ops::Range;

/// A normalised time series from which windows are taken. A window is identified by `start`, the index of the first row
/// to predict; the network reads the `window` rows before it.
pub struct Windows<'a> {
    forecast: &'a Forecast,
    channels: &'a [Channel],
    table: &'a Table,
    /// The normalised numbers, `[rows][channels]`; missing ones are replaced as by [`normalise`](normalise::normalise).
    normalised: Vec<Vec<f32>>,
    /// The index of each target among the channels.
    pub(super) targets: Vec<usize>,
}

impl<'a> Windows<'a> {
    /// Normalises a table. Its columns must be those of `channels`, in the same order, and include the targets of
    /// `forecast`.
    pub fn new(table: &'a Table, channels: &'a [Channel], forecast: &'a Forecast) -> Self {
        let index = |target: &String| channels.iter().position(|channel| channel.name == *target);
        Windows {
            forecast,
            channels,
            table,
            normalised: normalise::normalise(channels, table.rows.iter()),
            targets: forecast.targets.iter().filter_map(index).collect(),
        }
    }

    /// Returns the normalised rows before `start` that the network reads: `[window * channels]`.
    fn steps(&self, start: usize) -> Vec<f32> {
        self.normalised[start - self.forecast.window..start].concat()
    }

    /// Returns the normalised number that is added to the network's outputs for a target: the last number before
    /// `start`, or the mean, which is 0. `channel`: the index of the target among the channels.
    fn anchor(&self, start: usize, channel: usize) -> f32 {
        match self.forecast.anchor {
            Anchor::Last => self.normalised[start - 1][channel],
            Anchor::Mean => 0.0,
        }
    }

    /// Returns those of `starts` whose windows have at least one known number to predict. The table must have all rows
    /// to predict.
    pub(super) fn starts_with_targets(&self, starts: Range<usize>) -> impl Iterator<Item = usize> {
        starts.filter(|&start| {
            let predicted = &self.table.rows[start..start + self.forecast.horizon];
            predicted.iter().any(|row| self.targets.iter().any(|&target| !row[target].is_nan()))
        })
    }

    /// Returns the samples of those windows of `starts` that have a known number to predict. The targets are normalised
    /// and relative to the anchor, `[horizon * targets]`; NaN if missing.
    pub fn samples(&self, starts: Range<usize>) -> Vec<Sample> {
        let sample = |start: usize| {
            let mut targets = Vec::new();
            for row in start..start + self.forecast.horizon {
                for &channel in &self.targets {
                    // From the table, where a missing number is NaN; in `self.normalised` it is replaced.
                    let number = self.channels[channel].normalise(self.table.rows[row][channel]);
                    targets.push(number - self.anchor(start, channel));
                }
            }
            let steps = Steps::Values { values: self.steps(start), channels: self.channels.len() };
            Sample::new(steps, Target::Values(targets))
        };
        self.starts_with_targets(starts).map(sample).collect()
    }

    /// Predicts the `horizon` rows from `start` on, in the units of the table: `[horizon * targets]`. `start` may be
    /// the number of rows of the table.
    pub fn predict(&self, model: &dyn Model, start: usize) -> Vec<f64> {
        // The method is named after the unit of logits; for a forecast it returns the normalised outputs.
        let outputs = model.outputs(Input::Values(&self.steps(start))).nats();
        let mut numbers = Vec::new();
        for (output, &channel) in outputs.iter().zip(self.targets.iter().cycle()) {
            let normalised = output + f64::from(self.anchor(start, channel));
            numbers.push(self.channels[channel].denormalise(normalised));
        }
        numbers
    }

    /// Returns the number of a row and a channel, in the units of the table. A missing number is replaced by the last
    /// known number before it, or by the mean if there is none.
    pub(super) fn filled(&self, row: usize, channel: usize) -> f64 {
        self.channels[channel].denormalise(f64::from(self.normalised[row][channel]))
    }
}
