//! Draws the charts of a report as inline SVG, by `plotters`, in the colours of the light theme.
//!
//! In the dark theme, the style sheet replaces each of these colours, so that one drawing suits both themes (test
//! `the_style_sheet_has_a_dark_variant_of_every_colour`).

use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;

/// Plotters' units in one unit of the page. Plotters rounds coordinates to whole units, so smaller units are more
/// exact. Widths of lines and radii of dots below are in plotters' units.
const SCALE: i32 = 4;
/// Width and height of a chart in plotters' units: 360 × 210 units of the page.
const SIZE: (u32, u32) = (360 * SCALE as u32, 210 * SCALE as u32);

/// The number of points above which a line gets no dots, since the dots would touch.
const MAX_DOTS: usize = 60;

/// The colour of the validation split, of this model, or of the points that matter most.
pub const FIRST: RGBColor = RGBColor(0x00, 0x64, 0xAD);
/// The colour of the training set, of a simpler method, or of other points.
pub const SECOND: RGBColor = RGBColor(0xC2, 0x52, 0x0A);
/// The colour of a second simpler method.
pub const THIRD: RGBColor = RGBColor(0x1B, 0x7F, 0x4B);
/// The colour of actual values.
pub const INK: RGBColor = RGBColor(0x18, 0x21, 0x2B);
/// The colour of labels and reference lines.
pub const SOFT: RGBColor = RGBColor(0x59, 0x65, 0x72);
/// The colour of grid lines.
pub const GRID: RGBColor = RGBColor(0xE1, 0xE5, 0xE9);

/// One of the colours above.
pub type Colour = RGBColor;

/// A line of a chart.
pub struct Line {
    /// The points from left to right. Points that are not finite are left out.
    pub points: Vec<(f64, f64)>,
    /// The colour of the line and its dots.
    pub colour: Colour,
    /// True if each point gets a dot, up to [`MAX_DOTS`] points.
    pub dots: bool,
}

/// Draws lines, without points that are not finite. `title`: the accessible name of the chart; `axis`: the label of the
/// horizontal axis; `marked`: the horizontal position of a vertical line, if there is one.
pub fn lines(title: &str, axis: &str, lines: &[Line], marked: Option<f64>) -> Markup {
    let is_finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let points = || lines.iter().flat_map(|line| line.points.iter()).filter(is_finite);
    let (x, y) = (span(points().map(|&(x, _)| x), 0.02), span(points().map(|&(_, y)| y), 0.06));
    draw(title, |root| {
        let mut chart = axes(root, [x, y.clone()], axis, 10, &whole, &number)?;
        if let Some(x) = marked {
            chart.draw_series([PathElement::new([(x, y.start), (x, y.end)], stroke(SOFT, 4))])?;
        }
        for line in lines {
            let points: Vec<_> = line.points.iter().filter(is_finite).copied().collect();
            chart.draw_series(LineSeries::new(points.iter().copied(), stroke(line.colour, 8)))?;
            if line.dots && points.len() <= MAX_DOTS {
                chart.draw_series(points.iter().map(|&point| Circle::new(point, 11, line.colour.filled())))?;
            }
        }
        Ok(())
    })
}

/// Draws points: those of `frontier`, which are also among `points` and come from left to right, in the first colour
/// and joined by a line, the others in the second colour. All must be finite.
pub fn frontier(title: &str, axis: &str, points: &[(f64, f64)], frontier: &[(f64, f64)]) -> Markup {
    let (x, y) = (span(points.iter().map(|point| point.0), 0.06), span(points.iter().map(|point| point.1), 0.06));
    draw(title, |root| {
        let mut chart = axes(root, [x, y], axis, 6, &whole, &number)?;
        chart.draw_series(LineSeries::new(frontier.iter().copied(), stroke(FIRST, 6)))?;
        for &point in points {
            let (colour, radius) = if frontier.contains(&point) { (FIRST, 16) } else { (SECOND, 11) };
            chart.draw_series([Circle::new(point, radius, colour.filled())])?;
        }
        Ok(())
    })
}

/// A bar of a histogram.
pub struct Bar {
    /// The position of the left edge on the horizontal axis.
    pub from: f64,
    /// The position of the right edge.
    pub to: f64,
    /// The number of examples in this range.
    pub height: f64,
}

/// Draws a histogram. The vertical axis has the heights of the bars, and begins at 0.
pub fn bars(title: &str, axis: &str, bars: &[Bar]) -> Markup {
    let x = span(bars.iter().flat_map(|bar| [bar.from, bar.to]), 0.0);
    let top = bars.iter().map(|bar| bar.height).fold(0.0, f64::max).max(1.0);
    draw(title, |root| {
        // The vertical axis ends 5 % above the highest bar.
        let mut chart = axes(root, [x, 0.0..top * 1.05], axis, 8, &whole, &number)?;
        chart.draw_series(bars.iter().map(|&Bar { from, to, height }| {
            // The margin on each side of a bar.
            let gap = (to - from) * 0.08;
            Rectangle::new([(from + gap, 0.0), (to - gap, height)], FIRST.filled())
        }))?;
        Ok(())
    })
}

/// The share of a group, with its confidence interval.
pub struct Share {
    /// Name of the group.
    pub name: String,
    /// The share, 0 to 1.
    pub share: f64,
    /// The lower and the upper end of the confidence interval, 0 to 1.
    pub interval: [f64; 2],
}

/// Draws shares side by side, each as a dot with its interval. `axis`: the label of the horizontal axis, which has the
/// names of the groups.
pub fn shares(title: &str, axis: &str, shares: &[Share]) -> Markup {
    let lowest = shares.iter().map(|share| share.interval[0]).fold(1.0, f64::min);
    // The vertical axis begins at a multiple of 5 % from 0 to 95 %, at least 2 % below the lowest interval if possible.
    let begin = (((lowest - 0.02) * 20.0).floor().max(0.0) / 20.0).min(0.95);
    // The horizontal axis ends half a unit after the last group, as it begins half a unit before the first one.
    let end = shares.len().max(1) as f64 - 0.5;
    draw(title, |root| {
        // The groups are at whole numbers of the axis, from 0. Labels between two groups are empty.
        let label = |x: f64| {
            let group = x.round();
            let is_group = (x - group).abs() < 1e-6 && group >= 0.0;
            match shares.get(group as usize) {
                Some(share) if is_group => share.name.clone(),
                _ => String::new(),
            }
        };
        let ranges = [-0.5..end, begin..1.0];
        let mut chart = axes(root, ranges, axis, 2 * shares.len().max(1), &label, &percent)?;
        for (index, share) in shares.iter().enumerate() {
            let x = index as f64;
            let [from, to] = share.interval;
            let ends = [(x, from), (x, to)];
            chart.draw_series([PathElement::new(ends, stroke(FIRST, 6))])?;
            chart.draw_series(ends.map(|(x, y)| PathElement::new([(x - 0.08, y), (x + 0.08, y)], stroke(FIRST, 6))))?;
            chart.draw_series([Circle::new((x, share.share), 16, FIRST.filled())])?;
        }
        Ok(())
    })
}

/// The predictions whose probability is in one range.
pub struct ProbabilityBin {
    /// The lower end of the range, 0 to 1.
    pub from: f64,
    /// The upper end of the range.
    pub to: f64,
    /// The mean probability of the predictions.
    pub confidence: f64,
    /// The share of correct predictions.
    pub accuracy: f64,
}

/// Draws a reliability diagram: the accuracy by predicted probability, and a diagonal where both are equal.
pub fn reliability(title: &str, bins: &[ProbabilityBin]) -> Markup {
    draw(title, |root| {
        let mut chart = axes(root, [0.0..1.0, 0.0..1.0], "predicted probability", 6, &percent, &percent)?;
        chart.draw_series(bins.iter().map(|bin| {
            Rectangle::new([(bin.from + 0.006, 0.0), (bin.to - 0.006, bin.accuracy)], FIRST.mix(0.25).filled())
        }))?;
        chart.draw_series([PathElement::new([(0.0, 0.0), (1.0, 1.0)], stroke(SOFT, 4))])?;
        let points: Vec<(f64, f64)> = bins.iter().map(|bin| (bin.confidence, bin.accuracy)).collect();
        chart.draw_series(LineSeries::new(points.iter().copied(), stroke(FIRST, 8)))?;
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 14, FIRST.filled())))?;
        Ok(())
    })
}

/// The drawing area of a whole chart.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// The result of drawing.
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Returns the chart that `paint` draws as an `svg` element with the accessible name `title`.
fn draw(title: &str, paint: impl FnOnce(&Area<'_>) -> Drawn) -> Markup {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        // Drawing into a string fails only for points that are not finite, which no function here draws.
        paint(&root).and_then(|()| Ok(root.present()?)).expect("a chart of finite numbers can be drawn");
    }
    // The outer `svg` element of plotters is replaced by one that scales with the page and has an accessible name.
    let body = svg.split_once('>').map_or("", |(_, body)| body).trim_end().trim_end_matches("</svg>");
    let (width, height) = SIZE;
    html! {
        svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(title) { title { (title) } (PreEscaped(body)) }
    }
}

/// A chart with its axes.
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws the axes of a chart, with horizontal grid lines and without a frame. `[x, y]`: the ranges of the axes; `name`:
/// the label of the horizontal axis; `x_labels`: the approximate number of its labels; `x_text` and `y_text` format the
/// labels.
fn axes<'a, 'b>(
    root: &'a Area<'b>,
    [x, y]: [Range<f64>; 2],
    name: &str,
    x_labels: usize,
    x_text: &dyn Fn(f64) -> String,
    y_text: &dyn Fn(f64) -> String,
) -> Result<Chart<'a, 'b>, Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(root)
        .margin_top(6 * SCALE)
        .margin_right(22 * SCALE)
        .x_label_area_size(36 * SCALE)
        .y_label_area_size(42 * SCALE)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .max_light_lines(1)
        .x_labels(x_labels)
        .y_labels(6)
        .bold_line_style(stroke(GRID, 4))
        .light_line_style(TRANSPARENT)
        .axis_style(stroke(GRID, 4))
        .set_all_tick_mark_size(4 * SCALE)
        .label_style(label_style())
        .axis_desc_style(label_style())
        .x_desc(name)
        .x_label_formatter(&|x| x_text(*x))
        .y_label_formatter(&|y| y_text(*y))
        .draw()?;
    Ok(chart)
}

/// Returns the style of labels: 11 units of the page high.
fn label_style() -> TextStyle<'static> {
    // Plotters divides the size of a font by 1.24 when it writes SVG.
    ("sans-serif", 11.0 * 1.24 * f64::from(SCALE)).into_font().color(&SOFT)
}

/// Returns the style of a line. `width`: in plotters' units.
fn stroke(colour: Colour, width: u32) -> ShapeStyle {
    colour.stroke_width(width)
}

/// Returns the range of `values` with a margin on both sides. `margin`: the margin as a share of the range. Without
/// values, returns 0 to 1.
fn span(values: impl Iterator<Item = f64> + Clone, margin: f64) -> Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if !(low.is_finite() && high.is_finite()) {
        return 0.0..1.0;
    }
    let are_equal = high - low <= 1e-9 * high.abs().max(1e-3);
    // A range of equal values would be empty. Its margin is at least 5 % of their absolute value or of 1, whichever is
    // larger.
    let margin = if are_equal { high.abs().max(1.0) * 0.1 * margin.max(0.5) } else { (high - low) * margin };
    low - margin..high + margin
}

/// Formats a whole number as a label. Other numbers get an empty label, since there is no half epoch or token.
fn whole(value: f64) -> String {
    if (value - value.round()).abs() < 1e-6 { number(value) } else { String::new() }
}

/// Formats a share as a percentage, for a label.
fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share))
}

/// Formats a number with up to four decimals, for a label.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a chart, and returns its number of elements with a tag.
    fn elements(svg: &Markup, tag: &str) -> usize {
        let svg = &svg.0;
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("http"), "{svg}");
        assert!(svg.starts_with("<svg viewBox=") && svg.trim_end().ends_with("</svg>"), "{svg}");
        svg.matches(&format!("<{tag} ")).count()
    }

    #[test]
    fn charts_of_little_or_strange_data_are_finite() {
        let nan = f64::NAN;
        for values in [vec![], vec![0.5], vec![0.5, 0.5], vec![nan, 1.0], vec![1e9, -1e9], vec![0.0, f64::INFINITY]] {
            let points: Vec<(f64, f64)> = (1..).map(f64::from).zip(values).collect();
            let finite = points.iter().filter(|point| point.1.is_finite()).count();
            let line = |colour| Line { points: points.clone(), colour, dots: true };
            let svg = lines("loss", "epoch", &[line(FIRST), line(SECOND)], Some(1.0));
            assert_eq!(elements(&svg, "circle"), 2 * finite, "{points:?}");
        }
        for count in [0, 1, 3, 30] {
            let bar = |i: i32| Bar { from: f64::from(i), to: f64::from(i + 1), height: 2.0 };
            let svg = bars("lengths", "tokens", &(0..count).map(bar).collect::<Vec<_>>());
            assert_eq!(elements(&svg, "rect"), count as usize);
            let share = |i: i32| Share { name: i.to_string(), share: 0.5, interval: [0.0, 1.0] };
            assert_eq!(
                elements(&shares("s", "tokens", &(0..count).map(share).collect::<Vec<_>>()), "circle"),
                count as usize
            );
            let tenth = |i: i32| f64::from(i) / 10.0;
            let bin = |i| ProbabilityBin { from: tenth(i), to: tenth(i + 1), confidence: 0.5, accuracy: 1.0 };
            let bins: Vec<_> = (0..count.min(10)).map(bin).collect();
            assert_eq!(elements(&reliability("r", &bins), "circle"), bins.len());
        }
    }

    #[test]
    fn the_title_and_the_axis_are_escaped() {
        let svg = bars("<script>\"'&", "<b>", &[Bar { from: 0.0, to: 1.0, height: 1.0 }]).0;
        assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
    }

    #[test]
    fn labels_are_whole_or_short_numbers() {
        let written: Vec<String> = [0.0, -0.0, 0.25, 3.0, 0.123_456].into_iter().map(number).collect();
        assert_eq!(written, ["0", "0", "0.25", "3", "0.1235"]);
        assert_eq!([whole(2.0), whole(2.5)], ["2", ""]);
    }

    #[test]
    fn the_style_sheet_has_a_dark_variant_of_every_colour() {
        for RGBColor(r, g, b) in [FIRST, SECOND, THIRD, INK, SOFT, GRID] {
            let name = format!("\"#{r:02X}{g:02X}{b:02X}\"");
            assert!(crate::report::elements::STYLE.contains(&name), "{name} has no variant for the dark theme");
        }
    }
}
