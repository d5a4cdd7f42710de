//! Resamples sequences of numbers to another rate, and cuts them into windows.

use super::number_table::Table;

/// The character between the name of a recording and the number of its window.
const NUMBER_MARK: char = '#';

/// The settings by which the sequences of a table are resampled and cut into windows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Windows {
    /// Rows in a window; 0: whole sequences.
    pub rows: usize,
    /// Share of a window that the next window repeats, 0 to 0.95.
    pub overlap: f64,
    /// Rows per second, first of the table and then of the result; `None`: the table is not resampled.
    pub rates: Option<[f64; 2]>,
}

impl Windows {
    /// Returns true if [`apply`](Self::apply) returns tables unchanged.
    pub fn are_whole(&self) -> bool {
        self.rows == 0 && self.rates.is_none()
    }

    /// Returns the name of the recording that a window was cut from, given the name of the window.
    pub fn recording(name: &str) -> &str {
        name.rsplit_once(NUMBER_MARK).map_or(name, |(recording, _)| recording)
    }

    /// Resamples and cuts each recording of a table: consecutive rows with the same first text. Each window becomes a
    /// sequence named `RECORDING#NUMBER`, with numbers from 1. A recording with fewer rows than a window becomes one
    /// window. Rows at the end of a longer recording that do not fill a window are left out. If [`rows`](Self::rows) is
    /// 0, recordings keep their names and are resampled only.
    pub fn apply(&self, table: Table) -> Table {
        if self.are_whole() {
            return table;
        }
        let Table { names, rows, texts, lines } = table;
        let mut cut = Table { names, rows: Vec::new(), texts: vec![Vec::new(); texts.len()], lines: Vec::new() };
        let mut start = 0;
        // Each turn cuts one recording, whose first row is `start`.
        while start < rows.len() {
            let name = &texts[0][start];
            let row_count = texts[0][start..].iter().take_while(|other| *other == name).count();
            let recording = &rows[start..start + row_count];
            let resampled = match self.rates {
                Some(rates) => resample(recording, rates),
                None => recording.to_vec(),
            };
            for (number, window) in (1..).zip(self.ranges(resampled.len())) {
                for row in window {
                    // The row of the file at the same time, whose line is the line of the resampled row.
                    let source_row = start + row * row_count / resampled.len();
                    cut.lines.push(lines[source_row]);
                    cut.rows.push(resampled[row].clone());
                    for (column, texts_of_column) in texts.iter().enumerate() {
                        let text = match column {
                            // The name of the window.
                            0 if self.rows > 0 => format!("{name}{NUMBER_MARK}{number}"),
                            _ => texts_of_column[start].clone(),
                        };
                        cut.texts[column].push(text);
                    }
                }
            }
            start += row_count;
        }
        cut
    }

    /// Returns the row ranges of the windows of a recording with `rows` rows.
    fn ranges(&self, rows: usize) -> Vec<std::ops::Range<usize>> {
        let window = if self.rows == 0 { rows } else { self.rows.min(rows) };
        let stride = ((window as f64 * (1.0 - self.overlap)).round() as usize).max(1);
        (0..=rows - window).step_by(stride).map(|start| start..start + window).collect()
    }
}

/// Resamples rows from the rate `from` to the rate `to`, in rows per second. At a lower rate, each row is the mean of
/// the rows in its time, which reduces aliasing; at a higher rate, rows are interpolated linearly. A mean ignores
/// missing numbers; an interpolated number is missing if a number that it depends on is.
fn resample(rows: &[Vec<f64>], [from, to]: [f64; 2]) -> Vec<Vec<f64>> {
    let ratio = from / to;
    // Rounding may leave the quotient just below a whole number, hence the addition.
    let count = ((rows.len() as f64 / ratio + 1e-9).floor() as usize).max(1);
    let channels = rows.first().map_or(0, Vec::len);
    let mut resampled = Vec::with_capacity(count);
    for index in 0..count {
        // The time of the new row, where each old row lasts from its index to the next.
        let start = index as f64 * ratio;
        let resample_channel = |channel: usize| {
            // The last row is repeated where rounding or an interpolation goes beyond it.
            let value = |row: usize| rows[row.min(rows.len() - 1)][channel];
            if ratio > 1.0 {
                mean(value, start, (start + ratio).min(rows.len() as f64))
            } else {
                interpolate(value, start)
            }
        };
        resampled.push((0..channels).map(resample_channel).collect());
    }
    resampled
}

/// Returns the mean of a channel over the time from `start` to `end`, in rows. `value` returns the channel's number in
/// a row. The weight of a row is the share of it that lies within this time; missing numbers have weight 0. NaN if all
/// numbers are missing.
fn mean(value: impl Fn(usize) -> f64, start: f64, end: f64) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for row in start.floor() as usize..end.ceil() as usize {
        let share = (end.min(row as f64 + 1.0) - start.max(row as f64)).max(0.0);
        let value = value(row);
        if !value.is_nan() && share > 0.0 {
            sum += share * value;
            weight += share;
        }
    }
    if weight > 0.0 { sum / weight } else { f64::NAN }
}

/// Returns the number of a channel at a time between two rows, in rows, by linear interpolation. `value`: as in
/// [`mean`].
fn interpolate(value: impl Fn(usize) -> f64, time: f64) -> f64 {
    let (row, share) = (time.floor() as usize, time.fract());
    if share < 1e-9 { value(row) } else { (1.0 - share) * value(row) + share * value(row + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two recordings of one channel: `a` counts from 0, `b` has three rows.
    fn table(rows_of_a: usize) -> Table {
        let names: Vec<String> = std::iter::repeat_n("a", rows_of_a).chain(["b"; 3]).map(str::to_owned).collect();
        let labels = names.iter().map(|name| format!("label {name}")).collect();
        Table {
            names: vec!["x".to_owned()],
            rows: (0..names.len()).map(|row| vec![row as f64]).collect(),
            lines: (0..names.len() as u64).map(|row| row + 2).collect(),
            texts: vec![names, labels],
        }
    }

    #[test]
    fn windows_overlap_and_short_recordings_stay_whole() {
        let windows = Windows { rows: 4, overlap: 0.5, rates: None };
        let cut = windows.apply(table(9));
        let expected = ["a#1", "a#2", "a#3", "b#1"].map(|name| (name, if name == "b#1" { 3 } else { 4 }));
        let count = |name: &str| cut.texts[0].iter().filter(|found| *found == name).count();
        assert_eq!(expected.map(|(name, _)| (name, count(name))), expected);
        assert_eq!(cut.rows[4..8], [[2.0], [3.0], [4.0], [5.0]]);
        assert_eq!((cut.lines[4], cut.texts[1][12].as_str()), (4, "label b"));
        assert_eq!(Windows::recording("a#1#12"), "a#1");
        assert_eq!(Windows::default().apply(table(9)), table(9));
    }

    #[test]
    fn a_lower_rate_averages_and_a_higher_one_interpolates() {
        let rates = |from, to| Windows { rates: Some([from, to]), ..Windows::default() };
        let values = |table: Table| table.rows.concat();
        assert_eq!(values(rates(100.0, 50.0).apply(table(5))), [0.5, 2.5, 5.5]);
        // Of `a`, each row takes two and a half rows: 0, 1 and half of 2; half of 2, 3 and 4.
        assert_eq!(values(rates(25.0, 10.0).apply(table(5))), [0.8, 3.2, 5.8]);
        assert_eq!(values(rates(50.0, 100.0).apply(table(2))), [0.0, 0.5, 1.0, 1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.0]);
        let mut missing = table(4);
        missing.rows[1][0] = f64::NAN;
        assert_eq!(values(rates(2.0, 1.0).apply(missing)), [0.0, 2.5, 4.5]);
    }

    /// A sine above half of the lower rate must not appear as a slow one: its mean nearly vanishes.
    #[test]
    fn fast_movements_do_not_appear_as_slow_ones() {
        let sine = |row: usize| vec![(std::f64::consts::TAU * 45.0 * row as f64 / 100.0).sin()];
        let rows: Vec<Vec<f64>> = (0..1000).map(sine).collect();
        let largest = |rows: &[Vec<f64>]| rows.iter().map(|row| row[0].abs()).fold(0.0, f64::max);
        assert!(largest(&resample(&rows, [100.0, 50.0])) < 0.2 * largest(&rows));
    }
}
