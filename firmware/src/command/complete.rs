//! Completion: how a command that has begun may go on.

use tern_runtime::Task;

use super::{COMMANDS, cut};

/// The words that a line which is no whole command yet may go on with.
#[derive(Clone, Copy, Debug)]
pub struct Completion<'l> {
    /// What of the word stands there.
    prefix: &'l [u8],
    /// The command before it; none: the word is the command.
    command: Option<&'l [u8]>,
    model: Option<Task>,
}

/// How the last word of `line` may go on, for a model of this task.
pub fn completion(line: &[u8], model: Option<Task>) -> Completion<'_> {
    let body = line.strip_prefix(b"@").unwrap_or(line);
    match (body.contains(&b' '), cut(body)) {
        (true, (command, prefix)) => Completion { prefix, command: Some(command), model },
        (false, (prefix, _)) => Completion { prefix, command: None, model },
    }
}

impl<'l> Completion<'l> {
    /// The words that fit.
    pub fn words(self) -> impl Iterator<Item = &'static str> + use<'l> {
        let entries =
            COMMANDS.iter().filter(move |entry| entry.serves(self.model)).filter(move |entry| match self.command {
                Some(command) => entry.word.as_bytes() == command,
                None => true,
            });
        entries
            .flat_map(
                move |entry| if self.command.is_some() { entry.choices } else { core::slice::from_ref(&entry.word) },
            )
            .copied()
            .filter(move |word| word.as_bytes().starts_with(self.prefix))
    }

    /// What all words that fit go on with; empty where they differ at once, or where none fits.
    pub fn common(self) -> &'static str {
        let mut words = self.words();
        let Some(first) = words.next() else { return "" };
        let same = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
        let length = words.map(|word| same(first, word)).min().unwrap_or(first.len());
        first.get(self.prefix.len()..length).unwrap_or("")
    }

    /// The only word that fits is a command that something may follow.
    pub fn goes_on(self) -> bool {
        let mut words = self.words();
        match (words.next(), words.next()) {
            (Some(only), None) => COMMANDS.iter().any(|entry| entry.word == only && !entry.is_bare()),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn words(line: &str) -> Vec<&'static str> {
        completion(line.as_bytes(), Some(Task::Classify)).words().collect()
    }

    #[test]
    fn words_and_their_common_beginning() {
        assert_eq!(words("").len(), COMMANDS.len() - 4, "without those of other models");
        assert_eq!(words("la"), ["labels"]);
        assert_eq!(words("@la"), ["labels"]);
        assert_eq!(completion(b"la", Some(Task::Classify)).common(), "bels");
        assert!(
            !completion(b"la", Some(Task::Classify)).goes_on() && completion(b"top", Some(Task::Classify)).goes_on()
        );
        assert_eq!(words("s"), ["selftest", "stats", "stream"]);
        assert_eq!(completion(b"st", Some(Task::Classify)).common(), "");
        assert_eq!(completion(b"se", Some(Task::Classify)).common(), "lftest");
        assert_eq!(completion(b"s", Some(Task::Classify)).common(), "");
        assert_eq!(words("echo "), ["on", "off"]);
        assert_eq!(completion(b"echo ", Some(Task::Classify)).common(), "o");
        assert_eq!(words("echo of"), ["off"]);
        assert!(!completion(b"echo of", Some(Task::Classify)).goes_on());
        for text in ["free", "free p", "help m", "top 3", "echo on ", "La"] {
            assert!(words(text).is_empty(), "{text}");
        }
    }
}
