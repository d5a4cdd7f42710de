//! Completion of the command or argument at the end of a line, when a person types TAB.

use tern_runtime::Task;

use crate::command::{COMMANDS, split_at_space};

/// The possible continuations of a line.
#[derive(Clone, Copy, Debug)]
pub struct Completion<'l> {
    /// The typed beginning of the word that is completed: after a command, everything behind the first space.
    prefix: &'l [u8],
    /// The command before that word; `None` if the word is the command itself.
    command: Option<&'l [u8]>,
    /// The task of the loaded model.
    loaded: Option<Task>,
}

/// Returns the possible continuations of `line`, whose last word is a command or its first argument. `loaded` is the
/// task of the loaded model.
pub fn completion(line: &[u8], loaded: Option<Task>) -> Completion<'_> {
    let line = line.strip_prefix(b"@").unwrap_or(line);
    match (line.contains(&b' '), split_at_space(line)) {
        (true, (command, prefix)) => Completion { prefix, command: Some(command), loaded },
        (false, (prefix, _)) => Completion { prefix, command: None, loaded },
    }
}

impl Completion<'_> {
    /// Calls `visit` with each command or argument that begins with what was typed, and returns their number.
    // Not an iterator, because chained iterators take more code than these loops.
    pub fn words(self, visit: &mut dyn FnMut(&'static str)) -> usize {
        let mut count = 0;
        for info in COMMANDS.iter().filter(|info| info.is_for(self.loaded)) {
            let words = match self.command {
                None => core::slice::from_ref(&info.word),
                Some(command) if info.word.as_bytes() == command => info.choices,
                Some(_) => &[],
            };
            for word in words.iter().filter(|word| word.as_bytes().starts_with(self.prefix)) {
                visit(word);
                count += 1;
            }
        }
        count
    }

    /// The longest text by which all [`words`](Completion::words) continue what was typed, and the number of these
    /// words. The text is empty if there is no word, or if the words differ in their next byte.
    pub fn common(self) -> (&'static str, usize) {
        // The common beginning of the words so far.
        let mut beginning = None;
        let count = self.words(&mut |word| {
            let previous = beginning.unwrap_or(word);
            let length = previous.bytes().zip(word.bytes()).take_while(|(a, b)| a == b).count();
            beginning = previous.get(..length);
        });
        let continuation = beginning.and_then(|beginning| beginning.get(self.prefix.len()..));
        (continuation.unwrap_or(""), count)
    }

    /// Returns true if there is one word only, a command that takes arguments.
    pub fn takes_arguments(self) -> bool {
        let mut last_word = "";
        let count = self.words(&mut |word| last_word = word);
        count == 1 && COMMANDS.iter().any(|info| info.word == last_word && info.takes_arguments())
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
        let mut words = Vec::new();
        let count = complete(line).words(&mut |word| words.push(word));
        assert_eq!(count, words.len());
        words
    }

    #[test]
    fn words_are_completed_up_to_where_they_differ() {
        // `next`, `say`, `set` and `forecast`.
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
            assert_eq!(complete(line).common(), (common, words(line).len()), "{line}");
        }
        for (line, takes_arguments) in [("la", false), ("top", true), ("echo of", false)] {
            assert_eq!(complete(line).takes_arguments(), takes_arguments, "{line}");
        }
    }
}
