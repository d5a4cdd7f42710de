//! The small pieces that pages are made of.

use std::fmt::Write;

/// The style sheet of a page.
pub const STYLE: &str = include_str!("style.css");

/// Text that may stand anywhere in HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Also what would turn the direction of the text after it.
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A cell of a table, or a line of its head.
pub enum Cell {
    /// Words, which will be escaped.
    Text(String),
    /// HTML of ours: a number.
    Number(String),
}

/// A table in a box that scrolls by itself where the page is too narrow. `name`: what it is of, for those who hear it.
pub fn table(name: &str, head: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut html = format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"{}\" tabindex=\"0\"><table>\n<thead><tr>",
        escape(name)
    );
    let first = rows.first();
    for (column, title) in head.iter().enumerate() {
        let is_text = first.is_none_or(|row| matches!(row.get(column), Some(Cell::Text(_)) | None));
        let class = if is_text { " class=\"text\"" } else { "" };
        let _ = write!(html, "<th scope=\"col\"{class}>{}</th>", escape(title));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let _ = match cell {
                Cell::Text(text) if column == 0 => write!(html, "<th scope=\"row\">{}</th>", escape(text)),
                Cell::Text(text) => write!(html, "<td class=\"text\">{}</td>", escape(text)),
                Cell::Number(number) => write!(html, "<td>{number}</td>"),
            };
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table></div>\n"
}

/// A drawing with what it shows in words, what its colours mean, and its numbers below it.
pub fn figure(caption: &str, svg: &str, legend: &[(&str, &str)], numbers: &str) -> String {
    let mut html = format!("<figure>\n<figcaption><strong>{}</strong>", escape(caption));
    for (class, name) in legend {
        let _ = write!(html, " <span class=\"key {class}\">{}</span>", escape(name));
    }
    let _ = write!(html, "</figcaption>\n{svg}\n");
    if !numbers.is_empty() {
        let _ = write!(html, "<details><summary>The numbers</summary>\n{numbers}</details>\n");
    }
    html + "</figure>\n"
}

/// A share as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Four digits after the point.
pub fn exact(value: f64) -> String {
    format!("{value:.4}")
}

/// A whole number, in groups of three digits; one that is not whole as it is.
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
    fn strangers_text_is_only_text() {
        assert_eq!(escape("<a href='x'>&\"\u{7}\u{202e}é"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;  é");
        let html = table("<n>", &["<h>"], &[vec![Cell::Text("<c>".to_owned())]]);
        assert!(!html.contains("<n>") && !html.contains("<h>") && !html.contains("<c>"), "{html}");
    }

    #[test]
    fn numbers_are_grouped() {
        let texts = [0.0, 999.0, 1000.0, 1_893_185.0, -1234.0, 0.5].map(count);
        assert_eq!(texts, ["0", "999", "1,000", "1,893,185", "-1,234", "0.5000"]);
    }
}
