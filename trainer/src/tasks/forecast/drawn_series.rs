//! The sections of a forecast in the report: charts of predicted and actual values, and the errors.

use super::WindowForecast;
use crate::float_model::{Forecast, files};
use crate::report::chart::{self, Colour, FIRST, INK, Line, SECOND, THIRD};
use crate::report::elements::{Cell, count, exact, figure, nothing, percent, table};
use crate::report::{ReportInputs, Section, TaskReport, TaskWording};
use maud::{Markup, html};

/// The largest number of rows that are drawn.
const MAX_ROWS: usize = 240;
/// The largest number of targets that are drawn.
const MAX_TARGETS: usize = 4;

/// The last validation rows and their forecasts, which the report draws. Each row is predicted once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DrawnSeries {
    /// The lines of each drawn target.
    pub targets: Vec<TargetLines>,
    /// Number of rows that are forecast but not drawn, because `MAX_ROWS` or more rows follow them.
    pub left_out: usize,
}

/// The lines that are drawn for one target column. A point is a pair (x, y), where x is the number of the validation
/// row, counted from 1 at the first row that is forecast.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetLines {
    /// The name of the column.
    pub name: String,
    /// The true numbers, without missing ones.
    pub truth: Vec<(f64, f64)>,
    /// The forecast of each method, in the order of `METHODS`. The line of the seasonal method is empty if the recipe
    /// has no season.
    pub methods: [Vec<(f64, f64)>; 3],
}

impl DrawnSeries {
    /// Collects the lines for at most the last `MAX_ROWS` predicted rows, from windows whose predicted rows do not
    /// overlap. `windows`: all windows, in the order of their rows.
    pub fn new(windows: &[WindowForecast], forecast: &Forecast) -> Self {
        let (horizon, names) = (forecast.horizon, &forecast.targets);
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return DrawnSeries::default() };
        let first_drawn = (last.start + horizon).saturating_sub(MAX_ROWS).max(first.start);
        let target = |name: &String| TargetLines { name: name.clone(), ..TargetLines::default() };
        let mut targets: Vec<TargetLines> = names.iter().take(MAX_TARGETS).map(target).collect();
        // The rows before this one are drawn already, or are not to be drawn.
        let mut next_row = first_drawn;
        for window in windows {
            if window.start < next_row {
                continue;
            }
            next_row = window.start + horizon;
            // `truth` is `[horizon * targets]`.
            for (index, &truth) in window.truth.iter().enumerate() {
                // Only the first targets are drawn.
                let Some(target) = targets.get_mut(index % names.len()) else { continue };
                let x = (window.start + index / names.len() - first.start + 1) as f64;
                if !truth.is_nan() {
                    target.truth.push((x, truth));
                }
                for (line, forecasts) in target.methods.iter_mut().zip(&window.methods) {
                    if let Some(&value) = forecasts.get(index) {
                        line.push((x, value));
                    }
                }
            }
        }
        DrawnSeries { targets, left_out: first_drawn - first.start }
    }

    /// Returns the charts of the validation rows and their forecasts.
    fn charts(&self, page: &ReportInputs) -> Markup {
        if self.targets.is_empty() {
            return nothing();
        }
        let horizon = page.config.forecast.as_ref().map_or(1, |forecast| forecast.horizon);
        html! {
            p {
                "The validation rows, counted from the first one that is forecast. Each is forecast once, " (horizon) " at a time, from "
                "the rows before it."
                @if self.left_out > 0 { " The first " (self.left_out) " rows are not drawn." }
            }
            div.charts { @for target in &self.targets { (target_charts(target)) } }
        }
    }
}

/// A method of forecasting, as the report shows it.
struct Method {
    /// The prefix of the method's metrics in `metrics.json`.
    prefix: &'static str,
    /// The name in legends and tables.
    name: &'static str,
    /// The class of `colour` in the style sheet.
    class: &'static str,
    /// The colour of the method's lines.
    colour: Colour,
}

/// The model and the two simple methods that it is compared with, in the order of [`TargetLines::methods`].
const METHODS: [Method; 3] = [
    Method { prefix: "", name: "this model", class: "first", colour: FIRST },
    Method { prefix: "naive_", name: "last value repeated", class: "second", colour: SECOND },
    Method { prefix: "seasonal_naive_", name: "value a season before", class: "third", colour: THIRD },
];

/// The wording of the report for forecasts.
static WORDING: TaskWording = TaskWording {
    purpose: |_| "Predicts the next values of a series".to_owned(),
    figures: &[
        ("/validation/rmse", "RMSE (root mean squared error)", exact),
        ("/validation/naive_rmse", "RMSE of the last value repeated", exact),
        ("/validation/seasonal_naive_rmse", "RMSE of the value a season before", exact),
        ("/validation/rmse_to_naive", "RMSE relative to the last value repeated", percent),
        ("/validation/mae", "MAE (mean absolute error)", exact),
        ("/validation/naive_mae", "MAE of the last value repeated", exact),
        ("/validation/seasonal_naive_mae", "MAE of the value a season before", exact),
        ("/train/rows", "training rows", count),
        ("/validation/examples", "validation windows", count),
    ],
    loss: "Loss (mean squared error of normalised values)",
    compared: "windows",
    validation: ("windows", "/validation/examples"),
    training: ("rows", "/train/rows"),
    is_stratified: false,
    files: [files::VALIDATION, files::CALIBRATION],
    hub_task: ("time-series-forecasting", "Time series forecasting"),
    intended_use: (
        "data",
        "It predicts values without an interval: compare its error with those of the naive forecasts above. It does not follow a \
         series whose behaviour changes. It was not tested on other data.",
    ),
    commands: |folder, validation| format!("tern predict {folder} {folder}/{validation}"),
};

impl TaskReport for DrawnSeries {
    fn wording(&self) -> &'static TaskWording {
        &WORDING
    }

    fn sections(&self, page: &ReportInputs) -> Vec<Section> {
        vec![
            ("forecast", "Forecast and actual values", self.charts(page)),
            ("errors", "Errors", page.forecast_errors()),
        ]
    }
}

impl ReportInputs {
    /// Returns the errors of each method, in total and by the number of rows ahead.
    fn forecast_errors(&self) -> Markup {
        let total = |method: &Method, metric| format!("/validation/{}{metric}", method.prefix);
        let methods: Vec<&Method> =
            METHODS.iter().filter(|method| self.number(&total(method, "mae")).is_some()).collect();
        if methods.is_empty() {
            return nothing();
        }
        let row = |method: &&Method| {
            let cell = |metric| self.cell(&total(method, metric), exact);
            vec![Cell::Text(method.name.to_owned()), cell("mae"), cell("rmse")]
        };
        let rows: Vec<Vec<Cell>> = methods.iter().map(row).collect();
        let head = ["forecast", "mean absolute error", "root mean squared error"];
        html! {
            (table("Errors", &head, &rows))
            @if self.list("/validation/by_step").len() > 1 {
                div.charts {
                    (self.errors_by_step(&methods, "mae", "Mean absolute error by rows ahead"))
                    (self.errors_by_step(&methods, "rmse", "Root mean squared error by rows ahead"))
                }
            }
        }
    }

    /// Returns the chart of one metric of each method by the number of rows ahead.
    fn errors_by_step(&self, methods: &[&Method], metric: &str, title: &str) -> Markup {
        let steps = 0..self.list("/validation/by_step").len();
        let pointer = |method: &Method, step: usize| format!("/validation/by_step/{step}/{}{metric}", method.prefix);
        let line = |method: &&Method| {
            let point = |step| Some(((step + 1) as f64, self.number(&pointer(method, step))?));
            Line { points: steps.clone().filter_map(point).collect(), colour: method.colour, dots: true }
        };
        let lines: Vec<Line> = methods.iter().map(line).collect();
        let legend: Vec<_> = methods.iter().map(|method| (method.class, method.name)).collect();
        let row = |step| -> Vec<Cell> {
            let errors = methods.iter().map(|method| self.cell(&pointer(method, step), exact));
            std::iter::once(Cell::Text((step + 1).to_string())).chain(errors).collect()
        };
        let rows: Vec<Vec<Cell>> = steps.clone().map(row).collect();
        let head: Vec<&str> = std::iter::once("rows ahead").chain(methods.iter().map(|method| method.name)).collect();
        figure(title, &chart::lines(title, "rows ahead", &lines, None), &legend, &table(title, &head, &rows))
    }
}

/// Returns two charts of one column: the model's forecast, and those of the simple methods, both with the actual
/// values.
fn target_charts(target: &TargetLines) -> Markup {
    // `methods`: the range of the drawn methods in `METHODS`, whose first one is the model.
    let chart = |forecasts: &str, methods: std::ops::Range<usize>| {
        let mut lines = vec![Line { points: target.truth.clone(), colour: INK, dots: false }];
        let mut legend = vec![("ink", "actual values")];
        for (method, points) in METHODS[methods.clone()].iter().zip(&target.methods[methods]) {
            if !points.is_empty() {
                lines.push(Line { points: points.clone(), colour: method.colour, dots: false });
                legend.push((method.class, method.name));
            }
        }
        let title = format!("{}: {forecasts} and actual values", target.name);
        figure(&title, &chart::lines(&title, "validation row", &lines, None), &legend, &nothing())
    };
    html! { (chart("forecast", 0..1)) (chart("simple forecasts", 1..3)) }
}

#[cfg(test)]
mod tests {
    use super::super::forecast_figures::{MODEL, SEASONAL};
    use super::*;
    use crate::recipe::Anchor;

    #[test]
    fn every_row_is_drawn_once_and_the_last_ones_where_there_are_many() {
        let forecast = |horizon| Forecast {
            window: 4,
            horizon,
            targets: vec!["a".to_owned(), "b".to_owned()],
            anchor: Anchor::Last,
            season: 2,
        };
        let window = |start: usize, horizon: usize| WindowForecast {
            start,
            methods: [1.0, 2.0, 3.0].map(|value| vec![value; 2 * horizon]),
            truth: (0..2 * horizon).map(|at| if at == 1 { f64::NAN } else { start as f64 }).collect(),
        };
        let all: Vec<WindowForecast> = (10..20).map(|start| window(start, 3)).collect();
        let found = DrawnSeries::new(&all, &forecast(3));
        let [a, b] = &found.targets[..] else { panic!("{found:?}") };
        let rows: Vec<f64> = a.methods[MODEL].iter().map(|point| point.0).collect();
        assert_eq!(rows, (1..=12).map(f64::from).collect::<Vec<_>>());
        assert_eq!((a.truth.len(), b.truth.len(), b.methods[SEASONAL].len(), found.left_out), (12, 8, 12, 0));

        let all: Vec<WindowForecast> = (0..1000).map(|start| window(start, 1)).collect();
        let found = DrawnSeries::new(&all, &forecast(1));
        assert_eq!((found.targets[0].methods[MODEL].len(), found.left_out), (240, 760));
        assert_eq!(found.targets[0].methods[MODEL][239].0, 1000.0);
        assert!(DrawnSeries::new(&[], &forecast(1)).targets.is_empty());
    }
}
