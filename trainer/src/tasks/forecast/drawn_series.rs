//! The lines that the report draws: forecasts of the validation rows and the true numbers.

use super::WindowForecast;
use crate::float_model::Forecast;

/// The most rows that are drawn.
const ROWS: usize = 240;
/// The most targets that are drawn.
const TARGETS: usize = 4;

/// The last held-out rows, each forecast once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// By target.
    pub targets: Vec<TargetLines>,
    /// Held-out rows that are not drawn.
    pub left_out: usize,
}

/// Lines over the held-out rows; x counts them from 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetLines {
    /// The column.
    pub name: String,
    /// The true numbers, where they are known.
    pub truth: Vec<(f64, f64)>,
    /// The model's forecast.
    pub model: Vec<(f64, f64)>,
    /// The last number again.
    pub naive: Vec<(f64, f64)>,
    /// The number of a season before; empty where there is no season.
    pub seasonal: Vec<(f64, f64)>,
}

impl Series {
    /// Picks forecasts that follow on each other without overlap. `windows`: in the order of the rows.
    pub fn new(windows: &[WindowForecast], forecast: &Forecast) -> Self {
        let (horizon, names) = (forecast.horizon, &forecast.targets);
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
            return Series { targets: Vec::new(), left_out: 0 };
        };
        let end = last.start + horizon;
        let from = end.saturating_sub(ROWS).max(first.start);
        let mut targets: Vec<TargetLines> = names
            .iter()
            .take(TARGETS)
            .map(|name| TargetLines { name: name.clone(), ..TargetLines::default() })
            .collect();
        let mut next = from;
        for window in windows.iter().filter(|window| window.start >= from) {
            if window.start < next {
                continue;
            }
            next = window.start + horizon;
            for (at, truth) in window.truth.iter().enumerate() {
                let Some(target) = targets.get_mut(at % names.len()) else { continue };
                let x = (window.start + at / names.len() - first.start + 1) as f64;
                target.truth.extend((!truth.is_nan()).then_some((x, *truth)));
                target.model.push((x, window.model[at]));
                target.naive.push((x, window.naive[at]));
                target.seasonal.extend(window.seasonal.get(at).map(|&value| (x, value)));
            }
        }
        Series { targets, left_out: from - first.start }
    }
}

#[cfg(test)]
mod tests {
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
            model: vec![1.0; 2 * horizon],
            naive: vec![2.0; 2 * horizon],
            seasonal: vec![3.0; 2 * horizon],
            truth: (0..2 * horizon).map(|at| if at == 1 { f64::NAN } else { start as f64 }).collect(),
        };
        let all: Vec<WindowForecast> = (10..20).map(|start| window(start, 3)).collect();
        let found = Series::new(&all, &forecast(3));
        let [a, b] = &found.targets[..] else { panic!("{found:?}") };
        let rows: Vec<f64> = a.model.iter().map(|point| point.0).collect();
        assert_eq!(rows, (1..=12).map(f64::from).collect::<Vec<_>>());
        assert_eq!((a.truth.len(), b.truth.len(), b.seasonal.len(), found.left_out), (12, 8, 12, 0));

        let all: Vec<WindowForecast> = (0..1000).map(|start| window(start, 1)).collect();
        let found = Series::new(&all, &forecast(1));
        assert_eq!((found.targets[0].model.len(), found.left_out), (240, 760));
        assert_eq!(found.targets[0].model[239].0, 1000.0);
        assert!(Series::new(&[], &forecast(1)).targets.is_empty());
    }
}
