//! Forecasting: a model reads `window` rows of a time series and predicts the next `horizon` rows of the target
//! columns. Its errors are compared with those of two simple methods: repeating the last row and, if the recipe names a
//! season, repeating the last season.

mod drawn_series;
mod forecast_figures;
mod series_training;
mod windows;

use drawn_series::DrawnSeries;
pub use forecast_figures::{ForecastFigures, MODEL, NAIVE, WindowForecast, evaluate, forecast_windows};
pub use windows::Windows;

use super::interface::{CommandOutput, NamedModel, PredictOptions, TaskData, TaskHandler};
use super::loss_comparison::{self, ModelLosses};
use crate::data::Layout;
use crate::data::number_table::{self, ColumnSelection, Table};
use crate::float_model::{FloatModel, Forecast, files};
use crate::model::{DataFile, Model};
use crate::paint::Paint;
use crate::recipe::Recipe;
use crate::report::ValidationResult;
use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;

/// The commands of forecasting.
pub struct ForecastTask;

impl TaskHandler for ForecastTask {
    fn prepare(&self, recipe: &mut Recipe, _baselines: bool) -> anyhow::Result<Box<dyn TaskData>> {
        Ok(Box::new(series_training::SeriesData::read(recipe)?))
    }

    fn evaluate(&self, model: &dyn Model, data: &DataFile<'_>, _: Paint) -> anyhow::Result<CommandOutput> {
        let table = read(model, data.path, data.columns.layout)?;
        match evaluate(model, &table, 0).filter(|figures| figures.windows > 0) {
            Some(figures) => Ok(CommandOutput { json: figures.to_json(), lines: figures.lines() }),
            None => Err(too_short(data.path, &table)),
        }
    }

    fn predict(&self, model: &dyn Model, path: &str, options: PredictOptions) -> anyhow::Result<Vec<CommandOutput>> {
        let (config, path) = (model.config(), Path::new(path));
        let forecast = forecast_settings(model)?;
        let table = read(model, path, options.layout)?;
        let (found, expected) = (table.rows.len(), forecast.window);
        if found < expected {
            bail!("{}: {found} rows, expected {expected} or more, the window of the model", path.display());
        }
        let numbers = Windows::new(&table, &config.channels, forecast).predict(model, found);
        let (mut rows, mut lines) = (Vec::new(), vec![format!("step,{}", forecast.targets.join(","))]);
        for (step, row) in numbers.chunks(forecast.targets.len()).enumerate() {
            let by_target = forecast.targets.iter().cloned().zip(row.iter().map(|number| json!(number)));
            rows.push(Value::Object(by_target.collect::<Map<_, _>>()));
            let cells: Vec<String> = row.iter().map(|number| format!("{number:.6}")).collect();
            lines.push(format!("{},{}", step + 1, cells.join(",")));
        }
        Ok(vec![CommandOutput { json: json!({ "forecast": rows, "rows": found }), lines }])
    }

    fn compare(&self, models: [NamedModel<'_>; 2], data: &DataFile<'_>, _: usize) -> anyhow::Result<CommandOutput> {
        let [a, b] = [forecast_settings(models[0].model)?, forecast_settings(models[1].model)?];
        if (&a.targets, a.horizon) != (&b.targets, b.horizon) {
            bail!(
                "{} predicts {} rows of {}, {} predicts {} rows of {}: expected the same columns and the same number of rows, so that \
                 the errors can be compared",
                models[0].path.display(),
                a.horizon,
                a.targets.join(", "),
                models[1].path.display(),
                b.horizon,
                b.targets.join(", ")
            );
        }
        // Both models forecast the same rows, even if their windows or seasons differ.
        let first_start = [a, b].iter().map(|forecast| forecast.window.max(forecast.season)).max().unwrap_or(0);
        // The errors of both models are divided by the variances that the first model was trained with.
        let channels = &models[0].model.config().channels;
        // Every target is a channel of the model, so the default of 1 is not used.
        let std = |target: &String| {
            channels.iter().find(|channel| channel.name == *target).map_or(1.0, |channel| channel.std)
        };
        let stds: Vec<f64> = a.targets.iter().map(std).collect();
        let losses_of = |model| losses(model, data, first_start, &stds);
        let sides = [losses_of(&models[0])?, losses_of(&models[1])?];
        Ok(loss_comparison::compare(sides, "windows", "squared error over the variance"))
    }

    fn validate(&self, model: &FloatModel, dir: &Path) -> anyhow::Result<ValidationResult> {
        let path = dir.join(files::VALIDATION);
        if !path.is_file() {
            return Ok(ValidationResult::none(DrawnSeries::default()));
        }
        let table = read(model, &path, Layout::default())?;
        let forecast = forecast_settings(model)?;
        Ok(match forecast_windows(model, &table, 0) {
            Some(windows) if !windows.is_empty() => {
                let figures = ForecastFigures::new(&windows, forecast);
                ValidationResult { metrics: figures.to_json(), report: Arc::new(DrawnSeries::new(&windows, forecast)) }
            }
            _ => ValidationResult::none(DrawnSeries::default()),
        })
    }
}

/// Returns the forecast settings of a model. Fails if it has none.
fn forecast_settings(model: &dyn Model) -> anyhow::Result<&Forecast> {
    model.config().forecast.as_ref().context("`forecast` is missing in config.json")
}

/// Reads a table with the channels of a model. Fails if it cannot be read or lacks a channel.
fn read(model: &dyn Model, path: &Path, layout: Layout) -> anyhow::Result<Table> {
    let columns = model.config().channel_names();
    Ok(number_table::read(path, &ColumnSelection { numbers: &columns, layout, ..ColumnSelection::default() })?)
}

/// Returns the error for a table that has no window with a known number to predict.
fn too_short(path: &Path, table: &Table) -> anyhow::Error {
    let (path, rows) = (path.display(), table.rows.len());
    anyhow::anyhow!("{path}: {rows} rows, expected a window (or season) of the model and then rows with known targets")
}

/// Computes the losses of a model on the windows whose predicted rows begin at `first` or later. `stds`: the standard
/// deviation of each target. Fails if the data cannot be read, or have no such window.
fn losses<'a>(
    model: &'a NamedModel<'a>,
    data: &DataFile<'_>,
    first: usize,
    stds: &[f64],
) -> anyhow::Result<ModelLosses<'a>> {
    let table = read(model.model, data.path, data.columns.layout)?;
    let windows = forecast_windows(model.model, &table, first).unwrap_or_default();
    if windows.is_empty() {
        return Err(too_short(data.path, &table));
    }
    let errors = ForecastFigures::new(&windows, forecast_settings(model.model)?).all[MODEL];
    let losses = windows.iter().map(|window| loss(window, stds)).collect();
    Ok(ModelLosses { model, losses, figures: vec![("rmse", errors.rmse()), ("mae", errors.mae())] })
}

/// Returns the mean squared error of the model's forecast of a window, in which each error is divided by the standard
/// deviation of its target, `stds`. Missing numbers are left out.
fn loss(window: &WindowForecast, stds: &[f64]) -> f64 {
    let (mut sum, mut count) = (0.0, 0usize);
    // The numbers are `[horizon * targets]`, so `stds` is repeated for each row.
    for ((predicted, truth), std) in window.methods[MODEL].iter().zip(&window.truth).zip(stds.iter().cycle()) {
        if !truth.is_nan() {
            sum += ((predicted - truth) / std).powi(2);
            count += 1;
        }
    }
    sum / count.max(1) as f64
}

#[cfg(test)]
mod tests;
