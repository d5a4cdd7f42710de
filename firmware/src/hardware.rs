//! What the firmware asks of a board. `docs/porting.md` shows how a board is written.

use core::fmt;

use crate::flash::{Partition, Partitions};

/// A board: one file in `src/board/`, whose type `Board` implements this.
///
/// Received bytes are no method: the board's receive interrupt hands them to [`queue::Inlet`](crate::queue::Inlet).
pub trait Hardware: Sized {
    /// Name of the board, as `info` and `tern flash --board` spell it.
    const NAME: &'static str;
    /// Scratch for a model's state, in bytes; a multiple of 4.
    const SCRATCH_BYTES: usize;

    /// The flash that models lie in.
    type Flash: Partition;

    /// Frequency of [`ticks`](Hardware::ticks).
    fn clock_hz(&self) -> u32;

    /// The flash beside the program. Called once.
    fn partitions(&mut self) -> Partitions<Self::Flash>;

    /// A free-running counter that wraps, at the earliest after 2^31 ticks or 1 s of work, whichever is longer.
    fn ticks(&mut self) -> u32;

    /// How many instructions take so many ticks. `None`: that depends on the instructions, as on every real processor.
    fn instructions(&self, ticks: u64) -> Option<u64> {
        let _ = ticks;
        None
    }

    /// Sets up clocks, pins, serial port and watchdog, and lets the receive interrupt begin. Called once.
    fn start() -> Self;

    /// Sends bytes to the console; waits while the hardware has no room. A panic calls it too, with interrupts masked.
    fn send(bytes: &[u8]);

    /// Waits until the last byte has left.
    fn flush();

    /// Sends bytes of the log, if there is a port for them. A board whose log leaves by a debugger needs none.
    fn log(bytes: &[u8]) {
        let _ = bytes;
    }

    /// Sleeps until an interrupt is pending. Called with interrupts masked, which must not keep it from waking. Wakes in time
    /// to feed the watchdog, if that runs on meanwhile.
    fn sleep(&mut self);

    /// Called many times a second, asleep or not. A board without a watchdog does nothing.
    fn feed_watchdog(&mut self) {}

    /// What the board's registers tell of the last reset. `None`: there is no such register, or it tells nothing.
    fn reset_cause(&mut self) -> Option<ResetReason>;

    /// Resets the processor and what stands around it.
    fn reset() -> !;
}

/// Why the processor began anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetReason {
    /// Power came.
    PowerOn,
    /// The reset button or line, or a debugger.
    Pin,
    /// Power was too low for a while.
    Brownout,
    /// Nobody fed the watchdog.
    Watchdog,
    /// Somebody asked for it.
    Command,
    /// The firmware met a bug of its own, told on the port, and began anew.
    Panic,
}

impl ResetReason {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            ResetReason::PowerOn => "power-on",
            ResetReason::Pin => "pin",
            ResetReason::Brownout => "brownout",
            ResetReason::Watchdog => "watchdog",
            ResetReason::Command => "command",
            ResetReason::Panic => "panic",
        }
    }

    /// The reason, from the board's registers and from the [`Note`] that was found in memory.
    ///
    /// A note is worth nothing after power was away, and says more than a register after all else: to a register, a command and a
    /// panic are the same.
    pub fn of(cause: Option<ResetReason>, note: Option<Note>) -> ResetReason {
        match (cause, note) {
            (Some(power @ (ResetReason::PowerOn | ResetReason::Brownout)), _) => power,
            (_, Some(Note::Command)) => ResetReason::Command,
            (_, Some(Note::Panic)) => ResetReason::Panic,
            (_, Some(Note::Watchdog)) => ResetReason::Watchdog,
            (Some(cause), _) => cause,
            (None, Some(Note::Running)) => ResetReason::Pin,
            (None, None) => ResetReason::PowerOn,
        }
    }
}

impl fmt::Display for ResetReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the firmware leaves in a word of memory that a reset does not clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Note {
    /// It runs: a reset that finds this was not ours.
    Running = 0x7465_726e,
    /// It resets because it was asked to.
    Command = 0x6173_6b64,
    /// It resets because of a bug.
    Panic = 0x6f6f_7073,
    /// The watchdog gave its warning.
    Watchdog = 0x646f_6721,
}

impl Note {
    /// The note that `word` is. None: memory as it is when power comes.
    pub fn read(word: u32) -> Option<Note> {
        [Note::Running, Note::Command, Note::Panic, Note::Watchdog].into_iter().find(|&note| note as u32 == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        use ResetReason::{Brownout, Command, Panic, Pin, PowerOn, Watchdog};
        for (cause, note, reason) in [
            (None, None, PowerOn),
            (None, Some(Note::Running), Pin),
            (None, Some(Note::Command), Command),
            (None, Some(Note::Panic), Panic),
            (None, Some(Note::Watchdog), Watchdog),
            (Some(Pin), Some(Note::Panic), Panic),
            (Some(Pin), Some(Note::Running), Pin),
            (Some(Watchdog), Some(Note::Running), Watchdog),
            (Some(Watchdog), None, Watchdog),
            (Some(PowerOn), Some(Note::Panic), PowerOn),
            (Some(Brownout), Some(Note::Command), Brownout),
        ] {
            assert_eq!(ResetReason::of(cause, note), reason, "{cause:?} {note:?}");
        }
    }

    #[test]
    fn notes() {
        for note in [Note::Running, Note::Command, Note::Panic, Note::Watchdog] {
            assert_eq!(Note::read(note as u32), Some(note));
        }
        assert_eq!((Note::read(0), Note::read(u32::MAX)), (None, None));
    }
}
