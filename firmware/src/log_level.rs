//! The level of the log.

/// The level of the log or of an event. The log takes events of its own level and of the levels before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only panics and faults are logged, as at every level.
    Off,
    /// Failed self-tests and refused models.
    Error,
    /// Rejected lines and texts, and an empty model slot.
    Warn,
    /// Starts, accepted models and successful self-tests.
    Info,
}

impl Level {
    /// All levels, from the least to the most.
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
