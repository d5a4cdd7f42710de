//! Colours in the output for a terminal.

use std::io::IsTerminal;

/// Colours words if the terminal supports it.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    colours: bool,
}

impl Paint {
    /// For stdout: colours only if it is a terminal and neither `NO_COLOR` (<https://no-color.org>) nor `TERM=dumb` is
    /// set.
    pub fn for_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Paint { colours: std::io::stdout().is_terminal() && !unwanted && !dumb }
    }

    /// Without colours.
    pub fn plain() -> Self {
        Paint { colours: false }
    }

    /// With colours.
    #[cfg(test)]
    pub fn coloured() -> Self {
        Paint { colours: true }
    }

    /// The most important figure.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Headings of tables, and zeros.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Correct predictions: blue, since red and green look alike to many people.
    pub fn correct(self, text: &str) -> String {
        self.with("34;1", text)
    }

    /// Wrong predictions: yellow.
    pub fn wrong(self, text: &str) -> String {
        self.with("33", text)
    }

    /// The text between the escape sequence with the given code and the one that ends it.
    fn with(self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
