//! Expands a template to a text: [`expand`].
//!
//! A template is plain text with two kinds of brackets, which nest:
//!
//! - `[a|b|c]` becomes one of its choices with equal probability; a choice may be empty.
//! - `{name}` becomes one of the choices of the slot `name`; `{3..20}` becomes an integer from 3 to 20, and
//!   `{18.5..23.9}` a number with one decimal in that range.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use crate::rng::Rng;

/// The choices of each slot, by the name of the slot.
pub type Slots = BTreeMap<String, Vec<String>>;

/// The deepest nesting of choices and slots; a template that nests deeper probably has a slot that contains itself.
const MAX_DEPTH: usize = 8;

/// Returns a random expansion of `template`.
///
/// # Errors
/// Fails if the template is malformed, names a slot that does not exist, or nests too deeply.
pub fn expand(template: &str, slots: &Slots, rng: &mut Rng) -> Result<String> {
    let mut text = String::new();
    expand_into(template, slots, rng, 0, &mut text).with_context(|| format!("in the template `{template}`"))?;
    Ok(text)
}

/// Appends a random expansion of `template` to `text`. `depth`: the number of choices and slots around it.
fn expand_into(template: &str, slots: &Slots, rng: &mut Rng, depth: usize, text: &mut String) -> Result<()> {
    if depth > MAX_DEPTH {
        bail!("choices and slots nest deeper than {MAX_DEPTH} levels; check that no slot contains itself");
    }
    let mut remaining = template;
    while let Some(index) = remaining.find(['[', '{', ']', '}']) {
        let (plain, from_bracket) = remaining.split_at(index);
        text.push_str(plain);
        // Fails if the bracket is a closing one.
        let (inner, after) = bracketed(from_bracket)?;
        if from_bracket.starts_with('[') {
            let choices = split_choices(inner);
            let choice: &&str = rng.pick(&choices);
            expand_into(choice, slots, rng, depth + 1, text)?;
        } else if let Some((low, high)) = inner.split_once("..") {
            push_number(low, high, rng, text)?;
        } else {
            let choices = slots.get(inner).with_context(|| format!("no slot `{inner}`; add it to slots.txt"))?;
            let choice: &String = rng.pick(choices);
            expand_into(choice, slots, rng, depth + 1, text)?;
        }
        remaining = after;
    }
    text.push_str(remaining);
    Ok(())
}

/// Splits `[inner]after` or `{inner}after`, which begins with a bracket, and returns `inner` and `after`. Fails if the
/// first bracket is a closing one or is never closed. Does not check that both brackets are of the same kind.
fn bracketed(text: &str) -> Result<(&str, &str)> {
    let mut depth = 0_usize;
    for (index, c) in text.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' if depth == 0 => bail!("`{c}` has no opening bracket"),
            ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok((&text[1..index], &text[index + 1..]));
        }
    }
    bail!("`{text}` opens a bracket that is not closed")
}

/// Splits a text at each `|` that is outside of all brackets.
pub fn split_choices(text: &str) -> Vec<&str> {
    let (mut choices, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (index, c) in text.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            '|' if depth == 0 => {
                choices.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    choices.push(&text[start..]);
    choices
}

/// Appends a random number from `low` to `high`, both included. If `low` has a decimal point, both must have one
/// decimal, and so has the number.
fn push_number(low: &str, high: &str, rng: &mut Rng, text: &mut String) -> Result<()> {
    let has_decimal = low.contains('.');
    // With a decimal, the bounds and the number count tenths.
    let parse = |bound: &str| -> Result<i64> {
        let digits = if has_decimal { bound.replacen('.', "", 1) } else { bound.to_owned() };
        digits.parse().with_context(|| format!("`{low}..{high}` is not a range of numbers"))
    };
    let (smallest, largest) = (parse(low)?, parse(high)?);
    if largest < smallest {
        bail!("the range `{low}..{high}` is empty");
    }
    let number = smallest + rng.below((largest - smallest + 1) as usize) as i64;
    if has_decimal {
        let sign = if number < 0 { "-" } else { "" };
        let tenths = number.unsigned_abs();
        text.push_str(&format!("{sign}{}.{}", tenths / 10, tenths % 10));
    } else {
        text.push_str(&number.to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots() -> Slots {
        let mut slots = Slots::new();
        slots.insert("pet".into(), vec!["cat".into(), "{size} dog".into()]);
        slots.insert("size".into(), vec!["big".into()]);
        slots.insert("loop".into(), vec!["{loop}".into()]);
        slots
    }

    fn all(template: &str) -> Vec<String> {
        let mut rng = Rng::new(1);
        let mut texts: Vec<_> = (0..500).map(|_| expand(template, &slots(), &mut rng).unwrap()).collect();
        texts.sort();
        texts.dedup();
        texts
    }

    #[test]
    fn choices_nest_and_may_be_empty() {
        assert_eq!(all("a[ b[1|2]|]"), ["a", "a b1", "a b2"]);
    }

    #[test]
    fn slots_nest() {
        assert_eq!(all("my {pet}"), ["my big dog", "my cat"]);
    }

    #[test]
    fn ranges_include_both_ends() {
        assert_eq!(all("{9..11}"), ["10", "11", "9"]);
        assert_eq!(all("{-0.1..0.1}"), ["-0.1", "0.0", "0.1"]);
    }

    #[test]
    fn an_error_names_the_malformed_part() {
        for (template, part) in [
            ("{owl}", "no slot `owl`"),
            ("[a|b", "not closed"),
            ("a]", "has no opening bracket"),
            ("{5..1}", "is empty"),
            ("{1..x}", "not a range of numbers"),
            ("{loop}", "no slot contains itself"),
        ] {
            let error = expand(template, &slots(), &mut Rng::new(1)).unwrap_err();
            assert!(format!("{error:#}").contains(part), "{template}: {error:#}");
        }
    }
}
