//! The level of the log: how important an event must be to be logged.

/// The level of the log or of an event. A log takes events of its own level and of more important levels, which come
/// earlier here. Panics and faults are logged at every level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No other events are logged.
    Off,
    /// Failed self-tests and refused models.
    Error,
    /// Rejected lines and texts, and an empty model slot.
    Warn,
    /// Starts, accepted models and successful self-tests.
    Info,
}

impl Level {
    /// All levels, from the one that logs the least to the one that logs the most.
    pub const ALL: [Level; 4] = [Level::Off, Level::Error, Level::Warn, Level::Info];

    /// The words of [`ALL`](Level::ALL), in the same order.
    pub const WORDS: &'static [&'static str] = &["off", "error", "warn", "info"];

    /// The level with this word; `None` if there is none.
    pub fn from_word(word: &[u8]) -> Option<Level> {
        Level::ALL.iter().copied().find(|level| level.word().as_bytes() == word)
    }

    /// The word of this level.
    pub fn word(self) -> &'static str {
        Level::WORDS.get(self as usize).copied().unwrap_or("")
    }
}
