//! The sections of a forecast: the predicted beside the actual values, and the errors.

use super::{Series, TargetLines};
use crate::float_model::files;
use crate::report::chart::{self, Colour, FIRST, INK, Line, SECOND, THIRD};
use crate::report::elements::{Cell, count, exact, figure, nothing, percent, table};
use crate::report::html_page::HtmlPage;
use crate::report::{Section, TaskReport, TaskWording};
use maud::{Markup, html};

/// A method of forecasting.
struct Method {
    /// The prefix of its metrics in `metrics.json`.
    prefix: &'static str,
    name: &'static str,
    /// Its class in the style sheet.
    class: &'static str,
    colour: Colour,
}

/// This model and the two simple methods that it is compared with.
const METHODS: [Method; 3] = [
    Method { prefix: "", name: "this model", class: "first", colour: FIRST },
    Method { prefix: "naive_", name: "last value repeated", class: "second", colour: SECOND },
    Method { prefix: "seasonal_naive_", name: "value a season before", class: "third", colour: THIRD },
];

/// The words for forecasts in the report.
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
    splits_classes: false,
    files: [files::VALIDATION, files::CALIBRATION],
    hub_task: ("time-series-forecasting", "Time series forecasting"),
    intended_use: (
        "data",
        "It predicts values without an interval: compare its error with those of the naive forecasts above. It does not follow a \
         series whose behaviour changes. It was not tested on other data.",
    ),
    commands: |folder, validation| format!("tern predict {folder} {folder}/{validation}"),
};

impl TaskReport for Series {
    fn wording(&self) -> &'static TaskWording {
        &WORDING
    }

    fn sections(&self, page: &HtmlPage<'_>) -> Vec<Section> {
        vec![
            ("forecast", "Forecast and actual values", forecast(page, self)),
            ("errors", "Errors", page.forecast_errors()),
        ]
    }
}

/// The validation rows and their forecasts.
fn forecast(page: &HtmlPage<'_>, findings: &Series) -> Markup {
    if findings.targets.is_empty() {
        return nothing();
    }
    let horizon = page.config.forecast.as_ref().map_or(1, |forecast| forecast.horizon);
    html! {
        p {
            "The validation rows, counted from the first one that is forecast. Each is forecast once, " (horizon) " at a time, from "
            "the rows before it."
            @if findings.left_out > 0 { " The first " (findings.left_out) " rows are not drawn." }
        }
        div.charts { @for target in &findings.targets { (target_charts(target)) } }
    }
}

impl HtmlPage<'_> {
    /// The errors of each method, in total and by the number of rows ahead.
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

/// The charts of one column: the model's forecast and those of the simple methods, each beside the actual values.
fn target_charts(target: &TargetLines) -> Markup {
    let chart = |title: String, forecasts: &[(&Vec<(f64, f64)>, &Method)]| {
        let mut lines = vec![Line { points: target.truth.clone(), colour: INK, dots: false }];
        let mut legend = vec![("ink", "actual values")];
        for (points, method) in forecasts.iter().filter(|(points, _)| !points.is_empty()) {
            lines.push(Line { points: (*points).clone(), colour: method.colour, dots: false });
            legend.push((method.class, method.name));
        }
        figure(&title, &chart::lines(&title, "validation row", &lines, None), &legend, &nothing())
    };
    let [model, naive, seasonal] = &METHODS;
    html! {
        (chart(format!("{}: forecast and actual values", target.name), &[(&target.model, model)]))
        (chart(
            format!("{}: simple forecasts and actual values", target.name),
            &[(&target.naive, naive), (&target.seasonal, seasonal)],
        ))
    }
}
