//! Parses the decimal numbers that a model for sensor values reads, and formats the integers of a channel as decimals.
//! A channel is one column of numbers, whose values the model stores as integers in a format Qn.

use core::fmt;
use core::num::NonZeroU32;

use tern_runtime::Channel;
use thiserror::Error;

use crate::display::Long;

/// The largest number of digits, after leading zeros, that are kept of a number, so that it fits `i32`; also the
/// largest number of decimal places.
const DIGITS: u32 = 9;

/// The reason why the input is not a sequence of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NumberError {
    /// This byte cannot be part of a number at its place, or it ends a sign or a point without digits.
    #[error(
        "found `{}`, expected decimal numbers such as 21.5 or -3, with spaces between them",
        Visible(*.0)
    )]
    Byte(u8),
    #[error("a number has more than {DIGITS} digits before its point")]
    TooLarge,
    /// The last time step is not complete: `found` is less than `expected`, the number of channels.
    #[error("the last step has {found} numbers, expected {expected}, one for each channel")]
    Incomplete { found: usize, expected: usize },
}

/// Displays a byte: a printable character as it is, any other byte as `\x0a`.
struct Visible(u8);

impl fmt::Display for Visible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b' '..=b'~' => write!(f, "{}", char::from(self.0)),
            byte => write!(f, "\\x{byte:02x}"),
        }
    }
}

/// Parses numbers byte by byte. The fields describe the number that is being parsed.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumberParser {
    is_negative: bool,
    /// The number of digits so far, including leading zeros and decimal places that are dropped.
    digits: u32,
    /// The integer that the kept digits make, without the point and the sign.
    value: i32,
    /// The number of digits kept after the point; `None` before the point.
    decimals: Option<u32>,
}

impl NumberParser {
    /// Parses the next byte. If it ends a number, returns the number as a numerator and a denominator, which is a power
    /// of ten.
    pub fn push(&mut self, byte: u8) -> Result<Option<(i32, NonZeroU32)>, NumberError> {
        match byte {
            b'0'..=b'9' => {
                // A value of at most DIGITS - 1 digits has room for another digit.
                let has_room = self.value < 10i32.pow(DIGITS - 1);
                self.digits += 1;
                match &mut self.decimals {
                    None if has_room => (),
                    None => return Err(NumberError::TooLarge),
                    Some(decimals) if has_room && *decimals < DIGITS => *decimals += 1,
                    // Decimal places that do not fit are dropped.
                    Some(_) => return Ok(None),
                }
                self.value = self.value * 10 + i32::from(byte - b'0');
                Ok(None)
            }
            b'-' if self.digits == 0 && !self.is_negative && self.decimals.is_none() => {
                self.is_negative = true;
                Ok(None)
            }
            b'.' if self.decimals.is_none() => {
                self.decimals = Some(0);
                Ok(None)
            }
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b';' => self.end(byte),
            byte => Err(NumberError::Byte(byte)),
        }
    }

    /// Ends the number and returns it as [`push`](NumberParser::push) does; `None` if no number has begun. `byte` is
    /// the byte that ends the number: the error for a sign or a point without digits names it.
    pub fn end(&mut self, byte: u8) -> Result<Option<(i32, NonZeroU32)>, NumberError> {
        let NumberParser { is_negative, digits, value, decimals } = core::mem::take(self);
        if digits == 0 {
            return if is_negative || decimals.is_some() { Err(NumberError::Byte(byte)) } else { Ok(None) };
        }
        // A power of ten is not 0, so `MIN` is never used.
        let denominator = NonZeroU32::new(10u32.pow(decimals.unwrap_or(0))).unwrap_or(NonZeroU32::MIN);
        Ok(Some((if is_negative { -value } else { value }, denominator)))
    }
}

/// Displays an integer of a channel as a decimal, with as many decimal places as distinguish neighbouring integers, but
/// at most nine.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a>(pub Channel<'a>, pub i32);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Value(Channel { point, .. }, value) = *self;
        // The value is in Qn with n = `point`: neighbouring integers differ by 2^-n = 10^-(n · 0.301). 31/100 is a
        // little more than 0.301, and the quotient is rounded up.
        let places = (point.max(0) as u32 * 31).div_ceil(100).min(DIGITS);
        // The number 1 in units of the last decimal place.
        let one = 10u64.pow(places);
        let magnitude = u64::from(value.unsigned_abs());
        let shift = point.unsigned_abs();
        // The magnitude in units of the last decimal place, rounded. It cannot overflow: 2^32 · 10^9 is below 2^62, and
        // a negative point, for which there are no places, is at least −16.
        let scaled = match point {
            1.. => (magnitude * one + (1 << (shift - 1))) >> shift,
            _ => magnitude << shift,
        };
        let sign = if value < 0 && scaled > 0 { "-" } else { "" };
        // `one` is not 0, but the operators `/` and `%` would add a panic to the code.
        let whole = scaled.checked_div(one).unwrap_or(0);
        write!(f, "{sign}{}", Long(whole))?;
        if places == 0 {
            return Ok(());
        }
        // Below 10^9, so it fits `u32`.
        let fraction = (scaled - whole * one) as u32;
        write!(f, ".{fraction:0width$}", width = places as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec::Vec;

    fn numbers(text: &str) -> Result<Vec<(i32, u32)>, NumberError> {
        let mut parser = NumberParser::default();
        let mut found = Vec::new();
        for byte in text.bytes() {
            found.extend(parser.push(byte)?);
        }
        found.extend(parser.end(b'\n')?);
        Ok(found.into_iter().map(|(numerator, denominator)| (numerator, denominator.get())).collect())
    }

    #[test]
    fn decimals_are_parsed() {
        let found = numbers("112  -3.50,0.001;\t.5 7.\r\n999999999").unwrap();
        assert_eq!(found, [(112, 1), (-350, 100), (1, 1000), (5, 10), (7, 1), (999_999_999, 1)]);
        // Digits after the ninth are dropped.
        assert_eq!(numbers("3.14159265358979").unwrap(), [(314_159_265, 100_000_000)]);
        assert_eq!(numbers("0.00000000012").unwrap(), [(0, 1_000_000_000)]);
        assert_eq!(numbers(" ").unwrap(), []);
    }

    #[test]
    fn malformed_numbers_are_refused() {
        for (text, byte) in [("12a", b'a'), ("1.2.3", b'.'), ("--1", b'-'), ("1-2", b'-'), ("- 1", b' '), (".", b'\n')]
        {
            assert_eq!(numbers(text), Err(NumberError::Byte(byte)), "{text}");
        }
        assert_eq!(numbers("1234567890"), Err(NumberError::TooLarge));
    }

    #[test]
    fn channel_values_are_displayed_and_parsed_back() {
        let shown = |point, value| Value(Channel { name: "", point }, value).to_string();
        assert_eq!([shown(0, -7), shown(8, 5_471), shown(8, -1), shown(-2, 3)], ["-7", "21.371", "-0.004", "12"]);
        assert_eq!(
            [shown(30, 1 << 30), shown(30, i32::MIN), shown(-16, i32::MAX)],
            ["1.000000000", "-2.000000000", "140737488289792"]
        );
        // Parsing what was displayed gives the same integer.
        for value in -3000..3000 {
            let channel = Channel { name: "", point: 10 };
            let text = Value(channel, value).to_string();
            let (numerator, denominator) = numbers(&text).unwrap()[0];
            assert_eq!(channel.encode(numerator, NonZeroU32::new(denominator).unwrap()), value, "{text}");
        }
    }
}
