//! The starts of a device since its power came: what is kept of them in memory that a reset leaves alone.

use core::fmt;

use crate::crc32::crc32;
use crate::hardware::ResetReason;
use crate::port::Level;

/// How often the device began anew since its power came, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resets([u32; Resets::REASONS.len()]);

impl Resets {
    /// What is counted: all but the coming of power, with which counting begins.
    pub const REASONS: [ResetReason; 5] =
        [ResetReason::Pin, ResetReason::Brownout, ResetReason::Watchdog, ResetReason::Command, ResetReason::Panic];

    /// The reasons and how often each was one.
    pub fn iter(&self) -> impl Iterator<Item = (ResetReason, u32)> {
        Resets::REASONS.into_iter().zip(self.0)
    }

    fn count(&mut self, reason: ResetReason) {
        for (known, count) in Resets::REASONS.into_iter().zip(&mut self.0) {
            *count = count.saturating_add(u32::from(known == reason));
        }
    }
}

/// As `3: 1 watchdog, 2 command`.
impl fmt::Display for Resets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = self.0.iter().fold(0u32, |sum, &count| sum.saturating_add(count));
        write!(f, "{sum}")?;
        let mut mark = ":";
        for (reason, count) in self.iter().filter(|&(_, count)| count > 0) {
            write!(f, "{mark} {count} {reason}")?;
            mark = ",";
        }
        Ok(())
    }
}

/// A start of the device, and what is known of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starts {
    /// Why the device began anew.
    pub reason: ResetReason,
    /// How often it did since its power came, this time included.
    pub resets: Resets,
    /// Starts in a row before this one that never came as far as the prompt.
    pub unserved: u32,
    /// What goes to the log.
    pub level: Level,
    /// This one came as far as the prompt.
    pub is_serving: bool,
}

/// Starts without a prompt after which no model is run: a model may be why there was none, and without one a better one can be loaded.
pub const MOST_UNSERVED: u32 = 3;

/// Words of memory that starts are kept in.
pub const WORDS: usize = 9;
const MAGIC: u32 = 0x7465_7374;

impl Starts {
    /// The first start after power came.
    pub const FIRST: Starts = Starts {
        reason: ResetReason::PowerOn,
        resets: Resets([0; Resets::REASONS.len()]),
        unserved: 0,
        level: Level::Info,
        is_serving: false,
    };

    /// A start for this reason, after those that `kept` tells of.
    pub fn next(kept: &[u32; WORDS], reason: ResetReason) -> Starts {
        let known = read(kept).filter(|_| reason != ResetReason::PowerOn);
        let mut starts = known.unwrap_or(Starts::FIRST);
        starts.reason = reason;
        starts.resets.count(reason);
        starts
    }

    /// What is kept for the next start.
    pub fn words(&self) -> [u32; WORDS] {
        let Resets([pin, brownout, watchdog, command, panic]) = self.resets;
        let unserved = if self.is_serving { 0 } else { self.unserved.saturating_add(1) };
        let mut words = [MAGIC, pin, brownout, watchdog, command, panic, unserved, self.level as u32, 0];
        words[WORDS - 1] = sum(&words);
        words
    }
}

/// Memory as it is when power comes, or after a brownout, has no such words.
fn read(kept: &[u32; WORDS]) -> Option<Starts> {
    let &[magic, pin, brownout, watchdog, command, panic, unserved, level, check] = kept;
    let level = Level::ALL.into_iter().find(|&known| known as u32 == level)?;
    let resets = Resets([pin, brownout, watchdog, command, panic]);
    (magic == MAGIC && check == sum(kept)).then_some(Starts { resets, unserved, level, ..Starts::FIRST })
}

fn sum(words: &[u32; WORDS]) -> u32 {
    let mut bytes = [0; 4 * (WORDS - 1)];
    for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
    crc32(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn resets_are_counted_until_power_goes() {
        let mut starts = Starts::next(&[0; WORDS], ResetReason::PowerOn);
        assert_eq!((starts, starts.resets.to_string().as_str()), (Starts::FIRST, "0"));
        starts.level = Level::Warn;
        for reason in [ResetReason::Command, ResetReason::Watchdog, ResetReason::Command] {
            starts.is_serving = true;
            starts = Starts::next(&starts.words(), reason);
            assert_eq!((starts.reason, starts.unserved, starts.level), (reason, 0, Level::Warn));
        }
        assert_eq!(starts.resets.to_string(), "3: 1 watchdog, 2 command");
        assert_eq!(Starts::next(&starts.words(), ResetReason::PowerOn), Starts::FIRST);
    }

    #[test]
    fn starts_without_a_prompt_are_counted_in_a_row() {
        let mut starts = Starts::FIRST;
        for before in 1..5 {
            starts = Starts::next(&starts.words(), ResetReason::Watchdog);
            assert_eq!(starts.unserved, before);
        }
        starts.is_serving = true;
        assert_eq!(Starts::next(&starts.words(), ResetReason::Pin).unserved, 0);
    }

    #[test]
    fn memory_that_changed_tells_nothing() {
        let mut kept = Starts::next(&Starts::FIRST.words(), ResetReason::Panic).words();
        assert_eq!(Starts::next(&kept, ResetReason::Brownout).resets.to_string(), "2: 1 brownout, 1 panic");
        kept[5] ^= 1;
        let starts = Starts::next(&kept, ResetReason::Brownout);
        assert_eq!((starts.resets.to_string().as_str(), starts.unserved), ("1: 1 brownout", 0));
    }
}
