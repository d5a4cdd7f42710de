//! A generator of synthetic messages from people and machines in a building: the training data of the demo.
//!
//! A template (`grammar`), a pattern for many texts, is expanded to a text (`expand`). Half of the texts of people are
//! made replies that quote another text. The text is then styled like the message of a person or a machine (`style`),
//! and texts of people may get typing errors (`typos`). The same seed gives the same bytes on every computer ([`rng`]).
//! The classes share most of their words; [`baselines`] measures the accuracy of rules that ignore word order.

pub mod baselines;
mod expand;
mod grammar;
mod message;
pub mod rng;
mod style;
#[cfg(test)]
mod tests;
mod typos;

pub use message::{Label, Message, checksum, to_csv};

use std::collections::HashSet;

use anyhow::{Result, bail};

use grammar::{Grammar, Reply, Template};
use rng::Rng;

/// The number of messages in `train.csv`, of which each class has the same part.
pub const TRAIN_LINES: usize = 12_000;
/// The number of messages in `heldout.csv`, of which each class has the same part.
pub const HELD_OUT_LINES: usize = 1_000;
/// The random seed of the demo's data.
pub const SEED: u64 = 7;

/// The percentage of people's messages with a typing error.
const TYPO_PERCENT: usize = 40;
/// The percentage of messages with a typing error that get a second one.
const SECOND_TYPO_PERCENT: usize = 33;
/// The percentage of people's messages that quote a message of another class.
const REPLY_PERCENT: usize = 50;
/// The number of attempts to get a new text from a template. If all fail, the generator uses the next template.
const MAX_ATTEMPTS: usize = 40;

/// The training messages and the test messages.
#[derive(Clone, Debug)]
pub struct Messages {
    /// Messages for training and validation.
    pub train: Vec<Message>,
    /// Test messages from templates that `train` does not use.
    pub held_out: Vec<Message>,
}

/// Generates [`TRAIN_LINES`] training messages and [`HELD_OUT_LINES`] test messages in random order. No text occurs
/// twice.
///
/// # Errors
///
/// Fails if the grammar is malformed or has too few templates.
pub fn generate(seed: u64) -> Result<Messages> {
    let grammar = Grammar::builtin()?;
    let mut generator = Generator { grammar: &grammar, rng: Rng::new(seed), seen: HashSet::new() };
    let held_out = generator.messages(true, HELD_OUT_LINES)?;
    let train = generator.messages(false, TRAIN_LINES)?;
    Ok(Messages { train, held_out })
}

/// Generates messages, each text only once.
struct Generator<'a> {
    grammar: &'a Grammar,
    rng: Rng,
    /// All texts that have been generated, as [`normalise`] returns them.
    seen: HashSet<String>,
}

impl Generator<'_> {
    /// Returns `count` messages, the same number of each class, in random order. The templates of a class are used in
    /// turn. `held_out`: true for the templates of test messages; `count`: a multiple of the number of classes.
    ///
    /// Fails if the templates of a class give too few different texts.
    fn messages(&mut self, held_out: bool, count: usize) -> Result<Vec<Message>> {
        let mut messages = Vec::with_capacity(count);
        for label in Label::ALL {
            let of_class = |t: &&Template| t.label == label && t.held_out == held_out;
            let templates: Vec<_> = self.grammar.templates.iter().filter(of_class).collect();
            let wanted = count / Label::ALL.len();
            let end = messages.len() + wanted;
            // Up to two attempts for each wanted message, since some templates are exhausted early.
            for template in templates.iter().cycle().take(2 * wanted) {
                if messages.len() < end {
                    messages.extend(self.message(template)?);
                }
            }
            if messages.len() < end {
                let missing = end - messages.len();
                bail!("{missing} {} messages short of {wanted}: the grammar needs more templates", label.name());
            }
        }
        self.rng.shuffle(&mut messages);
        Ok(messages)
    }

    /// Returns a new message from `template`; `None` if the template seems to be exhausted.
    fn message(&mut self, template: &Template) -> Result<Option<Message>> {
        for _ in 0..MAX_ATTEMPTS {
            let mut unstyled = self.expand(template)?;
            if !template.is_machine && self.rng.chance(REPLY_PERCENT) {
                unstyled = self.reply(template, &unstyled)?;
            }
            let text = self.styled(&unstyled, template.is_machine)?;
            if self.seen.insert(normalise(&text)) {
                return Ok(Some(Message { text, label: template.label }));
            }
        }
        Ok(None)
    }

    /// Returns a random text of a template.
    fn expand(&mut self, template: &Template) -> Result<String> {
        expand::expand(template.pattern, &self.grammar.slots, &mut self.rng)
    }

    /// Returns a reply that combines `new`, a text of `template`, with a quoted text of another class. Held-out
    /// templates are combined only with each other.
    fn reply(&mut self, template: &Template, new: &str) -> Result<String> {
        let grammar = self.grammar;
        let is_other = |t: &&Template| t.label != template.label && t.held_out == template.held_out;
        let others: Vec<_> = grammar.templates.iter().filter(is_other).collect();
        let replies: Vec<_> = grammar.replies.iter().filter(|reply| reply.held_out == template.held_out).collect();
        let old: &&Template = self.rng.pick(&others);
        let old = self.expand(old)?;
        let reply: &&Reply = self.rng.pick(&replies);
        let pattern = reply.pattern.replace("{old}", &old).replace("{new}", new);
        expand::expand(&pattern, &grammar.slots, &mut self.rng)
    }

    /// Rewrites a text in the style of a machine or a person.
    fn styled(&mut self, unstyled: &str, is_machine: bool) -> Result<String> {
        let rng = &mut self.rng;
        if is_machine {
            return Ok(style::machine(unstyled, rng));
        }
        let mut text = style::person(unstyled, &self.grammar.slots, rng)?;
        if rng.chance(TYPO_PERCENT) {
            text = typos::add_typo(&text, rng);
            if rng.chance(SECOND_TYPO_PERCENT) {
                text = typos::add_typo(&text, rng);
            }
        }
        Ok(text)
    }
}

/// Returns the letters and digits of a text in lower case; texts with the same result count as equal.
fn normalise(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
