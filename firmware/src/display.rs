//! The two forms of an answer, and wrappers that display strings, numbers and fractions on a terminal or in JSON.

use core::fmt::{self, Display, Write};

use crate::features::COLORS;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines of text for a person.
    Human,
    /// One line with one JSON object for a program.
    Machine,
}

impl Form {
    /// The argument of the console command `mode` that selects this form.
    pub fn word(self) -> &'static str {
        match self {
            Form::Human => "human",
            Form::Machine => "machine",
        }
    }

    /// Writes `human` or `machine`, whichever is for this form.
    pub fn write(self, out: &mut dyn Write, human: fmt::Arguments<'_>, machine: fmt::Arguments<'_>) -> fmt::Result {
        out.write_fmt(if self == Form::Human { human } else { machine })
    }
}

/// Writes an error in the given form. In JSON, the object is left open: the caller may add fields, and writes the
/// closing `}`. `code`: the machine-readable name of the error, for JSON.
pub fn error(code: &str, error: &dyn Display, form: Form, terminal: Terminal, out: &mut dyn Write) -> fmt::Result {
    if form == Form::Human {
        return write!(out, "{} {error}", Painted(Paint::Red.on(terminal), "error:"));
    }
    write!(out, r#"{{"error":"{code}","message":""#)?;
    // The message may quote names from an untrusted file.
    write!(Escaped(out), "{error}")?;
    out.write_char('"')
}

/// Displays a string as a JSON string, with quotation marks and escapes.
pub struct Json<'t>(pub &'t str);

impl Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        escape(self.0, f)?;
        f.write_char('"')
    }
}

/// Escapes what is written to it, for the inside of a JSON string.
pub struct Escaped<'w>(pub &'w mut dyn Write);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(text, self.0)
    }
}

/// Writes `text` with the escapes of a JSON string.
fn escape(text: &str, out: &mut dyn Write) -> fmt::Result {
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(out, "\\{c}")?,
            '\n' => out.write_str("\\n")?,
            '\t' => out.write_str("\\t")?,
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.write_char(c)?,
        }
    }
    Ok(())
}

/// Displays a string with its control characters escaped, so that a string from an untrusted file cannot control the
/// terminal.
pub struct Visible<'t>(pub &'t str);

impl Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                '\n' => f.write_str("\\n")?,
                c if c.is_control() => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Escapes the control characters of what is written to it, as [`Visible`] does, except that LF becomes CR LF.
pub struct VisibleLines<'w>(pub &'w mut dyn Write);

impl Write for VisibleLines<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (i, line) in text.split('\n').enumerate() {
            write!(self.0, "{}{}", if i > 0 { "\r\n" } else { "" }, Visible(line))?;
        }
        Ok(())
    }
}

/// Writes the elements of a JSON array, separated by commas, without the brackets.
pub fn list<T: Display>(out: &mut dyn Write, elements: impl Iterator<Item = T>) -> fmt::Result {
    for (i, element) in elements.enumerate() {
        let comma = if i > 0 { "," } else { "" };
        write!(out, "{comma}{element}")?;
    }
    Ok(())
}

/// Displays a fraction (Q16, 0 to 1) as a decimal with four places.
pub struct Decimal(pub u32);

impl Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ten_thousandths = scaled(self.0, 10_000);
        write!(f, "{}.{:04}", ten_thousandths / 10_000, ten_thousandths % 10_000)
    }
}

/// Displays a fraction (Q16, 0 to 1) as a percentage with one decimal place, aligned at the point.
pub struct Percent(pub u32);

impl Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths_of_percent = scaled(self.0, 1000);
        write!(f, "{:3}.{} %", tenths_of_percent / 10, tenths_of_percent % 10)
    }
}

/// Displays a fraction (Q16, 0 to 1) as a bar of up to [`WIDTH`](Bar::WIDTH) columns.
pub struct Bar(pub u32);

impl Bar {
    /// The width of a full bar (fraction 1), in columns.
    pub const WIDTH: u32 = 20;
}

impl Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The last column of the bar, filled by 0 to 7 eighths.
        const LAST_COLUMN: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        let eighths = scaled(self.0, 8 * Bar::WIDTH);
        (0..eighths / 8).try_for_each(|_| f.write_char('█'))?;
        f.write_str(LAST_COLUMN[(eighths % 8) as usize])
    }
}

/// The capabilities of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// True if the terminal shows ANSI colours.
    pub has_colors: bool,
}

/// The colour or weight of a piece of text on a terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// The terminal's default.
    Plain,
    /// Bold, for the predicted label.
    Bold,
    /// Green, for bars.
    Green,
    /// Red, for errors.
    Red,
}

impl Paint {
    /// Returns this paint for a terminal with colours, and [`Plain`](Paint::Plain) for others.
    pub fn on(self, terminal: Terminal) -> Paint {
        if COLORS && terminal.has_colors { self } else { Paint::Plain }
    }

    /// The ANSI escape sequence (SGR) that turns this colour or weight on; empty for [`Plain`](Paint::Plain).
    fn start(self) -> &'static str {
        match self {
            Paint::Plain => "",
            Paint::Bold => "\x1b[1m",
            Paint::Green => "\x1b[32m",
            Paint::Red => "\x1b[31m",
        }
    }
}

/// Displays a value in a colour or weight.
pub struct Painted<T>(pub Paint, pub T);

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !COLORS {
            return self.1.fmt(f);
        }
        let end = if self.0 == Paint::Plain { "" } else { "\x1b[0m" };
        write!(f, "{}{}{end}", self.0.start(), self.1)
    }
}

/// Returns `fraction` (Q16, 0 to 1) times `whole`, rounded to the nearest integer. `whole` is at most 60,000, so that
/// the product fits 32 bits.
fn scaled(fraction: u32, whole: u32) -> u32 {
    // Adding a half before the shift, which rounds down, rounds to the nearest.
    (fraction * whole + (1 << 15)) >> 16
}

/// Displays a 64-bit number. Rust's formatting of `u64` divides 64-bit numbers, which would add more than 1 KB of code
/// to a small firmware.
pub struct Long(pub u64);

impl Display for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Long division in base 2^16: each turn divides the number by 10, and the remainder is the next digit from the
        // right. `u64::MAX` has 20 digits, and 0 has one.
        let mut parts = [48, 32, 16, 0].map(|shift| (self.0 >> shift) as u32 & 0xffff);
        let mut digits = [0; 20];
        let mut first = digits.len();
        while first == digits.len() || parts != [0; 4] {
            let mut remainder = 0;
            for part in &mut parts {
                let dividend = (remainder << 16) | *part;
                *part = dividend / 10;
                remainder = dividend % 10;
            }
            first -= 1;
            digits[first] = b'0' + remainder as u8;
        }
        digits[first..].iter().try_for_each(|&digit| f.write_char(digit.into()))
    }
}

/// Returns the number of characters in which [`Visible`] displays a name.
pub fn width(name: &str) -> usize {
    let char_width = |c: char| match c {
        '\t' | '\r' | '\n' => 2,
        // `\u{1b}` has six characters, `\u{7}` has five. The last control character is U+009F.
        '\u{10}'.. if c.is_control() => 6,
        c if c.is_control() => 5,
        _ => 1,
    };
    name.chars().map(char_width).sum()
}

/// Displays a number and its noun, with an `s` unless the number is 1.
pub struct Counted<'n>(pub u64, pub &'n str);

impl Display for Counted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", Long(self.0), self.1, if self.0 == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn strings_are_escaped() {
        assert_eq!(Json("a\"b\\c\n\u{1}\u{7f}é").to_string(), r#""a\"b\\c\n\u0001\u007fé""#);
        assert_eq!(Visible("a\x1b[2J\u{9b}é\"").to_string(), "a\\u{1b}[2J\\u{9b}é\"");
    }

    #[test]
    fn the_width_is_that_of_the_displayed_name() {
        let chars = (0..=0x120).filter_map(char::from_u32);
        for name in chars.map(|c| c.to_string()).chain(["a\tb\u{7f}é".to_string()]) {
            assert_eq!(width(&name), Visible(&name).to_string().chars().count(), "{name:?}");
            // As the standard library escapes them.
            let escaped = name.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() });
            assert_eq!(Visible(&name).to_string(), escaped.collect::<std::string::String>());
        }
    }

    #[test]
    fn long_numbers_are_displayed_as_any_other() {
        let powers = (0..64).map(|bit| 1u64 << bit);
        let ends = [0, 9, 10, 99, 65_535, 65_536, 999_999_999_999, u64::MAX];
        for number in powers.flat_map(|power| [power - 1, power]).chain(ends) {
            assert_eq!(Long(number).to_string(), number.to_string());
        }
    }

    #[test]
    fn bars_have_eighths_of_a_column() {
        assert_eq!([0, 200, 410, 32768, 65536].map(|p| Bar(p).to_string().chars().count()), [0, 0, 1, 10, 20]);
        assert_eq!(Bar(32768 + 3 * 410).to_string(), "██████████▍");
        let red = |has_colors| Painted(Paint::Red.on(Terminal { has_colors }), "x").to_string();
        assert_eq!([red(true), red(false)], ["\x1b[31mx\x1b[0m", "x"]);
    }

    #[test]
    fn fractions_are_rounded() {
        let shown = [0, 3, 4, 32768, 64955, 65532, 65533, 65536].map(|p| Decimal(p).to_string());
        assert_eq!(shown, ["0.0000", "0.0000", "0.0001", "0.5000", "0.9911", "0.9999", "1.0000", "1.0000"]);
        let shown = [0, 1769, 64955, 65536].map(|p| Percent(p).to_string());
        assert_eq!(shown, ["  0.0 %", "  2.7 %", " 99.1 %", "100.0 %"]);
        assert!((0..=65536).all(|p| {
            let (shown, exact) = (Decimal(p).to_string().parse::<f64>().unwrap(), f64::from(p) / 65536.0);
            (shown - exact).abs() <= 0.000_050_01
        }));
    }
}
