//! Colours and font weights in the output to a terminal.

use std::io::IsTerminal;

/// Adds escape sequences for colours to text, or leaves it unchanged.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    /// True if escape sequences are added.
    colours: bool,
}

impl Paint {
    /// Returns the paint for stdout. It adds colours only if stdout is a terminal, `NO_COLOR` (<https://no-color.org>)
    /// is unset or empty, and `TERM` is not `dumb`.
    pub fn for_stdout() -> Self {
        let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Paint { colours: std::io::stdout().is_terminal() && !is_unwanted && !is_dumb }
    }

    /// Returns a paint that leaves text unchanged.
    pub fn plain() -> Self {
        Paint { colours: false }
    }

    /// Returns a paint that adds colours.
    #[cfg(test)]
    pub fn coloured() -> Self {
        Paint { colours: true }
    }

    /// Returns `text` in bold, for the most important figure.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Returns `text` in a faint font, for zeros and the headings of tables.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Returns `text` in blue, for correct predictions. Many people cannot tell red from green.
    pub fn correct(self, text: &str) -> String {
        self.with("34;1", text)
    }

    /// Returns `text` in yellow, for wrong predictions.
    pub fn wrong(self, text: &str) -> String {
        self.with("33", text)
    }

    /// Returns the text between the escape sequence with this code (ANSI SGR) and the one that resets it.
    fn with(self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
