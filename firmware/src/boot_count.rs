//! Counts the resets since power-on and the boots that failed, in memory that a reset does not clear.
//!
//! Each boot reads the words that the boot before it stored, makes its own [`BootCount`] of them, and stores that for
//! the next boot. A boot is *ready* when the console has printed its first prompt, and has *failed* if it never does.

use core::fmt;

use crate::crc32::crc32;
use crate::hardware::ResetReason;
use crate::log_level::Level;

/// The number of resets since power-on for each reason, in the order of [`REASONS`](Resets::REASONS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resets([u32; Resets::REASONS.len()]);

impl Resets {
    /// The reasons that are counted: all but power-on, at which counting begins.
    pub const REASONS: [ResetReason; 5] =
        [ResetReason::Pin, ResetReason::Brownout, ResetReason::Watchdog, ResetReason::Command, ResetReason::Panic];

    /// The reasons with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (ResetReason, u32)> {
        Resets::REASONS.iter().copied().zip(self.0.iter().copied())
    }

    /// Counts a reset for this reason; does nothing for power-on.
    fn count(&mut self, reason: ResetReason) {
        for (&counted, count) in Resets::REASONS.iter().zip(&mut self.0) {
            if counted == reason {
                *count = count.saturating_add(1);
            }
        }
    }
}

/// Displays the sum and the counts above 0, such as `3: 1 watchdog, 2 command`.
impl fmt::Display for Resets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = self.0.iter().fold(0u32, |sum, &count| sum.saturating_add(count));
        write!(f, "{sum}")?;
        let mut separator = ":";
        for (reason, count) in self.iter().filter(|&(_, count)| count > 0) {
            write!(f, "{separator} {count} {reason}")?;
            separator = ",";
        }
        Ok(())
    }
}

/// The reason of this boot, the counts of resets and failed boots, and the log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootCount {
    /// The reason of the reset (or power-on) that began this boot.
    pub reason: ResetReason,
    /// The resets since power-on, including the one that began this boot.
    pub resets: Resets,
    /// The number of boots directly before this one that did not reach the prompt.
    pub failed_boots: u32,
    /// The log level, which a reset keeps.
    pub log_level: Level,
    /// True if this boot has reached the prompt.
    pub is_ready: bool,
}

/// After this many boots in a row that did not reach the prompt, no model runs: the model may be the cause, and without
/// one another model can be loaded.
pub const MAX_FAILED_BOOTS: u32 = 3;

/// Length of the stored state in 32-bit words: a magic number, five counts of resets, the failed boots, the log level
/// and a checksum.
pub const WORDS: usize = 9;
/// The first word of a valid state: an arbitrary value that memory is unlikely to hold after power-on.
const MAGIC: u32 = 0x7465_7374;

impl BootCount {
    /// The first boot after power-on.
    pub const FIRST: BootCount = BootCount {
        reason: ResetReason::PowerOn,
        resets: Resets([0; Resets::REASONS.len()]),
        failed_boots: 0,
        log_level: Level::Info,
        is_ready: false,
    };

    /// Returns the count for a boot after a reset for this reason. `stored` is the state that the boot before it
    /// stored. Counting begins anew after power-on, and if the state is not valid.
    pub fn next(stored: &[u32; WORDS], reason: ResetReason) -> BootCount {
        let restored = if reason == ResetReason::PowerOn { None } else { read(stored) };
        let mut boots = restored.unwrap_or(BootCount::FIRST);
        boots.reason = reason;
        boots.resets.count(reason);
        boots
    }

    /// Returns the state to store for the next boot, with a checksum in its last word.
    pub fn to_words(&self) -> [u32; WORDS] {
        let Resets([pin, brownout, watchdog, command, panic]) = self.resets;
        // This boot counts as failed until it has reached the prompt, which ends the row of failed boots.
        let failed_boots = if self.is_ready { 0 } else { self.failed_boots.saturating_add(1) };
        let mut words = [MAGIC, pin, brownout, watchdog, command, panic, failed_boots, self.log_level as u32, 0];
        words[WORDS - 1] = checksum(&words);
        words
    }
}

/// Reads a stored state; `None` if the memory holds none, as after power-on or some brownouts. The caller sets the
/// reason.
fn read(stored: &[u32; WORDS]) -> Option<BootCount> {
    let &[magic, pin, brownout, watchdog, command, panic, failed_boots, level_word, stored_checksum] = stored;
    if magic != MAGIC || stored_checksum != checksum(stored) {
        return None;
    }
    let resets = Resets([pin, brownout, watchdog, command, panic]);
    let log_level = Level::ALL.iter().copied().find(|&level| level as u32 == level_word)?;
    Some(BootCount { resets, failed_boots, log_level, ..BootCount::FIRST })
}

/// The CRC-32 of all words but the last, in which the checksum is stored.
fn checksum(words: &[u32; WORDS]) -> u32 {
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
    fn resets_are_counted_until_the_next_power_on() {
        let mut boots = BootCount::next(&[0; WORDS], ResetReason::PowerOn);
        assert_eq!((boots, boots.resets.to_string().as_str()), (BootCount::FIRST, "0"));
        boots.log_level = Level::Warn;
        for reason in [ResetReason::Command, ResetReason::Watchdog, ResetReason::Command] {
            boots.is_ready = true;
            boots = BootCount::next(&boots.to_words(), reason);
            assert_eq!((boots.reason, boots.failed_boots, boots.log_level), (reason, 0, Level::Warn));
        }
        assert_eq!(boots.resets.to_string(), "3: 1 watchdog, 2 command");
        assert_eq!(BootCount::next(&boots.to_words(), ResetReason::PowerOn), BootCount::FIRST);
    }

    #[test]
    fn boots_without_a_prompt_are_counted_in_a_row() {
        let mut boots = BootCount::FIRST;
        for before in 1..5 {
            boots = BootCount::next(&boots.to_words(), ResetReason::Watchdog);
            assert_eq!(boots.failed_boots, before);
        }
        boots.is_ready = true;
        assert_eq!(BootCount::next(&boots.to_words(), ResetReason::Pin).failed_boots, 0);
    }

    #[test]
    fn a_state_with_a_wrong_checksum_is_ignored() {
        let mut stored = BootCount::next(&BootCount::FIRST.to_words(), ResetReason::Panic).to_words();
        assert_eq!(BootCount::next(&stored, ResetReason::Brownout).resets.to_string(), "2: 1 brownout, 1 panic");
        stored[5] ^= 1;
        let boots = BootCount::next(&stored, ResetReason::Brownout);
        assert_eq!((boots.resets.to_string().as_str(), boots.failed_boots), ("1: 1 brownout", 0));
    }
}
