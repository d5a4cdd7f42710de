//! The errors of a model's forecasts and of two simple methods: repeating the last number, and repeating the last
//! season.

use super::Windows;
use crate::data::number_table::Table;
use crate::float_model::Forecast;
use crate::model::Model;
use rayon::prelude::*;
use serde_json::{Map, Value, json};

/// The index of the model in lists of methods.
pub const MODEL: usize = 0;
/// The index of the method that repeats the last number before the predicted rows.
pub const NAIVE: usize = 1;
/// The index of the method that repeats the number one season earlier.
pub const SEASONAL: usize = 2;

/// The prefix of each method's errors in JSON, and its name in the lines of `tern eval`.
const METHODS: [(&str, &str); 3] =
    [("", "this model"), ("naive_", "last number repeated"), ("seasonal_naive_", "one season earlier")];

/// The sums of the errors of one method, in the units of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    /// The sum of the absolute errors.
    absolute: f64,
    /// The sum of the squared errors.
    squared: f64,
    /// Number of errors; 0 for the seasonal method if the model has no season.
    pub count: usize,
}

impl Errors {
    /// Adds the error of one predicted number.
    fn add(&mut self, forecast: f64, truth: f64) {
        self.absolute += (forecast - truth).abs();
        self.squared += (forecast - truth).powi(2);
        self.count += 1;
    }

    /// Returns the mean absolute error; 0 if there are no errors.
    pub fn mae(&self) -> f64 {
        self.absolute / self.count.max(1) as f64
    }

    /// Returns the root mean squared error; 0 if there are no errors.
    pub fn rmse(&self) -> f64 {
        (self.squared / self.count.max(1) as f64).sqrt()
    }
}

/// The forecasts of one window by each method, in the units of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowForecast {
    /// The index of the first predicted row.
    pub start: usize,
    /// The forecast of each method: `[methods][horizon * targets]`. The seasonal method repeats the number one season
    /// earlier, or as many seasons earlier as lead to a row before `start`. It is empty if the model has no season.
    pub methods: [Vec<f64>; 3],
    /// The true numbers, `[horizon * targets]`; NaN if missing.
    pub truth: Vec<f64>,
}

/// Forecasts every window of `table` whose predicted rows begin at row `first` or later and contain a known number.
/// Returns `None` if the model has no forecast settings.
pub fn forecast_windows(model: &dyn Model, table: &Table, first: usize) -> Option<Vec<WindowForecast>> {
    let forecast = model.config().forecast.as_ref()?;
    let windows = Windows::new(table, &model.config().channels, forecast);
    let &Forecast { window, horizon, season, .. } = forecast;
    // A forecast from the row `start` on needs `window` rows before it and, for the seasonal method, `season` rows.
    let first_start = first.max(window).max(season);
    // The last forecast predicts the last `horizon` rows.
    let end_of_starts = (table.rows.len() + 1).saturating_sub(horizon);
    let starts: Vec<usize> = windows.starts_with_targets(first_start..end_of_starts).collect();
    let targets = &windows.targets;
    let forecast_from = |&start: &usize| {
        // The row and the channel of each predicted number.
        let predicted = || (start..start + horizon).flat_map(|row| targets.iter().map(move |&channel| (row, channel)));
        let a_season_before = |(row, channel): (usize, usize)| {
            // The last season before `start` is repeated as often as the horizon needs.
            let seasons_back = (row - start) / season + 1;
            windows.filled(row - seasons_back * season, channel)
        };
        let naive = predicted().map(|(_, channel)| windows.filled(start - 1, channel)).collect();
        let seasonal = if season > 0 { predicted().map(a_season_before).collect() } else { Vec::new() };
        let truth = predicted().map(|(row, channel)| table.rows[row][channel]).collect();
        WindowForecast { start, methods: [windows.predict(model, start), naive, seasonal], truth }
    };
    Some(starts.par_iter().map(forecast_from).collect())
}

/// The errors of each method on the same numbers, in the units of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct ForecastFigures {
    /// Number of windows.
    pub windows: usize,
    /// The errors over all predicted rows, by method.
    pub all: [Errors; 3],
    /// The errors of the first predicted rows of all windows, of the second ones, and so on: `[horizon][methods]`.
    by_step: Vec<[Errors; 3]>,
}

/// Forecasts every window of `table` as [`forecast_windows`] does, and measures the errors. Returns `None` if the model
/// has no forecast settings.
pub fn evaluate(model: &dyn Model, table: &Table, first: usize) -> Option<ForecastFigures> {
    let windows = forecast_windows(model, table, first)?;
    Some(ForecastFigures::new(&windows, model.config().forecast.as_ref()?))
}

impl ForecastFigures {
    /// Measures the errors of forecasts. Missing numbers are left out.
    pub fn new(windows: &[WindowForecast], forecast: &Forecast) -> Self {
        let (mut all, mut by_step) = ([Errors::default(); 3], vec![[Errors::default(); 3]; forecast.horizon]);
        for window in windows {
            for (index, &truth) in window.truth.iter().enumerate().filter(|(_, truth)| !truth.is_nan()) {
                let step = index / forecast.targets.len();
                for (method, forecasts) in window.methods.iter().enumerate() {
                    // Without a season, the seasonal method has no forecasts.
                    if let Some(&forecast) = forecasts.get(index) {
                        all[method].add(forecast, truth);
                        by_step[step][method].add(forecast, truth);
                    }
                }
            }
        }
        ForecastFigures { windows: windows.len(), all, by_step }
    }

    /// Returns the object for `metrics.json` and `tern eval --json`.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("examples".to_owned(), json!(self.windows));
        object.insert("numbers".to_owned(), json!(self.all[MODEL].count));
        object.extend(errors_to_json(&self.all));
        for (key, method) in [("rmse_to_naive", NAIVE), ("rmse_to_seasonal_naive", SEASONAL)] {
            // The seasonal method has no errors if the model has no season.
            if method == NAIVE || self.all[method].count > 0 {
                object.insert(key.to_owned(), json!(self.all[MODEL].rmse() / self.all[method].rmse()));
            }
        }
        let mut steps = Vec::new();
        for (index, errors) in self.by_step.iter().enumerate() {
            let mut step = Map::from_iter([("step".to_owned(), json!(index + 1))]);
            step.extend(errors_to_json(errors));
            steps.push(Value::Object(step));
        }
        object.insert("by_step".to_owned(), Value::Array(steps));
        Value::Object(object)
    }

    /// Returns the figures as lines of text.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{} windows, {} numbers", self.windows, self.all[MODEL].count),
            format!("{:<24}{:>12} {:>12} {:>14}", "", "MAE", "RMSE", "of naive RMSE"),
        ];
        for ((_, name), errors) in METHODS.iter().zip(&self.all).filter(|(_, errors)| errors.count > 0) {
            let share = 100.0 * errors.rmse() / self.all[NAIVE].rmse();
            lines.push(format!("{name:<24}{:>12.4} {:>12.4} {share:>12.1} %", errors.mae(), errors.rmse()));
        }
        lines
    }
}

/// Returns the errors of the methods, with keys that begin with the prefixes of [`METHODS`]. The seasonal method is
/// left out if it has no forecasts.
fn errors_to_json(methods: &[Errors; 3]) -> Map<String, Value> {
    let mut object = Map::new();
    for (method, ((prefix, _), errors)) in METHODS.iter().zip(methods).enumerate() {
        if method != SEASONAL || errors.count > 0 {
            object.insert(format!("{prefix}mae"), json!(errors.mae()));
            object.insert(format!("{prefix}rmse"), json!(errors.rmse()));
        }
    }
    object
}
