//! HTML elements that the sections of a report share, and the formats of its numbers.

use maud::{Markup, html};

/// The style sheet of the page.
pub const STYLE: &str = include_str!("style.css");

/// The number of rows above which a table has its own scroll bar.
const MAX_TALL_ROWS: usize = 30;
/// The number of columns above which each row becomes a list on a narrow screen.
const MAX_PHONE_COLUMNS: usize = 3;

/// A cell of a table.
pub enum Cell {
    /// Left-aligned text; in the first column the name of the row.
    Text(String),
    /// A right-aligned number.
    Number(Markup),
}

/// Returns a table. `name`: its name for screen readers; `head`: the titles of the columns.
pub fn table<S: AsRef<str>>(name: &str, head: &[S], rows: &[Vec<Cell>]) -> Markup {
    let title = |column: usize| head.get(column).map_or("", S::as_ref);
    // The title of a column is aligned as the cell of the first row: to the left unless that is a number.
    let is_text = |column: usize| match rows.first() {
        Some(row) => !matches!(row.get(column), Some(Cell::Number(_))),
        None => true,
    };
    html! {
        div.wide.tall[rows.len() > MAX_TALL_ROWS] role="region" aria-label=(name) tabindex="0" {
            table.list[head.len() > MAX_PHONE_COLUMNS] {
                thead { tr {
                    @for column in 0..head.len() { th.text[is_text(column)] scope="col" { (title(column)) } }
                } }
                tbody {
                    @for row in rows { tr {
                        @for (column, cell) in row.iter().enumerate() {
                            @match cell {
                                Cell::Text(text) if column == 0 => th scope="row" { (text) },
                                Cell::Text(text) => td.text data-label=(title(column)) { (text) },
                                Cell::Number(number) => td data-label=(title(column)) { (number) },
                            }
                        }
                    } }
                }
            }
        }
    }
}

/// Returns a chart with its title. `legend`: the style class and the name of each colour; `numbers`: a table of the
/// numbers, which is hidden until the reader opens it, or [`nothing`].
pub fn figure(title: &str, svg: &Markup, legend: &[(&str, &str)], numbers: &Markup) -> Markup {
    html! {
        figure {
            figcaption {
                strong { (title) }
                @for (class, name) in legend { " " span.key.(class) { (name) } }
            }
            (svg)
            @if !numbers.0.is_empty() { details { summary { "The numbers" } (numbers) } }
        }
    }
}

/// Returns an empty piece of a page.
pub fn nothing() -> Markup {
    html! {}
}

/// A function that formats a number.
pub type Format = fn(f64) -> String;

/// Formats a share as a percentage with one decimal.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Formats a number with four decimals.
pub fn exact(value: f64) -> String {
    format!("{value:.4}")
}

/// Formats a whole number below 10^15 in groups of three digits, and any other number as [`exact`] does.
pub fn count(value: f64) -> String {
    if value.fract() != 0.0 || value.abs() >= 1e15 {
        return exact(value);
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_table_is_escaped() {
        let html = table("<n>\"", &["<h>"], &[vec![Cell::Text("<c>&".to_owned())]]).0;
        assert!(!html.contains("<n>") && !html.contains("<h>") && !html.contains("<c>"), "{html}");
        assert!(html.contains("&lt;c&gt;&amp;"), "{html}");
    }

    #[test]
    fn whole_numbers_are_grouped() {
        let texts = [0.0, 999.0, 1000.0, 1_893_185.0, -1234.0, 0.5].map(count);
        assert_eq!(texts, ["0", "999", "1,000", "1,893,185", "-1,234", "0.5000"]);
    }
}
