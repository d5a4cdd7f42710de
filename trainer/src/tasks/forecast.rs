//! Forecasts of a series: windows of it, what comes after them, and what simple forecasts say.

mod drawn_series;
mod forecast_page;
mod series_training;

pub use drawn_series::{Series, TargetLines};
pub use series_training::SeriesData;

use crate::architecture::InputLayer;
use crate::data::normalise;
use crate::data::number_table::{self, NumberTableError, Table, Wanted};
use crate::float_model::{Channel, Config, Forecast};
use crate::model::Sequential;
use crate::nn::network::Input;
use crate::recipe::{Anchor, Recipe};
use crate::task::Task;
use crate::train::{Objective, Problem, Sample, Steps, Target, Units};
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use std::ops::Range;

/// The data of a training.
#[derive(Clone, Debug)]
pub struct PreparedSeries {
    /// How numbers are normalised, learnt from the rows to learn from.
    pub channels: Vec<Channel>,
    /// What is read and said.
    pub forecast: Forecast,
    /// What is to be learnt.
    pub problem: Problem,
    /// All rows, in the order of time.
    pub table: Table,
    /// Rows to learn from: the first ones. What comes after them is held out.
    pub train_rows: usize,
}

/// Reads the recipe's table of a series and holds out its end, or what its second table says.
///
/// No row of what is held out is a target of what is learnt. What is held out is forecast from the rows before it, which
/// may be rows to learn from.
///
/// # Errors
///
/// See [`NumberTableError`].
pub fn prepare(recipe: &Recipe) -> Result<PreparedSeries, NumberTableError> {
    let data = &recipe.data;
    let delimiter = data.delimiter.and_then(|c| u8::try_from(c).ok());
    let path = data.train.as_path();
    let mut table = number_table::read(path, &Wanted { texts: &[], numbers: &data.columns, delimiter })?;
    let train_rows = match &data.valid {
        Some(valid) => {
            let rows = table.rows.len();
            let held_out = number_table::read(valid, &Wanted { texts: &[], numbers: &table.names, delimiter })?;
            table.rows.extend(held_out.rows);
            table.lines.extend(held_out.lines);
            rows
        }
        None => table.rows.len() - (table.rows.len() as f64 * data.valid_fraction).round() as usize,
    };
    let forecast = Forecast {
        window: recipe.forecast.window,
        horizon: recipe.forecast.horizon,
        targets: match recipe.forecast.targets.as_slice() {
            [] => vec![table.names[0].clone()],
            targets => targets.to_vec(),
        },
        anchor: recipe.forecast.anchor,
        season: recipe.forecast.season,
    };
    if let Some(target) = forecast.targets.iter().find(|target| !table.names.contains(target)) {
        let (path, wanted, found) = (path.to_owned(), target.clone(), table.names.clone());
        return Err(NumberTableError::MissingColumn { path, wanted, found, key: "targets in [forecast]" });
    }
    let (rows, Forecast { window, horizon, .. }) = (table.rows.len(), &forecast);
    let too_short =
        |found, expected, why: String| NumberTableError::TooShort { path: path.to_owned(), found, expected, why };
    if train_rows < window + horizon {
        let why =
            format!("[forecast] reads {window} rows and says {horizon}, and {} rows are held out", rows - train_rows);
        return Err(too_short(train_rows, window + horizon, format!("of those to learn from; {why}")));
    }
    if rows - train_rows < *horizon {
        let why = "of those that are held out; raise valid_fraction in [data] or lower horizon in [forecast]";
        return Err(too_short(rows - train_rows, *horizon, why.to_owned()));
    }
    let channels = normalise::learn(&table.names, table.rows[..train_rows].iter());
    let windows = Windows::new(&table, &channels, &forecast);
    let outputs = horizon * forecast.targets.len();
    let scale = windows.targets.iter().map(|&target| channels[target].std).collect::<Vec<_>>().repeat(*horizon);
    let problem = Problem {
        architecture: recipe.model.reading(InputLayer::Values { channels: channels.len() }, outputs),
        objective: Objective::Values,
        train: windows.samples(*window..train_rows + 1 - horizon),
        valid: windows.samples(train_rows.max(*window)..rows + 1 - horizon),
        units: Units { characters: 0, scale },
        embeddings: None,
        cut: 0,
    };
    for (samples, what) in [(&problem.train, "to learn from"), (&problem.valid, "held out")] {
        if samples.is_empty() {
            return Err(too_short(0, 1, format!("windows {what} after which a number is known")));
        }
    }
    Ok(PreparedSeries { forecast, problem, train_rows, channels, table })
}

impl PreparedSeries {
    /// Rows before the held-out ones that are needed to forecast these, and by the seasonal baseline.
    pub fn before(&self) -> usize {
        self.forecast.window.max(self.forecast.season).min(self.train_rows)
    }

    /// The rows that a sample to learn from reads and says.
    pub fn rows(&self, sample: usize) -> Range<usize> {
        let Forecast { window, horizon, .. } = self.forecast;
        let windows = Windows::new(&self.table, &self.channels, &self.forecast);
        let mut starts = windows.starts(window..self.train_rows + 1 - horizon);
        let start = starts.nth(sample).unwrap_or(self.train_rows - horizon);
        start - window..start + horizon
    }

    /// The configuration of the model.
    pub fn config(&self, name: &str) -> Config {
        let mut config = Config::of(name, Task::Forecast, &self.problem.architecture);
        config.channels = self.channels.clone();
        config.forecast = Some(self.forecast.clone());
        config
    }
}

/// A series as a network and simple forecasts see it.
pub struct Windows<'a> {
    forecast: &'a Forecast,
    channels: &'a [Channel],
    table: &'a Table,
    /// `[rows][channels]`, nothing missing.
    normal: Vec<Vec<f32>>,
    /// The targets' channels.
    targets: Vec<usize>,
}

impl<'a> Windows<'a> {
    /// table: with the columns of `channels`, in their order; the targets are among them.
    pub fn new(table: &'a Table, channels: &'a [Channel], forecast: &'a Forecast) -> Self {
        let index = |target: &String| channels.iter().position(|channel| channel.name == *target);
        Windows {
            forecast,
            channels,
            table,
            normal: normalise::normalise(channels, table.rows.iter()),
            targets: forecast.targets.iter().filter_map(index).collect(),
        }
    }

    /// What the network reads before row `start`.
    fn steps(&self, start: usize) -> Vec<f32> {
        self.normal[start - self.forecast.window..start].concat()
    }

    /// The normalised number from which an output for row `start` and later is counted.
    fn anchor(&self, start: usize, target: usize) -> f32 {
        match self.forecast.anchor {
            Anchor::Last => self.normal[start - 1][target],
            Anchor::Mean => 0.0,
        }
    }

    /// Those of `starts` after which a number is known.
    fn starts(&self, starts: Range<usize>) -> impl Iterator<Item = usize> {
        starts.filter(|&start| {
            let said = &self.table.rows[start..start + self.forecast.horizon];
            said.iter().any(|row| self.targets.iter().any(|&target| !row[target].is_nan()))
        })
    }

    /// The samples whose first said row is in `starts`, but for those after which no number is known.
    pub fn samples(&self, starts: Range<usize>) -> Vec<Sample> {
        let sample = |start: usize| {
            let values = (start..start + self.forecast.horizon).flat_map(|row| {
                self.targets.iter().map(move |&target| {
                    let Channel { mean, std, .. } = &self.channels[target];
                    (self.table.rows[row][target] - mean) / std - self.anchor(start, target)
                })
            });
            let values: Vec<f32> = values.collect();
            let steps = Steps::Values { values: self.steps(start), channels: self.channels.len() };
            Sample { steps, target: Target::Values(values) }
        };
        self.starts(starts).map(sample).collect()
    }

    /// What a model says of the rows from `start` on, in the numbers' own units: `[horizon * targets]`.
    pub fn predict(&self, model: &dyn Sequential, start: usize) -> Vec<f64> {
        let outputs = model.outputs(Input::Values(&self.steps(start))).nats();
        let each = outputs.iter().zip(self.targets.iter().cycle());
        each.map(|(&output, &target)| self.real(output as f32 + self.anchor(start, target), target)).collect()
    }

    fn real(&self, normal: f32, target: usize) -> f64 {
        let Channel { mean, std, .. } = &self.channels[target];
        f64::from(*mean) + f64::from(*std) * f64::from(normal)
    }

    /// The number that is taken for row `row` of a target where it is known before row `start`: the number itself, or
    /// the last one before it.
    fn known(&self, row: usize, target: usize) -> f64 {
        self.real(self.normal[row][target], target)
    }
}

/// Sums of the errors of one way to forecast.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    absolute: f64,
    squared: f64,
    count: usize,
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

/// What a model and the simple forecasts say of the rows from one on, in the numbers' own units.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The first row that is said.
    pub start: usize,
    /// The model: `[horizon * targets]`.
    pub model: Vec<f64>,
    /// The last number again.
    pub naive: Vec<f64>,
    /// The same place in the last season that is known; empty where there is no season.
    pub seasonal: Vec<f64>,
    /// The numbers; NaN where one is not known.
    pub truth: Vec<f64>,
}

/// Forecasts after every window of `table` whose said rows begin at `first` or later and of which a number is known.
/// `None` of a model that does not forecast.
pub fn say(model: &dyn Sequential, table: &Table, first: usize) -> Option<Vec<Said>> {
    let forecast = model.config().forecast.as_ref()?;
    let windows = Windows::new(table, &model.config().channels, forecast);
    let &Forecast { window, horizon, season, .. } = forecast;
    let first = first.max(window).max(season);
    let starts: Vec<usize> = windows.starts(first..(table.rows.len() + 1).saturating_sub(horizon)).collect();
    let targets = &windows.targets;
    let say = |&start: &usize| {
        let places =
            || (0..horizon * targets.len()).map(|at| (start + at / targets.len(), targets[at % targets.len()]));
        let seasonal = |(row, target): (usize, usize)| {
            let back = (row - start) / season + 1;
            windows.known(row - back * season, target)
        };
        Said {
            start,
            model: windows.predict(model, start),
            naive: places().map(|(_, target)| windows.known(start - 1, target)).collect(),
            seasonal: if season > 0 { places().map(seasonal).collect() } else { Vec::new() },
            truth: places().map(|(row, target)| f64::from(table.rows[row][target])).collect(),
        }
    };
    Some(starts.par_iter().map(say).collect())
}

/// How a model and the simple forecasts do on the same numbers, in the numbers' own units.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Windows that were forecast.
    pub windows: usize,
    /// Over all rows that are said.
    pub all: Ways,
    /// By how many rows ahead: of the first row that is said, the second and so on.
    pub by_step: Vec<Ways>,
}

/// The errors of the ways to forecast.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ways {
    /// The model.
    pub model: Errors,
    /// The last number again.
    pub naive: Errors,
    /// The number of a season before; where the model has a season.
    pub seasonal: Option<Errors>,
}

impl Ways {
    fn add(&mut self, said: &Said, at: usize) {
        let truth = said.truth[at];
        if truth.is_nan() {
            return;
        }
        self.model.add(said.model[at], truth);
        self.naive.add(said.naive[at], truth);
        if let Some(seasonal) = said.seasonal.get(at) {
            self.seasonal.get_or_insert_default().add(*seasonal, truth);
        }
    }

    /// Name in JSON and for people, and errors.
    fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, Errors)> {
        let all = [
            ("", "this model", Some(self.model)),
            ("naive_", "the last number again", Some(self.naive)),
            ("seasonal_naive_", "a season before", self.seasonal),
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

/// Forecasts after every window of `table` whose said rows begin at `first` or later, and compares with the numbers that
/// are known.
pub fn compare(model: &dyn Sequential, table: &Table, first: usize) -> Option<Comparison> {
    let said = say(model, table, first)?;
    Some(Comparison::new(&said, model.config().forecast.as_ref()?))
}

impl Comparison {
    /// Of what was said.
    pub fn new(said: &[Said], forecast: &Forecast) -> Self {
        let targets = forecast.targets.len();
        let (mut all, mut by_step) = (Ways::default(), vec![Ways::default(); forecast.horizon]);
        for said in said {
            for at in 0..said.truth.len() {
                all.add(said, at);
                by_step[at / targets].add(said, at);
            }
        }
        Comparison { windows: said.len(), all, by_step }
    }

    /// For `metrics.json` and `tern eval --json`.
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
        let step = |(step, ways): (usize, &Ways)| {
            let mut object = Map::from_iter([("step".to_owned(), json!(step + 1))]);
            object.extend(ways.to_json());
            Value::Object(object)
        };
        object.insert("by_step".to_owned(), self.by_step.iter().enumerate().map(step).collect());
        Value::Object(object)
    }

    /// For people.
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

#[cfg(test)]
mod tests;
