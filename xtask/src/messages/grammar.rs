//! Reads the grammar: the text files in `xtask/grammar/`.
//!
//! `slots.txt` has one slot a line, `name = choice | choice`. Each other file tells scenes of a building:
//!
//! ```text
//! scene smoke
//! alarm   smoke {spot}, please come        a person's message
//! status# {det} smoke {low} {place} ok     a machine's: no greeting, no typing slips
//! alarm*  burning smell {spot}             held out: never in train.csv, only in heldout.csv
//! ```
//!
//! `replies.txt` has lines `reply pattern`, where `{new}` and `{old}` stand for two such texts; see there.
//!
//! Every scene has every class in about equal parts, so that what a message is about does not tell its class.
//! Empty lines and lines that start with `#` say nothing.

use anyhow::{Context, Result, bail};

use super::Label;
use super::expand::{Slots, split_choices};

const SLOTS: &str = include_str!("../../grammar/slots.txt");
const REPLIES: &str = include_str!("../../grammar/replies.txt");
const SCENES: [(&str, &str); 5] = [
    ("fire.txt", include_str!("../../grammar/fire.txt")),
    ("water.txt", include_str!("../../grammar/water.txt")),
    ("plant.txt", include_str!("../../grammar/plant.txt")),
    ("general.txt", include_str!("../../grammar/general.txt")),
    ("people.txt", include_str!("../../grammar/people.txt")),
];

/// One pattern of messages.
#[derive(Clone, Debug)]
pub struct Template {
    /// The class of every text it makes.
    pub label: Label,
    /// What the message is about; scenes are balanced over classes.
    pub scene: &'static str,
    /// Kept out of the training texts.
    pub held_out: bool,
    /// Written by a machine.
    pub machine: bool,
    /// What [`super::expand::expand`] takes.
    pub pattern: &'static str,
}

/// A pattern of messages that quote another; it takes its class from `{new}`.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Kept out of the training texts.
    pub held_out: bool,
    /// A template with the slots `old` and `new`.
    pub pattern: &'static str,
}

/// All templates and slots.
#[derive(Clone, Debug)]
pub struct Grammar {
    /// In the order of the files.
    pub templates: Vec<Template>,
    /// In the order of the file.
    pub replies: Vec<Reply>,
    /// By name.
    pub slots: Slots,
}

impl Grammar {
    /// The grammar that is part of this program.
    pub fn builtin() -> Result<Self> {
        let mut templates = Vec::new();
        for (file, text) in SCENES {
            read_scenes(text, &mut templates).with_context(|| format!("xtask/grammar/{file}"))?;
        }
        let replies = read_replies(REPLIES).context("xtask/grammar/replies.txt")?;
        let slots = read_slots(SLOTS).context("xtask/grammar/slots.txt")?;
        Ok(Grammar { templates, replies, slots })
    }
}

fn lines(text: &'static str) -> impl Iterator<Item = (usize, &'static str)> {
    (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn read_slots(text: &'static str) -> Result<Slots> {
    let mut slots = Slots::new();
    for (number, line) in lines(text) {
        let (name, choices) =
            line.split_once('=').with_context(|| format!("line {number}: expected `name = choice | choice`"))?;
        let choices = split_choices(choices).iter().map(|c| c.trim().to_owned()).collect();
        if slots.insert(name.trim().to_owned(), choices).is_some() {
            bail!("line {number}: slot `{}` is told twice", name.trim());
        }
    }
    Ok(slots)
}

fn read_scenes(text: &'static str, templates: &mut Vec<Template>) -> Result<()> {
    let mut scene = None;
    for (number, line) in lines(text) {
        let (head, pattern) = line
            .split_once(char::is_whitespace)
            .with_context(|| format!("line {number}: `{line}` is no `class template`"))?;
        let pattern = pattern.trim();
        if head == "scene" {
            scene = Some(pattern);
            continue;
        }
        let name = head.trim_end_matches(['*', '#']);
        let label = Label::ALL
            .into_iter()
            .find(|label| label.name() == name)
            .with_context(|| format!("line {number}: `{name}` is none of the classes"))?;
        templates.push(Template {
            label,
            scene: scene.with_context(|| format!("line {number}: no `scene` line before it"))?,
            held_out: head.contains('*'),
            machine: head.contains('#'),
            pattern,
        });
    }
    Ok(())
}

fn read_replies(text: &'static str) -> Result<Vec<Reply>> {
    let mut replies = Vec::new();
    for (number, line) in lines(text) {
        let (head, pattern) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        if head.trim_end_matches('*') != "reply" {
            bail!("line {number}: `{head}` is not `reply` or `reply*`");
        }
        if ["{old}", "{new}"].iter().any(|slot| pattern.matches(slot).count() != 1) {
            bail!("line {number}: expected `{{old}}` and `{{new}}` once each in `{pattern}`");
        }
        replies.push(Reply { held_out: head.ends_with('*'), pattern: pattern.trim() });
    }
    Ok(replies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::expand::expand;
    use crate::messages::rng::Rng;

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
    fn no_pattern_stands_twice() {
        let mut patterns: Vec<_> = Grammar::builtin().unwrap().templates.iter().map(|t| t.pattern).collect();
        patterns.sort_unstable();
        for pair in patterns.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }

    #[test]
    fn errors_name_the_line() {
        for (text, part) in [
            ("alarm smoke", "line 1: no `scene` line"),
            ("scene a\nnews hello", "line 2: `news` is none of the classes"),
            ("scene a\n\nalarm", "line 3: `alarm` is no `class template`"),
        ] {
            let error = read_scenes(text, &mut Vec::new()).unwrap_err();
            assert!(format!("{error:#}").contains(part), "{error:#}");
        }
    }
}
