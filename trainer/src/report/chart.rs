//! Charts as inline SVG, drawn by `plotters`.
//!
//! They are drawn in the colours of the light theme. The page's style sheet names each of these colours once for the dark theme, by the
//! attribute that holds it, so that one drawing serves both (test `the_style_sheet_knows_every_colour`).

use super::html::escape;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;

/// The page shows 360 × 210 units; plotters draws on whole ones, so it is given four times as many.
const SCALE: i32 = 4;
/// The size of a chart, in plotters' units.
const SIZE: (u32, u32) = (360 * SCALE as u32, 210 * SCALE as u32);

/// The first colour: validation, the model.
pub const FIRST: RGBColor = RGBColor(0x00, 0x64, 0xAD);
/// The second: training, what is compared with.
pub const SECOND: RGBColor = RGBColor(0xC2, 0x52, 0x0A);
/// The third colour: what is compared with as well.
pub const THIRD: RGBColor = RGBColor(0x1B, 0x7F, 0x4B);
/// What came.
pub const INK: RGBColor = RGBColor(0x18, 0x21, 0x2B);
/// Words.
pub const SOFT: RGBColor = RGBColor(0x59, 0x65, 0x72);
/// Lines to read values by.
pub const GRID: RGBColor = RGBColor(0xE1, 0xE5, 0xE9);

/// One of the colours above.
pub type Colour = RGBColor;

/// A line of a chart.
pub struct Line {
    /// Its points, from left to right. Those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
    /// One of the colours above.
    pub colour: Colour,
    /// Whether each point has a dot.
    pub dots: bool,
}

/// Lines over `axis`. `marked`: where a vertical line stands.
pub fn lines(title: &str, axis: &str, lines: &[Line], marked: Option<f64>) -> String {
    let finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let points = || lines.iter().flat_map(|line| line.points.iter()).filter(finite);
    let (x, y) = (span(points().map(|p| p.0), 0.02), span(points().map(|p| p.1), 0.06));
    draw(title, |root| {
        let mut chart = axes(root, [x, y.clone()], axis, 10, &whole, &number)?;
        if let Some(at) = marked {
            chart.draw_series([PathElement::new([(at, y.start), (at, y.end)], stroke(SOFT, 4))])?;
        }
        for line in lines {
            let points: Vec<_> = line.points.iter().filter(finite).copied().collect();
            chart.draw_series(LineSeries::new(points.iter().copied(), stroke(line.colour, 8)))?;
            if line.dots && points.len() <= 60 {
                chart.draw_series(points.iter().map(|&point| Circle::new(point, 11, line.colour.filled())))?;
            }
        }
        Ok(())
    })
}

/// Bars side by side: where each begins and ends, and how high it is.
pub fn bars(title: &str, axis: &str, bars: &[(f64, f64, f64)]) -> String {
    let x = span(bars.iter().flat_map(|bar| [bar.0, bar.1]), 0.0);
    let top = bars.iter().map(|bar| bar.2).fold(0.0, f64::max).max(1.0);
    draw(title, |root| {
        let mut chart = axes(root, [x, 0.0..top * 1.05], axis, 8, &whole, &number)?;
        chart.draw_series(bars.iter().map(|&(from, to, height)| {
            let gap = (to - from) * 0.08;
            Rectangle::new([(from + gap, 0.0), (to - gap, height)], FIRST.filled())
        }))?;
        Ok(())
    })
}

/// A share with its interval for each of some groups.
pub struct Share {
    /// The group.
    pub name: String,
    /// 0 to 1.
    pub share: f64,
    /// Where the true share lies.
    pub interval: [f64; 2],
}

/// Shares side by side, each with its interval.
pub fn shares(title: &str, axis: &str, shares: &[Share]) -> String {
    let low = shares.iter().map(|share| share.interval[0]).fold(1.0, f64::min);
    let low = ((low - 0.02) * 20.0).floor().max(0.0) / 20.0;
    let last = shares.len().max(1) as f64 - 0.5;
    draw(title, |root| {
        let label = |x: f64| {
            let at = x.round();
            let near = (x - at).abs() < 1e-6 && at >= 0.0;
            if near {
                shares.get(at as usize).map_or_else(String::new, |share| share.name.clone())
            } else {
                String::new()
            }
        };
        let ranges = [-0.5..last, low.min(0.95)..1.0];
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

/// A reliability diagram: for each range of confidence (from, to) the mean confidence and the accuracy.
pub fn reliability(title: &str, bins: &[(f64, f64, f64, f64)]) -> String {
    draw(title, |root| {
        let mut chart = axes(root, [0.0..1.0, 0.0..1.0], "how sure the model is", 6, &percent, &percent)?;
        chart.draw_series(bins.iter().map(|&(from, to, _, accuracy)| {
            Rectangle::new([(from + 0.006, 0.0), (to - 0.006, accuracy)], FIRST.mix(0.25).filled())
        }))?;
        chart.draw_series([PathElement::new([(0.0, 0.0), (1.0, 1.0)], stroke(SOFT, 4))])?;
        let points: Vec<(f64, f64)> = bins.iter().map(|&(_, _, confidence, accuracy)| (confidence, accuracy)).collect();
        chart.draw_series(LineSeries::new(points.iter().copied(), stroke(FIRST, 8)))?;
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 14, FIRST.filled())))?;
        Ok(())
    })
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(title: &str, fill: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        // Into a string nothing can fail but the drawing of points that are not finite, which nobody hands us.
        fill(&root).and_then(|()| Ok(root.present()?)).expect("a chart of finite numbers can be drawn");
    }
    // plotters writes a file's head; inside a page it is an image with a name.
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let (width, height, title) = (SIZE.0, SIZE.1, escape(title));
    format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>{body}")
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// The look of all axes: lines to read values by, no box, quiet words.
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
        .label_style(text(11.0))
        .axis_desc_style(text(11.0))
        .x_desc(name)
        .x_label_formatter(&|x| x_text(*x))
        .y_label_formatter(&|y| y_text(*y))
        .draw()?;
    Ok(chart)
}

fn text(size: f64) -> TextStyle<'static> {
    // plotters divides by 1.24 what it writes as the font's size.
    ("sans-serif", size * 1.24 * f64::from(SCALE)).into_font().color(&SOFT)
}

fn stroke(colour: RGBColor, width: u32) -> ShapeStyle {
    colour.stroke_width(width)
}

/// The range of some values with a margin on both sides.
fn span(values: impl Iterator<Item = f64> + Clone, margin: f64) -> Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if !(low.is_finite() && high.is_finite()) {
        return 0.0..1.0;
    }
    let width = if high - low > 1e-9 * high.abs().max(1e-3) { high - low } else { high.abs().max(1.0) * 0.1 };
    let margin = width * margin.max(if high - low == width { 0.0 } else { 0.5 });
    low - margin..high + margin
}

/// Whole numbers only: there is no epoch 2.5.
fn whole(value: f64) -> String {
    if (value - value.round()).abs() < 1e-6 { number(value) } else { String::new() }
}

fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share))
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

    /// What stands inside the drawing.
    fn parts(svg: &str, tag: &str) -> usize {
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
            assert_eq!(parts(&svg, "circle"), 2 * finite, "{points:?}");
        }
        for count in [0, 1, 3, 30] {
            let svg = bars(
                "lengths",
                "tokens",
                &(0..count).map(|i| (f64::from(i), f64::from(i + 1), 2.0)).collect::<Vec<_>>(),
            );
            assert_eq!(parts(&svg, "rect"), count as usize);
            let share = |i: i32| Share { name: i.to_string(), share: 0.5, interval: [0.0, 1.0] };
            assert_eq!(
                parts(&shares("s", "tokens", &(0..count).map(share).collect::<Vec<_>>()), "circle"),
                count as usize
            );
            let bins: Vec<_> =
                (0..count.min(10)).map(|i| (f64::from(i) / 10.0, f64::from(i + 1) / 10.0, 0.5, 1.0)).collect();
            assert_eq!(parts(&reliability("r", &bins), "circle"), bins.len());
        }
    }

    #[test]
    fn a_name_cannot_break_out() {
        let svg = bars("<script>\"'&", "<b>", &[(0.0, 1.0, 1.0)]);
        assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
    }

    #[test]
    fn epochs_are_whole_and_numbers_short() {
        let written: Vec<String> = [0.0, -0.0, 0.25, 3.0, 0.123_456].into_iter().map(number).collect();
        assert_eq!(written, ["0", "0", "0.25", "3", "0.1235"]);
        assert_eq!([whole(2.0), whole(2.5)], ["2", ""]);
    }

    #[test]
    fn the_style_sheet_knows_every_colour() {
        for RGBColor(r, g, b) in [FIRST, SECOND, THIRD, INK, SOFT, GRID] {
            let name = format!("\"#{r:02X}{g:02X}{b:02X}\"");
            assert!(super::super::html::STYLE.contains(&name), "{name} has no colour for the dark theme");
        }
    }
}
