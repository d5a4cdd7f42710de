//! The errors of a model's forecasts, beside those of two methods that need no training.

use super::Windows;
use crate::data::number_table::Table;
use crate::float_model::Forecast;
use crate::model::Model;
use rayon::prelude::*;
use serde_json::{Map, Value, json};

/// The sums of the errors of one method.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    absolute: f64,
    squared: f64,
    /// Number of errors.
    pub count: usize,
}

impl Errors {
    fn add(&mut self, found: f64, expected: f64) {
        self.absolute += (found - expected).abs();
        self.squared += (found - expected).powi(2);
        self.count += 1;
    }

    /// Mean absolute error.
    pub fn mae(&self) -> f64 {
        self.absolute / self.count.max(1) as f64
    }

    /// Root of the mean squared error.
    pub fn rmse(&self) -> f64 {
        (self.squared / self.count.max(1) as f64).sqrt()
    }
}

/// The forecasts of one window by the model and by the simple methods, in the units of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowForecast {
    /// The first predicted row.
    pub start: usize,
    /// The model's forecast: `[horizon * targets]`.
    pub model: Vec<f64>,
    /// The last number of the window, repeated.
    pub naive: Vec<f64>,
    /// The number one season earlier, or as many seasons as it takes to reach the window. Empty without a season.
    pub seasonal: Vec<f64>,
    /// The true numbers; NaN if missing.
    pub truth: Vec<f64>,
}

/// Forecasts every window of `table` whose predicted rows begin at `first` or later and hold a known number.
/// `None` if the model has no forecast settings.
pub fn forecast_windows(model: &dyn Model, table: &Table, first: usize) -> Option<Vec<WindowForecast>> {
    let forecast = model.config().forecast.as_ref()?;
    let windows = Windows::new(table, &model.config().channels, forecast);
    let &Forecast { window, horizon, season, .. } = forecast;
    let first = first.max(window).max(season);
    let starts: Vec<usize> = windows.starts(first..(table.rows.len() + 1).saturating_sub(horizon)).collect();
    let targets = &windows.targets;
    let forecast = |&start: &usize| {
        let places =
            || (0..horizon * targets.len()).map(|at| (start + at / targets.len(), targets[at % targets.len()]));
        let seasonal = |(row, target): (usize, usize)| {
            let back = (row - start) / season + 1;
            windows.known(row - back * season, target)
        };
        WindowForecast {
            start,
            model: windows.predict(model, start),
            naive: places().map(|(_, target)| windows.known(start - 1, target)).collect(),
            seasonal: if season > 0 { places().map(seasonal).collect() } else { Vec::new() },
            truth: places().map(|(row, target)| table.rows[row][target]).collect(),
        }
    };
    Some(starts.par_iter().map(forecast).collect())
}

/// The errors of a model and of the simple methods on the same numbers, in the units of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct ForecastFigures {
    /// Number of windows.
    pub windows: usize,
    /// The errors over all predicted rows.
    pub all: MethodErrors,
    /// The errors by how many rows ahead: `[horizon]`.
    pub by_step: Vec<MethodErrors>,
}

/// The errors of each method.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MethodErrors {
    /// The model.
    pub model: Errors,
    /// The last number of the window, repeated.
    pub naive: Errors,
    /// The number one season earlier, if the model has a season.
    pub seasonal: Option<Errors>,
}

impl MethodErrors {
    fn add(&mut self, window: &WindowForecast, at: usize) {
        let truth = window.truth[at];
        if truth.is_nan() {
            return;
        }
        self.model.add(window.model[at], truth);
        self.naive.add(window.naive[at], truth);
        if let Some(seasonal) = window.seasonal.get(at) {
            self.seasonal.get_or_insert_default().add(*seasonal, truth);
        }
    }

    /// Each method's prefix in JSON, its name and its errors.
    fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, Errors)> {
        let all = [
            ("", "this model", Some(self.model)),
            ("naive_", "last number repeated", Some(self.naive)),
            ("seasonal_naive_", "one season earlier", self.seasonal),
        ];
        all.into_iter().filter_map(|(key, name, errors)| Some((key, name, errors?)))
    }

    fn to_json(self) -> Map<String, Value> {
        let mut object = Map::new();
        for (key, _, errors) in self.each() {
            object.insert(format!("{key}mae"), json!(errors.mae()));
            object.insert(format!("{key}rmse"), json!(errors.rmse()));
        }
        object
    }
}

/// Forecasts every window of `table` whose predicted rows begin at `first` or later, and measures the errors.
pub fn evaluate(model: &dyn Model, table: &Table, first: usize) -> Option<ForecastFigures> {
    let windows = forecast_windows(model, table, first)?;
    Some(ForecastFigures::new(&windows, model.config().forecast.as_ref()?))
}

impl ForecastFigures {
    /// Measures the errors of forecasts.
    pub fn new(windows: &[WindowForecast], forecast: &Forecast) -> Self {
        let targets = forecast.targets.len();
        let (mut all, mut by_step) = (MethodErrors::default(), vec![MethodErrors::default(); forecast.horizon]);
        for window in windows {
            for at in 0..window.truth.len() {
                all.add(window, at);
                by_step[at / targets].add(window, at);
            }
        }
        ForecastFigures { windows: windows.len(), all, by_step }
    }

    /// The object for `metrics.json` and `tern eval --json`.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("examples".to_owned(), json!(self.windows));
        object.insert("numbers".to_owned(), json!(self.all.model.count));
        object.extend(self.all.to_json());
        let naive = self.all.naive.rmse();
        object.insert("rmse_to_naive".to_owned(), json!(self.all.model.rmse() / naive));
        if let Some(seasonal) = self.all.seasonal {
            object.insert("rmse_to_seasonal_naive".to_owned(), json!(self.all.model.rmse() / seasonal.rmse()));
        }
        let step = |(step, errors): (usize, &MethodErrors)| {
            let mut object = Map::from_iter([("step".to_owned(), json!(step + 1))]);
            object.extend(errors.to_json());
            Value::Object(object)
        };
        object.insert("by_step".to_owned(), self.by_step.iter().enumerate().map(step).collect());
        Value::Object(object)
    }

    /// The figures as lines of text.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{} windows, {} numbers", self.windows, self.all.model.count),
            format!("{:<24}{:>12} {:>12} {:>14}", "", "MAE", "RMSE", "of naive RMSE"),
        ];
        for (_, name, errors) in self.all.each() {
            let share = 100.0 * errors.rmse() / self.all.naive.rmse();
            lines.push(format!("{name:<24}{:>12.4} {:>12.4} {share:>12.1} %", errors.mae(), errors.rmse()));
        }
        lines
    }
}
