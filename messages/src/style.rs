//! The style of a message: greeting, sign-off, case, punctuation, separators.
//!
//! The random style does not depend on the class of the message, so that a model cannot learn the class from it.

use anyhow::Result;

use crate::expand::{Slots, expand};
use crate::rng::Rng;

/// The percentage of messages with a greeting.
const OPENING_PERCENT: usize = 20;
/// The percentage of messages that end with a sign-off, a phone number or an address.
const CLOSING_PERCENT: usize = 25;
/// The percentage of questions that lose their question mark.
const LOST_MARK_PERCENT: usize = 30;
/// The percentage of machines' messages with one of the [`PREFIXES`].
const PREFIX_PERCENT: usize = 20;

/// The final punctuation of a person's message, each entry with equal probability; an entry may occur several times.
const MARKS: [&str; 10] = ["", "", "", "", ".", ".", "!", "!", "!!", " ..."];
/// The texts that may come before a machine's message.
const PREFIXES: [&str; 5] = ["BMS: ", "[gw1] ", "msg 07: ", "auto: ", "> "];

/// Rewrites `text` as a person's message, with a random greeting (slot `opening`), sign-off (slot `closing`), case and
/// final punctuation. Fails if one of the two slots is missing or malformed.
pub fn person(text: &str, slots: &Slots, rng: &mut Rng) -> Result<String> {
    let mut message = text.to_owned();
    if rng.chance(OPENING_PERCENT) {
        message = format!("{} {message}", expand("{opening}", slots, rng)?);
    }
    if rng.chance(CLOSING_PERCENT) {
        let closing = expand("{closing}", slots, rng)?;
        let gap = if closing.starts_with(',') { "" } else { " " };
        message = format!("{message}{gap}{closing}");
    }
    if message.ends_with('?') {
        if rng.chance(LOST_MARK_PERCENT) {
            message.pop();
        }
    } else {
        message.push_str(rng.pick::<&str>(&MARKS));
    }
    // Of twenty messages, one is in capitals, nine begin with a capital, six are in lower case, four stay as they are.
    Ok(match rng.below(20) {
        0 => message.to_uppercase(),
        1..=9 => capitalised(&message),
        10..=15 => message.to_lowercase(),
        _ => message,
    })
}

/// Rewrites `text` as a machine's message, with a random prefix, and with another separator of its words or another
/// case, or neither.
pub fn machine(text: &str, rng: &mut Rng) -> String {
    let prefix = if rng.chance(PREFIX_PERCENT) { *rng.pick(&PREFIXES) } else { "" };
    // Two of six messages stay as they are.
    let message = match rng.below(6) {
        0 => text.replace(' ', ";"),
        1 => text.replace(' ', ", "),
        2 => text.to_uppercase(),
        3 => text.to_lowercase(),
        _ => text.to_owned(),
    };
    format!("{prefix}{message}")
}

/// Returns the text with its first character in upper case.
fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::Grammar;

    #[test]
    fn a_person_keeps_the_words() {
        let slots = Grammar::builtin().unwrap().slots;
        let mut rng = Rng::new(1);
        for _ in 0..1000 {
            let message = person("no smoke in 3B", &slots, &mut rng).unwrap().to_lowercase();
            assert!(message.contains("no smoke in 3b"), "{message}");
        }
    }

    #[test]
    fn a_machine_keeps_the_words() {
        let mut rng = Rng::new(1);
        for _ in 0..1000 {
            let message = machine("P-1 flow 3 ok", &mut rng).to_lowercase();
            let words: Vec<_> = message.split([' ', ';', ',']).filter(|w| !w.is_empty()).collect();
            assert!(words.ends_with(&["p-1", "flow", "3", "ok"]), "{message}");
        }
    }
}
