//! Charts as inline SVG. Colours are classes of the page's style sheet.

use std::fmt::Write;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;

/// A line of a chart: its name, its style class, and its values at 1, 2, 3 ...
pub type Series<'a> = (&'a str, &'a str, Vec<f64>);

/// Values over epochs. `marked`: the epoch, from 1, that a vertical line marks.
pub fn lines(title: &str, series: &[Series<'_>], marked: usize) -> String {
    let finite = || series.iter().flat_map(|(_, _, values)| values.iter().copied()).filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let ticks = ticks(low, high);
    let (low, high) = (ticks[0].min(low), ticks[ticks.len() - 1].max(high));
    let count = series.iter().map(|(_, _, values)| values.len()).max().unwrap_or(0);
    let x = |epoch: usize| LEFT + (WIDTH - LEFT - RIGHT) * (epoch as f64 - 0.5) / count.max(1) as f64;
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low).max(1e-12);

    let mut svg = open(title);
    for tick in &ticks {
        axis_line(&mut svg, y(*tick), *tick);
    }
    let every = count.div_ceil(10).max(1);
    for epoch in (1..=count).filter(|epoch| epoch % every == 0 || count <= 10) {
        label(&mut svg, x(epoch), HEIGHT - BOTTOM + 15.0, "middle", &epoch.to_string());
    }
    label(&mut svg, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 4.0, "middle", "epoch");
    if marked > 0 {
        let at = x(marked);
        let _ = write!(svg, r#"<line class="best" x1="{at:.1}" x2="{at:.1}" y1="{TOP}" y2="{:.1}"/>"#, HEIGHT - BOTTOM);
    }
    for (index, (name, class, values)) in series.iter().enumerate() {
        let points: Vec<String> = values
            .iter()
            .enumerate()
            .filter(|(_, value)| value.is_finite())
            .map(|(index, value)| format!("{:.1},{:.1}", x(index + 1), y(*value)))
            .collect();
        let _ = write!(svg, r#"<polyline class="{class}" points="{}"/>"#, points.join(" "));
        for point in &points {
            let (x, y) = point.split_once(',').unwrap_or_default();
            let _ = write!(svg, r#"<circle class="{class}" cx="{x}" cy="{y}" r="2"/>"#);
        }
        let at = LEFT + 10.0 + index as f64 * 110.0;
        let _ = write!(svg, r#"<line class="{class}" x1="{at}" x2="{}" y1="8" y2="8"/>"#, at + 18.0);
        label(&mut svg, at + 23.0, 12.0, "start", name);
    }
    svg + "</svg>"
}

/// How many values fall into each of up to 30 ranges of equal width.
pub fn histogram(title: &str, axis: &str, values: &[usize]) -> String {
    let largest = values.iter().copied().max().unwrap_or(0);
    let width = (largest + 1).div_ceil(30).max(1);
    let mut bars = vec![0usize; largest / width + 1];
    for value in values {
        bars[value / width] += 1;
    }
    let ticks = ticks(0.0, bars.iter().copied().max().unwrap_or(0) as f64);
    let high = ticks[ticks.len() - 1].max(1.0);
    let step = (WIDTH - LEFT - RIGHT) / bars.len() as f64;
    let y = |count: f64| TOP + (HEIGHT - TOP - BOTTOM) * (high - count) / high;

    let mut svg = open(title);
    for tick in &ticks {
        axis_line(&mut svg, y(*tick), *tick);
    }
    let every = bars.len().div_ceil(8);
    for (index, &count) in bars.iter().enumerate() {
        let x = LEFT + index as f64 * step;
        let (from, to) = (index * width, (index + 1) * width - 1);
        let range = if from == to { from.to_string() } else { format!("{from}–{to}") };
        let _ = write!(
            svg,
            r#"<rect class="bar" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}"><title>{range}: {count}</title></rect>"#,
            x + 0.5,
            y(count as f64),
            (step - 1.0).max(0.5),
            y(0.0) - y(count as f64),
        );
        if index % every == 0 {
            label(&mut svg, x + step / 2.0, HEIGHT - BOTTOM + 15.0, "middle", &from.to_string());
        }
    }
    label(&mut svg, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 4.0, "middle", axis);
    svg + "</svg>"
}

fn open(title: &str) -> String {
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{0}"><title>{0}</title>"#,
        super::html::escape(title)
    )
}

fn axis_line(svg: &mut String, y: f64, value: f64) {
    let _ = write!(svg, r#"<line class="grid" x1="{LEFT}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}"/>"#, WIDTH - RIGHT);
    label(svg, LEFT - 6.0, y + 4.0, "end", &number(value));
}

fn label(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = super::html::escape(text);
    let _ = write!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#);
}

/// Three to seven round numbers that span low..high.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let (low, high) = if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 1.0) };
    let span = if high - low > 1e-9 { high - low } else { high.abs().max(1.0) * 0.1 };
    let power = 10f64.powf((span / 4.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| span / step <= 5.0).unwrap_or(span);
    let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
    (first..=last.max(first + 1)).map(|index| index as f64 * step).collect()
}

/// Without the trailing zeros.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        for (low, high) in [(0.0, 1.0), (0.97, 0.9912), (0.1, 3.7), (0.0, 4329.0), (2.0, 2.0), (0.0, 0.0)] {
            let ticks = ticks(low, high);
            assert!((2..=8).contains(&ticks.len()), "{low} {high}: {ticks:?}");
            assert!(ticks[0] <= low && *ticks.last().unwrap() >= high - 1e-9, "{low} {high}: {ticks:?}");
        }
        assert_eq!(
            ticks(0.0, 1.0).iter().map(|tick| number(*tick)).collect::<Vec<_>>(),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
    }

    #[test]
    fn charts_of_little_or_strange_data_are_finite() {
        for values in [vec![], vec![0.5], vec![0.5, 0.5], vec![f64::NAN, 1.0]] {
            let svg = lines("loss", &[("train", "train", values.clone()), ("valid", "valid", values)], 1);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        for values in [vec![], vec![0], vec![3, 3, 3], (0..1000).collect()] {
            let svg = histogram("lengths", "tokens", &values);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            assert!(svg.matches("<rect").count() <= 30);
        }
    }
}
