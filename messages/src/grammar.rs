//! Reads the grammar, the text files in `messages/grammar/`. A *template* is a pattern that [`expand`](crate::expand)
//! turns into many texts; a *slot* is a named list of choices in it.
//!
//! `slots.txt` defines one slot in each line, `name = choice | choice`. The other files list templates by scene, each
//! with its class:
//!
//! ```text
//! scene smoke
//! alarm   smoke {spot}, please come
//! status# {det} smoke {low} {place} ok
//! alarm*  burning smell {spot}
//! ```
//!
//! A class with `#` marks a message from a machine, without a greeting and typing errors; the others are from people. A
//! class with `*` marks a template that is held out: it is used for test messages only.
//!
//! `replies.txt` has lines `reply pattern`, or `reply* pattern` for a held-out one; the pattern combines a new text,
//! `{new}`, with a quoted one, `{old}`.
//!
//! Every scene has about as many templates of each class, so the topic of a message does not reveal its class.
//! Empty lines and lines that begin with `#` are skipped.

use anyhow::{Context, Result, bail};

use crate::Label;
use crate::expand::{Slots, split_choices};

const SLOTS: &str = include_str!("../grammar/slots.txt");
const REPLIES: &str = include_str!("../grammar/replies.txt");
const SCENES: [(&str, &str); 6] = [
    ("fire.txt", include_str!("../grammar/fire.txt")),
    ("water.txt", include_str!("../grammar/water.txt")),
    ("plant.txt", include_str!("../grammar/plant.txt")),
    ("general.txt", include_str!("../grammar/general.txt")),
    ("people.txt", include_str!("../grammar/people.txt")),
    ("plain.txt", include_str!("../grammar/plain.txt")),
];

/// A template of messages.
#[derive(Clone, Debug)]
pub struct Template {
    /// The class of the messages.
    pub label: Label,
    /// The topic of the message.
    #[allow(dead_code, reason = "a test checks that every scene has all classes")]
    pub scene: &'static str,
    /// True if the template is used for test messages only.
    pub held_out: bool,
    /// True if the message comes from a machine, false if from a person.
    pub is_machine: bool,
    /// The argument of [`expand`](crate::expand::expand).
    pub pattern: &'static str,
}

/// A template of messages that quote another message; its class is that of `{new}`.
#[derive(Clone, Debug)]
pub struct Reply {
    /// True if the template is used for test messages only.
    pub held_out: bool,
    /// A template that contains `{old}`, the quoted text, and `{new}`, the new text, once each.
    pub pattern: &'static str,
}

/// All templates, reply patterns and slots.
#[derive(Clone, Debug)]
pub struct Grammar {
    pub templates: Vec<Template>,
    pub replies: Vec<Reply>,
    pub slots: Slots,
}

impl Grammar {
    /// Reads the grammar that is compiled into the program.
    pub fn builtin() -> Result<Self> {
        let mut templates = Vec::new();
        for (file, text) in SCENES {
            read_scenes(text, &mut templates).with_context(|| format!("messages/grammar/{file}"))?;
        }
        let replies = read_replies(REPLIES).context("messages/grammar/replies.txt")?;
        let slots = read_slots(SLOTS).context("messages/grammar/slots.txt")?;
        Ok(Grammar { templates, replies, slots })
    }
}

/// Returns the lines of a file with their numbers from 1, without empty lines and comments.
fn lines(text: &'static str) -> impl Iterator<Item = (usize, &'static str)> {
    (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Reads `slots.txt`.
fn read_slots(text: &'static str) -> Result<Slots> {
    let mut slots = Slots::new();
    for (number, line) in lines(text) {
        let (name, choices) =
            line.split_once('=').with_context(|| format!("line {number}: expected `name = choice | choice`"))?;
        let choices = split_choices(choices).iter().map(|c| c.trim().to_owned()).collect();
        if slots.insert(name.trim().to_owned(), choices).is_some() {
            bail!("line {number}: slot `{}` is defined twice", name.trim());
        }
    }
    Ok(slots)
}

/// Reads the templates of a file of scenes, and appends them to `templates`.
fn read_scenes(text: &'static str, templates: &mut Vec<Template>) -> Result<()> {
    let mut scene = None;
    for (number, line) in lines(text) {
        let (class, pattern) = line
            .split_once(char::is_whitespace)
            .with_context(|| format!("line {number}: `{line}` is not `CLASS TEMPLATE` or `scene NAME`"))?;
        let pattern = pattern.trim();
        if class == "scene" {
            scene = Some(pattern);
            continue;
        }
        let name = class.trim_end_matches(['*', '#']);
        let label = Label::ALL
            .into_iter()
            .find(|label| label.name() == name)
            .with_context(|| format!("line {number}: `{name}` is not a class"))?;
        templates.push(Template {
            label,
            scene: scene.with_context(|| format!("line {number}: no `scene` line before it"))?,
            held_out: class.contains('*'),
            is_machine: class.contains('#'),
            pattern,
        });
    }
    Ok(())
}

/// Reads `replies.txt`.
fn read_replies(text: &'static str) -> Result<Vec<Reply>> {
    let mut replies = Vec::new();
    for (number, line) in lines(text) {
        let (keyword, pattern) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if keyword.trim_end_matches('*') != "reply" {
            bail!("line {number}: `{keyword}` is not `reply` or `reply*`");
        }
        if ["{old}", "{new}"].iter().any(|slot| pattern.matches(slot).count() != 1) {
            bail!("line {number}: expected `{{old}}` and `{{new}}` once each in `{pattern}`");
        }
        replies.push(Reply { held_out: keyword.ends_with('*'), pattern: pattern.trim() });
    }
    Ok(replies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expand::expand;
    use crate::rng::Rng;

    #[test]
    fn every_template_expands() {
        let grammar = Grammar::builtin().unwrap();
        let mut rng = Rng::new(1);
        for template in &grammar.templates {
            for _ in 0..20 {
                let text = expand(template.pattern, &grammar.slots, &mut rng).unwrap();
                assert!(!text.contains(['[', ']', '{', '}', '|']), "{text}");
                assert!(!text.contains('\n') && text.len() < 160, "{text}");
            }
        }
    }

    #[test]
    fn every_scene_has_every_class_in_train_and_held_out() {
        let grammar = Grammar::builtin().unwrap();
        let mut scenes: Vec<_> = grammar.templates.iter().map(|t| t.scene).collect();
        scenes.dedup();
        for scene in scenes {
            for label in Label::ALL {
                let count = |held_out| {
                    let of_class = |t: &&Template| t.scene == scene && t.label == label;
                    let templates = grammar.templates.iter().filter(of_class);
                    templates.filter(|t| t.held_out == held_out).count()
                };
                assert!(count(false) >= 5, "scene {scene}: {} train {}", count(false), label.name());
                assert!(count(true) >= 2, "scene {scene}: {} held out {}", count(true), label.name());
            }
        }
    }

    #[test]
    fn no_pattern_occurs_twice() {
        let mut patterns: Vec<_> = Grammar::builtin().unwrap().templates.iter().map(|t| t.pattern).collect();
        patterns.sort_unstable();
        for pair in patterns.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }

    #[test]
    fn an_error_names_the_line() {
        for (text, part) in [
            ("alarm smoke", "line 1: no `scene` line"),
            ("scene a\nnews hello", "line 2: `news` is not a class"),
            ("scene a\n\nalarm", "line 3: `alarm` is not `CLASS TEMPLATE` or `scene NAME`"),
        ] {
            let error = read_scenes(text, &mut Vec::new()).unwrap_err();
            assert!(format!("{error:#}").contains(part), "{error:#}");
        }
    }
}
