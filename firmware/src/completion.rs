//! Completion of the command or argument at the end of a line.

use tern_runtime::Task;

use crate::command::{COMMANDS, split_at_space};

/// The possible continuations of a line.
#[derive(Clone, Copy, Debug)]
pub struct Completion<'l> {
    /// The beginning of the word, as typed.
    prefix: &'l [u8],
    /// The command before the word; `None` if the word is the command itself.
    command: Option<&'l [u8]>,
    /// The task of the loaded model.
    loaded: Option<Task>,
}

/// Returns the possible continuations of the last word of `line`. `loaded` is the task of the loaded model.
pub fn completion(line: &[u8], loaded: Option<Task>) -> Completion<'_> {
    let line = line.strip_prefix(b"@").unwrap_or(line);
    match (line.contains(&b' '), split_at_space(line)) {
        (true, (command, prefix)) => Completion { prefix, command: Some(command), loaded },
        (false, (prefix, _)) => Completion { prefix, command: None, loaded },
    }
}

impl<'l> Completion<'l> {
    /// The commands or arguments that begin with what was typed.
    pub fn words(self) -> impl Iterator<Item = &'static str> + use<'l> {
        let commands = COMMANDS.iter().filter(move |info| info.is_for(self.loaded));
        let words = commands.flat_map(move |info| match self.command {
            None => core::slice::from_ref(&info.word),
            Some(command) if info.word.as_bytes() == command => info.choices,
            Some(_) => &[],
        });
        words.copied().filter(move |word| word.as_bytes().starts_with(self.prefix))
    }

    /// The longest text by which all [`words`](Completion::words) continue what was typed. Empty if there is no word,
    /// or if the words differ in their next byte.
    pub fn common(self) -> &'static str {
        let mut words = self.words();
        let Some(first) = words.next() else { return "" };
        let common_len = |word: &str| first.bytes().zip(word.bytes()).take_while(|(a, b)| a == b).count();
        let length = words.map(common_len).min().unwrap_or(first.len());
        first.get(self.prefix.len()..length).unwrap_or("")
    }

    /// Returns true if there is one word only, a command that takes arguments.
    pub fn takes_arguments(self) -> bool {
        let mut words = self.words();
        match (words.next(), words.next()) {
            (Some(only), None) => COMMANDS.iter().any(|info| info.word == only && info.takes_arguments()),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn complete(line: &str) -> Completion<'_> {
        completion(line.as_bytes(), Some(Task::Classify))
    }

    fn words(line: &str) -> Vec<&'static str> {
        complete(line).words().collect()
    }

    #[test]
    fn words_are_completed_up_to_where_they_differ() {
        assert_eq!(words("").len(), COMMANDS.len() - 4, "commands of other tasks are left out");
        assert_eq!(words("la"), ["labels"]);
        assert_eq!(words("@la"), ["labels"]);
        assert_eq!(words("s"), ["selftest", "stats", "stream"]);
        assert_eq!(words("echo "), ["on", "off"]);
        assert_eq!(words("echo of"), ["off"]);
        for text in ["free", "free p", "help m", "top 3", "echo on ", "La"] {
            assert!(words(text).is_empty(), "{text}");
        }
        for (line, common) in [("la", "bels"), ("st", ""), ("se", "lftest"), ("s", ""), ("echo ", "o")] {
            assert_eq!(complete(line).common(), common, "{line}");
        }
        for (line, takes_arguments) in [("la", false), ("top", true), ("echo of", false)] {
            assert_eq!(complete(line).takes_arguments(), takes_arguments, "{line}");
        }
    }
}
