//! The training and validation data of forecasting: windows of a time series.

use super::{DrawnSeries, ForecastFigures, Windows, forecast_windows};
use crate::architecture::InputLayer;
use crate::data::normalise;
use crate::data::number_table::{self, ColumnSelection, Table};
use crate::file_error::FileError;
use crate::float_model::{Channel, Config, FloatModel, Forecast, files};
use crate::recipe::Recipe;
use crate::report::Measurements;
use crate::tasks::descriptions::{CALIBRATION_ROWS, describe_channels, describe_validation, save_table};
use crate::tasks::interface::TaskData;
use crate::train::{CrossValidation, Objective, Problem, Units};
use crate::vocabulary::Vocabulary;
use crate::weights::Weights;
use anyhow::Context;
use serde_json::json;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tern_format::Task;

/// The time series of a recipe, split into a training set and a validation split.
#[derive(Clone, Debug)]
pub struct SeriesData {
    /// The file of the table.
    path: PathBuf,
    /// The normalisation of each channel, computed from the training rows.
    channels: Vec<Channel>,
    /// Window, horizon, targets, season, and the value to which outputs are relative (`anchor`).
    forecast: Forecast,
    /// The samples, the architecture and the objective of the training.
    pub(super) problem: Problem,
    /// All rows, in the order of time.
    table: Table,
    /// Number of training rows. The rows after them are the validation split.
    train_rows: usize,
}

impl SeriesData {
    /// Reads the recipe's table. The validation split is the end of the table, or the recipe's second table. Training
    /// samples predict training rows only. Validation samples predict validation rows, but the first ones read training
    /// rows. Fails if a table cannot be read or has too few rows, or if no row to predict has a known target.
    pub fn read(recipe: &Recipe) -> Result<Self, FileError> {
        let path = recipe.data.train.as_path();
        let (table, train_rows) = read_tables(recipe)?;
        let forecast = Forecast {
            window: recipe.forecast.window,
            horizon: recipe.forecast.horizon,
            // The first column is predicted if the recipe names no targets.
            targets: match recipe.forecast.targets.as_slice() {
                [] => vec![table.names[0].clone()],
                targets => targets.to_vec(),
            },
            anchor: recipe.forecast.anchor,
            season: recipe.forecast.season,
        };
        let (rows, Forecast { window, horizon, .. }) = (table.rows.len(), &forecast);
        check_row_counts(recipe, train_rows, rows - train_rows)?;
        let channels = normalise::fit(&table.names, table.rows[..train_rows].iter());
        let windows = Windows::new(&table, &channels, &forecast);
        let outputs = horizon * forecast.targets.len();
        let target_stds: Vec<f32> = windows.targets.iter().map(|&target| channels[target].std as f32).collect();
        let architecture = recipe.model.architecture_for(InputLayer::Values { channels: channels.len() }, outputs);
        // A sample is identified by the first row that it predicts. The last sample predicts the last `horizon` rows.
        let train = windows.samples(*window..train_rows + 1 - horizon);
        let valid = windows.samples(train_rows.max(*window)..rows + 1 - horizon);
        let units = Units { scale: target_stds.repeat(*horizon), ..Units::default() };
        let problem = Problem { units, ..Problem::new(architecture, Objective::Values, train, valid) };
        for (samples, part) in [(&problem.train, "training"), (&problem.valid, "validation")] {
            if samples.is_empty() {
                let problem = format!("no {part} window, expected one whose next {horizon} rows have a known target");
                return Err(FileError::new(path, problem));
            }
        }
        Ok(SeriesData { path: path.to_owned(), forecast, problem, train_rows, channels, table })
    }

    /// Returns the number of training rows that the first validation window and its seasonal forecast read.
    fn rows_before_validation(&self) -> usize {
        self.forecast.window.max(self.forecast.season).min(self.train_rows)
    }

    /// Returns the rows that a training sample reads and predicts. `sample`: the sample's index in the training set.
    fn rows(&self, sample: usize) -> Range<usize> {
        let Forecast { window, horizon, .. } = self.forecast;
        let windows = Windows::new(&self.table, &self.channels, &self.forecast);
        let last_start = self.train_rows - horizon;
        // For an index after the last sample, which does not occur, the last rows are returned.
        let start = windows.starts_with_targets(window..last_start + 1).nth(sample).unwrap_or(last_start);
        start - window..start + horizon
    }
}

/// Reads the recipe's training table and, if it names one, its validation table. Returns the rows of both in one table,
/// and the number of training rows.
fn read_tables(recipe: &Recipe) -> Result<(Table, usize), FileError> {
    let data = &recipe.data;
    let selection = ColumnSelection {
        numbers: &data.columns,
        required: &recipe.forecast.targets,
        layout: data.layout(),
        ..ColumnSelection::default()
    };
    let mut table = number_table::read(&data.train, &selection)?;
    let rows = table.rows.len();
    let Some(valid) = &data.valid else {
        let valid_rows = (rows as f64 * data.valid_fraction).round() as usize;
        return Ok((table, rows - valid_rows));
    };
    let validation = number_table::read(valid, &ColumnSelection { numbers: &table.names, ..selection })?;
    table.rows.extend(validation.rows);
    table.lines.extend(validation.lines);
    Ok((table, rows))
}

/// Fails if there are too few training rows for a window and its horizon, or too few validation rows for a horizon.
fn check_row_counts(recipe: &Recipe, train_rows: usize, valid_rows: usize) -> Result<(), FileError> {
    let path = recipe.data.train.as_path();
    let (window, horizon) = (recipe.forecast.window, recipe.forecast.horizon);
    if train_rows < window + horizon {
        let purpose = format!(
            "in the training set; window is {window} and horizon {horizon} in [forecast], {valid_rows} rows are for \
             validation"
        );
        return Err(too_few(path, train_rows, window + horizon, &purpose));
    }
    if valid_rows < horizon {
        let remedy = match &recipe.data.valid {
            Some(valid) => format!("{}; add rows there", valid.display()),
            None => "the validation split; raise valid_fraction in [data]".to_owned(),
        };
        return Err(too_few(path, valid_rows, horizon, &format!("in {remedy} or lower horizon in [forecast]")));
    }
    Ok(())
}

/// Returns the error for a file with too few rows. `purpose`: the use of the rows, and advice.
fn too_few(path: &Path, found: usize, expected: usize, purpose: &str) -> FileError {
    FileError::new(path, format!("{found} rows, expected {expected} or more: {purpose}"))
}

impl TaskData for SeriesData {
    fn problem(&self) -> &Problem {
        &self.problem
    }

    fn set_cross_validation(&mut self, found: Option<CrossValidation>) {
        self.problem.cross_validation = found;
    }

    fn describe(&self, recipe: &Recipe, note: &dyn Fn(String)) {
        let SeriesData { channels, forecast, problem, table, train_rows, .. } = self;
        note(format!(
            "{train_rows} training rows, {} validation rows at the end; reads {} rows, predicts the next {} rows of {}",
            table.rows.len() - *train_rows,
            forecast.window,
            forecast.horizon,
            forecast.targets.join(", ")
        ));
        describe_validation(problem, "windows", note);
        describe_channels(recipe, problem, channels, table, note);
    }

    fn model(&self, name: &str, weights: Weights) -> anyhow::Result<FloatModel> {
        let mut config = Config::new(name, Task::Forecast, &self.problem.architecture);
        config.channels = self.channels.clone();
        config.forecast = Some(self.forecast.clone());
        Ok(FloatModel::new(config, Vocabulary::none(), weights, Vec::new(), Vec::new())?)
    }

    fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let SeriesData { table, train_rows, .. } = self;
        // The first validation windows read training rows, so these are saved too.
        let validation_rows = train_rows - self.rows_before_validation()..table.rows.len();
        save_table(dir, files::VALIDATION, &[], table, validation_rows)?;
        save_table(dir, files::CALIBRATION, &[], table, 0..CALIBRATION_ROWS.min(*train_rows))
    }

    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measurements> {
        let SeriesData { table, train_rows, .. } = self;
        let windows = forecast_windows(model, table, *train_rows).context("the model has no forecast settings")?;
        let figures = ForecastFigures::new(&windows, &self.forecast);
        Ok(Measurements {
            validation: figures.to_json(),
            train: json!({ "rows": train_rows }),
            baselines: None,
            lines: figures.lines(),
            report: Arc::new(DrawnSeries::new(&windows, &self.forecast)),
        })
    }

    fn place(&self, sample: usize) -> String {
        let rows = self.rows(sample);
        let lines = &self.table.lines;
        format!("{}: lines {} to {}", self.path.display(), lines[rows.start], lines[rows.end - 1])
    }
}
