//! What the console asks of a board's serial port.

use crate::starts::Starts;

/// Bytes that arrived and found no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// How many; at least 1, `u32::MAX` for more.
    pub bytes: u32,
    /// The last one. It tells whether the line that was cut has ended.
    pub last: u8,
}

/// What a board may want to log. No event carries a user's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many bytes were dropped and a line or text was refused.
    Overflow {
        /// As [`Loss::bytes`].
        lost: u32,
    },
    /// A line of so many bytes was refused.
    LineTooLong {
        /// Length of the line.
        bytes: usize,
    },
    /// The golden texts were run.
    SelfTest {
        /// How many gave their exact logits.
        exact: u32,
        /// How many there are.
        golden: u32,
    },
}

impl Event {
    /// How much it matters.
    pub fn level(self) -> Level {
        match self {
            Event::SelfTest { exact, golden } if exact == golden => Level::Info,
            Event::SelfTest { .. } => Level::Error,
            Event::Overflow { .. } | Event::LineTooLong { .. } => Level::Warn,
        }
    }
}

/// How much is logged: events of this level and of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Off,
    /// What should not happen.
    Error,
    /// What was refused.
    Warn,
    /// What went well.
    Info,
}

impl Level {
    /// Their words, in their order.
    pub const WORDS: &'static [&'static str] = &["off", "error", "warn", "info"];

    /// All levels, in their order.
    pub const ALL: [Level; 4] = [Level::Off, Level::Error, Level::Warn, Level::Info];

    /// The level of a word.
    pub fn of(word: &[u8]) -> Option<Level> {
        Level::ALL.into_iter().zip(Level::WORDS).find(|(_, name)| name.as_bytes() == word).map(|(level, _)| level)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        Level::WORDS.get(self as usize).copied().unwrap_or("")
    }
}

/// The stack, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The most that was in use since the start.
    pub used: u32,
    /// What there is.
    pub size: u32,
}

/// A serial port with a receive queue that an interrupt fills, and a clock.
///
/// The queue obeys the order of `docs/console.md`: from the first byte that does not fit, all bytes are dropped until
/// [`take_loss`](Port::take_loss) acknowledges that. [`crate::queue`] is such a queue.
pub trait Port: embedded_io::Read + embedded_io::ReadReady + embedded_io::Write {
    /// The bytes dropped since the last call, once the queue is empty; after it bytes are queued again. `None` as long as
    /// queued bytes are waiting.
    fn take_loss(&mut self) -> Option<Loss>;

    /// A free-running counter that wraps. The console takes differences over spans in which it wraps at most once.
    fn ticks(&mut self) -> u32;

    /// Sleeps until a byte or a loss is there. May return early.
    fn wait(&mut self);

    /// Why the device began anew, and how often before. `None`: the port cannot tell.
    fn starts(&self) -> Option<Starts> {
        None
    }

    /// Told once, when the first prompt stands.
    fn serving(&mut self) {}

    /// Told what goes to the log from now on.
    fn log_level(&mut self, level: Level) {
        let _ = level;
    }

    /// How much of the stack was used. `None`: the port cannot tell.
    fn stack(&mut self) -> Option<Stack> {
        None
    }

    /// How many instructions take so many ticks. `None`: that is not known of this processor.
    fn instructions(&self, ticks: u64) -> Option<u64> {
        let _ = ticks;
        None
    }

    /// Begins anew, as after power-on. Returns only where the port cannot do that.
    fn reset(&mut self) {}

    /// Told of what happens, for a log.
    fn note(&mut self, event: Event) {
        let _ = event;
    }
}

/// A port that is lent: who has it can serve another console after this one.
impl<P: Port> Port for &mut P {
    fn take_loss(&mut self) -> Option<Loss> {
        (**self).take_loss()
    }

    fn ticks(&mut self) -> u32 {
        (**self).ticks()
    }

    fn wait(&mut self) {
        (**self).wait();
    }

    fn stack(&mut self) -> Option<Stack> {
        (**self).stack()
    }

    fn instructions(&self, ticks: u64) -> Option<u64> {
        (**self).instructions(ticks)
    }

    fn starts(&self) -> Option<Starts> {
        (**self).starts()
    }

    fn serving(&mut self) {
        (**self).serving();
    }

    fn log_level(&mut self, level: Level) {
        (**self).log_level(level);
    }

    fn reset(&mut self) {
        (**self).reset();
    }

    fn note(&mut self, event: Event) {
        (**self).note(event);
    }
}
