//! Colours, where a person looks at them.

use std::io::IsTerminal;

/// Paints words on a terminal that has colours, and leaves them as they are elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    colours: bool,
}

impl Paint {
    /// For stdout: with colours where it is a terminal and neither `NO_COLOR` (<https://no-color.org>) nor `TERM=dumb` says otherwise.
    pub fn for_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Paint { colours: std::io::stdout().is_terminal() && !unwanted && !dumb }
    }

    /// Without colours.
    #[cfg(test)]
    pub fn plain() -> Self {
        Paint { colours: false }
    }

    /// With colours.
    #[cfg(test)]
    pub fn coloured() -> Self {
        Paint { colours: true }
    }

    /// What matters most.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Heads of tables, zeros.
    pub fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    /// Right answers: blue, which also those who cannot tell red from green see.
    pub fn right(self, text: &str) -> String {
        self.with("34;1", text)
    }

    /// Wrong ones: yellow.
    pub fn wrong(self, text: &str) -> String {
        self.with("33", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
