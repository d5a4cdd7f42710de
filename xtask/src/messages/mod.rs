//! Messages from machines and people around a building, made from a grammar: data for the demo and its model.
//!
//! A template ([`grammar`]) becomes a text ([`expand`]), a text gets a writer's habits ([`style`]) and now and then a
//! slip ([`typos`]). One seed gives the same bytes everywhere ([`rng`]). The classes share their words on purpose:
//! [`baselines`] measures how far the words alone would take a reader.

pub mod baselines;
pub mod expand;
pub mod grammar;
pub mod rng;
pub mod style;
#[cfg(test)]
mod tests;
pub mod typos;

use std::collections::HashSet;

use anyhow::{Result, bail};

use grammar::{Grammar, Reply, Template};
use rng::Rng;

/// Lines of `train.csv`, an equal number of each class.
pub const TRAIN_LINES: usize = 8000;
/// Lines of `heldout.csv`, an equal number of each class.
pub const HELD_OUT_LINES: usize = 600;
/// The seed of the files that the demo trains on.
pub const SEED: u64 = 7;

/// Of 100 messages that people write, so many have a slip of the finger; a third of those have two.
const TYPO_PERCENT: usize = 40;
/// Of 100 messages that people write, so many quote another message, one of another class.
const REPLY_PERCENT: usize = 50;
/// So often a template may come up with a text that is there already before the generator gives up on it.
const PATIENCE: usize = 40;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Danger or damage, now: someone must act at once.
    Alarm,
    /// Someone wants work done, a thing, or an answer; nobody is in danger.
    Request,
    /// How things are or were, good or bad; nothing is asked for.
    Status,
    /// Wants to sell or to cheat.
    Spam,
    /// People talk; the building has nothing to do.
    Chatter,
}

impl Label {
    /// All classes.
    pub const ALL: [Label; 5] = [Label::Alarm, Label::Request, Label::Status, Label::Spam, Label::Chatter];

    /// As it stands in the files.
    pub fn name(self) -> &'static str {
        match self {
            Label::Alarm => "alarm",
            Label::Request => "request",
            Label::Status => "status",
            Label::Spam => "spam",
            Label::Chatter => "chatter",
        }
    }
}

/// A text and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub text: String,
    /// Its class, always the one that its writer meant.
    pub label: Label,
}

/// The two sets of messages.
#[derive(Clone, Debug)]
pub struct Messages {
    /// To train and validate on.
    pub train: Vec<Message>,
    /// From templates that `train` never saw.
    pub held_out: Vec<Message>,
}

/// Makes both sets: [`TRAIN_LINES`] and [`HELD_OUT_LINES`] messages, no text twice, in random order.
pub fn generate(seed: u64) -> Result<Messages> {
    let grammar = Grammar::builtin()?;
    let mut writer = Writer { grammar: &grammar, rng: Rng::new(seed), seen: HashSet::new() };
    let held_out = writer.write(true, HELD_OUT_LINES)?;
    let train = writer.write(false, TRAIN_LINES)?;
    Ok(Messages { train, held_out })
}

struct Writer<'a> {
    grammar: &'a Grammar,
    rng: Rng,
    /// What [`fold`] leaves of every text so far.
    seen: HashSet<String>,
}

impl Writer<'_> {
    /// `lines` messages, the templates of each class in turn.
    fn write(&mut self, held_out: bool, lines: usize) -> Result<Vec<Message>> {
        let mut messages = Vec::with_capacity(lines);
        for label in Label::ALL {
            let of_class = |t: &&Template| t.label == label && t.held_out == held_out;
            let templates: Vec<_> = self.grammar.templates.iter().filter(of_class).collect();
            let wanted = lines / Label::ALL.len();
            let end = messages.len() + wanted;
            for turn in 0..wanted * 2 {
                if messages.len() == end {
                    break;
                }
                let template = templates[turn % templates.len()];
                messages.extend(self.message(template)?);
            }
            if messages.len() < end {
                let missing = end - messages.len();
                bail!("{missing} {} messages short of {wanted}: the grammar needs more templates", label.name());
            }
        }
        self.rng.shuffle(&mut messages);
        Ok(messages)
    }

    /// A new text of `template`, or none where it seems to have no more.
    fn message(&mut self, template: &Template) -> Result<Option<Message>> {
        for _ in 0..PATIENCE {
            let mut bare = self.bare(template)?;
            let reply = !template.machine && self.rng.chance(REPLY_PERCENT);
            if reply {
                bare = self.reply(template, &bare)?;
            }
            let text = self.written(&bare, template.machine)?;
            if self.seen.insert(fold(&text)) {
                return Ok(Some(Message { text, label: template.label }));
            }
        }
        Ok(None)
    }

    fn bare(&mut self, template: &Template) -> Result<String> {
        expand::expand(template.pattern, &self.grammar.slots, &mut self.rng)
    }

    /// `new`, which is a text of `template`, beside a quoted text of another class.
    fn reply(&mut self, template: &Template, new: &str) -> Result<String> {
        let grammar = self.grammar;
        let of_others = |t: &&Template| t.label != template.label && t.held_out == template.held_out;
        let others: Vec<_> = grammar.templates.iter().filter(of_others).collect();
        let of_set = |r: &&Reply| r.held_out == template.held_out;
        let replies: Vec<_> = grammar.replies.iter().filter(of_set).collect();
        let old: &&Template = self.rng.pick(&others);
        let old = self.bare(old)?;
        let reply: &&Reply = self.rng.pick(&replies);
        let pattern = reply.pattern.replace("{old}", &old).replace("{new}", new);
        expand::expand(&pattern, &grammar.slots, &mut self.rng)
    }

    /// `bare` as a person or a machine would write it.
    fn written(&mut self, bare: &str, machine: bool) -> Result<String> {
        let rng = &mut self.rng;
        if machine {
            return Ok(style::machine(bare, rng));
        }
        let mut text = style::person(bare, &self.grammar.slots, rng)?;
        if rng.chance(TYPO_PERCENT) {
            text = typos::slip(&text, rng);
            if rng.chance(33) {
                text = typos::slip(&text, rng);
            }
        }
        Ok(text)
    }
}

/// The letters and digits of a text in lower case: two texts that differ in less are the same to us.
fn fold(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
