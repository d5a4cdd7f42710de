//! How a message is written, whatever it says: greetings, case, closing marks, slips of the finger.
//!
//! Nothing here looks at the class, so none of it tells the class.

use anyhow::Result;

use super::expand::{Slots, expand};
use super::rng::Rng;

/// Of 100 messages, so many begin with a greeting.
const OPENING_PERCENT: usize = 20;
/// Of 100 messages, so many end with a sign-off, a number to call or an address.
const CLOSING_PERCENT: usize = 25;

const MARKS: [&str; 10] = ["", "", "", "", ".", ".", "!", "!", "!!", " ..."];
const STAMPS: [&str; 5] = ["BMS: ", "[gw1] ", "msg 07: ", "auto: ", "> "];

/// A person's message: perhaps a greeting (slot `opening`), a sign-off (slot `closing`), other case, a closing mark.
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
        if rng.chance(30) {
            message.pop();
        }
    } else {
        message.push_str(rng.pick::<&str>(&MARKS));
    }
    Ok(match rng.below(20) {
        0 => message.to_uppercase(),
        1..=9 => capitalised(&message),
        10..=15 => message.to_lowercase(),
        _ => message,
    })
}

/// A machine's message: perhaps a stamp, other separators, other case.
pub fn machine(text: &str, rng: &mut Rng) -> String {
    let stamp = if rng.chance(20) { *rng.pick(&STAMPS) } else { "" };
    let message = match rng.below(6) {
        0 => text.replace(' ', ";"),
        1 => text.replace(' ', ", "),
        2 => text.to_uppercase(),
        3 => text.to_lowercase(),
        _ => text.to_owned(),
    };
    format!("{stamp}{message}")
}

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
    use crate::messages::grammar::Grammar;

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
