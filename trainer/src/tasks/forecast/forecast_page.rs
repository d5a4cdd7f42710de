//! Forecasts beside what came.

use super::TargetLines;
use crate::report::chart::{self, FIRST, INK, Line, SECOND, THIRD};
use crate::report::html::{Cell, exact, figure, table};
use crate::report::page::Page;
use crate::tasks::Findings;

/// The ways to forecast: the beginning of their keys in `metrics.json`, their names and colours.
const WAYS: [(&str, &str, &str, chart::Colour); 3] = [
    ("", "this model", "first", FIRST),
    ("naive_", "the last number again", "second", SECOND),
    ("seasonal_naive_", "a season before", "third", THIRD),
];

impl Page<'_> {
    /// The held-out rows, and what was said of them.
    pub(crate) fn forecast(&self) -> String {
        let Findings::Series(findings) = self.findings else { return String::new() };
        if findings.targets.is_empty() {
            return String::new();
        }
        let horizon = self.config.forecast.as_ref().map_or(1, |forecast| forecast.horizon);
        let mut html = format!(
            "<p>The held-out rows, from the first to the last, {}; each is forecast once, {horizon} at a time, from the numbers before it.{}</p>\n\
             <div class=\"charts\">\n",
            "counted from the first one that is forecast",
            match findings.left_out {
                0 => String::new(),
                rows => format!(" The first {rows} are not drawn."),
            }
        );
        for target in &findings.targets {
            html.push_str(&drawn(target));
        }
        html + "</div>\n"
    }

    /// The errors of each way to forecast, and by how many rows ahead.
    pub(crate) fn errors(&self) -> String {
        let ways: Vec<_> =
            WAYS.into_iter().filter(|way| self.number(&key(way.0, "/validation", "mae")).is_some()).collect();
        if ways.is_empty() {
            return String::new();
        }
        let rows: Vec<Vec<Cell>> = ways
            .iter()
            .map(|(way, name, ..)| {
                let at = |figure| Cell::Number(self.value(&key(way, "/validation", figure), exact));
                vec![Cell::Text((*name).to_owned()), at("mae"), at("rmse")]
            })
            .collect();
        let mut html = table("Errors", &["forecast", "mean absolute error", "root mean squared error"], &rows);
        let steps = self.list("/validation/by_step");
        if steps.len() < 2 {
            return html;
        }
        let figure_of = |measure: &str, name: &str| {
            let line = |&(way, _, _, colour): &(&str, &str, &str, chart::Colour)| Line {
                points: (0..steps.len())
                    .filter_map(|step| {
                        let place = format!("/validation/by_step/{step}");
                        Some(((step + 1) as f64, self.number(&key(way, &place, measure))?))
                    })
                    .collect(),
                colour,
                dots: true,
            };
            let lines: Vec<Line> = ways.iter().map(line).collect();
            let legend: Vec<(&str, &str)> = ways.iter().map(|(_, name, class, _)| (*class, *name)).collect();
            let rows: Vec<Vec<Cell>> = (0..steps.len())
                .map(|step| {
                    let place = format!("/validation/by_step/{step}");
                    let mut row = vec![Cell::Text((step + 1).to_string())];
                    row.extend(ways.iter().map(|way| Cell::Number(self.value(&key(way.0, &place, measure), exact))));
                    row
                })
                .collect();
            let head: Vec<&str> = std::iter::once("rows ahead").chain(ways.iter().map(|way| way.1)).collect();
            let title = format!("{name} by rows ahead");
            let svg = chart::lines(&title, "rows ahead", &lines, None);
            figure(&title, &svg, &legend, &table(&title, &head, &rows))
        };
        html.push_str("<div class=\"charts\">\n");
        html.push_str(&figure_of("mae", "Mean absolute error"));
        html.push_str(&figure_of("rmse", "Root mean squared error"));
        html + "</div>\n"
    }
}

/// The JSON pointer of a way's figure.
fn key(way: &str, place: &str, figure: &str) -> String {
    format!("{place}/{way}{figure}")
}

fn drawn(target: &TargetLines) -> String {
    let line = |points: &Vec<(f64, f64)>, colour| Line { points: points.clone(), colour, dots: false };
    let title = format!("{}: forecast and truth", target.name);
    let truth = || line(&target.truth, INK);
    let model = [truth(), line(&target.model, FIRST)];
    let mut html = figure(
        &title,
        &chart::lines(&title, "held-out row", &model, None),
        &[("ink", "what came"), ("first", "this model")],
        "",
    );
    let mut simple = vec![truth(), line(&target.naive, SECOND)];
    let mut legend = vec![("ink", "what came"), ("second", "the last number again")];
    if !target.seasonal.is_empty() {
        simple.push(line(&target.seasonal, THIRD));
        legend.push(("third", "a season before"));
    }
    let title = format!("{}: simple forecasts and truth", target.name);
    html.push_str(&figure(&title, &chart::lines(&title, "held-out row", &simple, None), &legend, ""));
    html
}
