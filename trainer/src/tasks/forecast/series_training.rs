//! A series whose next numbers are learnt.

use super::{Comparison, PreparedSeries, say};
use crate::commands::note;
use crate::float_model::FloatModel;
use crate::recipe::Recipe;
use crate::report::Measurements;
use crate::tasks::{Findings, TaskData, save_tables, say_channels};
use crate::train::Problem;
use crate::vocabulary::Vocabulary;
use crate::weights::Weights;
use anyhow::Context;
use serde_json::json;
use std::path::{Path, PathBuf};

/// A series, and its table.
pub struct SeriesData {
    /// The series.
    pub data: PreparedSeries,
    /// The table.
    pub path: PathBuf,
}

impl TaskData for SeriesData {
    fn problem(&self) -> &Problem {
        &self.data.problem
    }

    fn introduce(&mut self, recipe: &Recipe, _: bool) -> anyhow::Result<()> {
        let PreparedSeries { channels, forecast, problem, table, train_rows } = &self.data;
        note(format_args!(
            "{train_rows} rows to learn from, {} held out from the end; {} rows are read, {} said of {}",
            table.rows.len() - train_rows,
            forecast.window,
            forecast.horizon,
            forecast.targets.join(", ")
        ));
        say_channels(recipe, problem, channels, table);
        Ok(())
    }

    fn model(&self, name: &str, weights: Weights) -> anyhow::Result<FloatModel> {
        Ok(FloatModel::new(self.data.config(name), Vocabulary::none(), weights, Vec::new(), Vec::new())?)
    }

    fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let PreparedSeries { table, train_rows, .. } = &self.data;
        save_tables(dir, &[], (table, train_rows - self.data.before()..table.rows.len()), (table, *train_rows))
    }

    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measurements> {
        let PreparedSeries { table, train_rows, .. } = &self.data;
        let said = say(model, table, *train_rows).context("not a forecast")?;
        let figures = Comparison::new(&said, &self.data.forecast);
        Ok(Measurements {
            validation: figures.to_json(),
            train: json!({ "rows": train_rows }),
            baselines: None,
            lines: figures.lines(),
            findings: Findings::Series(super::Series::new(&said, &self.data.forecast)),
        })
    }

    fn place(&self, sample: usize) -> String {
        let rows = self.data.rows(sample);
        let lines = &self.data.table.lines;
        format!("{}: lines {} to {}", self.path.display(), lines[rows.start], lines[rows.end - 1])
    }
}
