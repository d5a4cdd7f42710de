//! The trait that each board implements, and the reasons of a reset. `docs/porting.md` shows how to write a board.

use core::fmt;

use crate::flash::Partition;

/// A board: one file in `src/board/`, whose type `Board` implements this trait.
///
/// There is no method to receive bytes: the board's receive interrupt passes them to a
/// [`SharedWriter`](crate::queue::SharedWriter).
pub trait Hardware: Sized {
    /// Name of the board, as `info` prints it and `tern flash --board` takes it.
    const NAME: &'static str;
    /// RAM reserved for a model's state, in bytes; a multiple of 4.
    const SCRATCH_BYTES: usize;
    /// Frequency of [`ticks`](Hardware::ticks) on the board itself, in Hz.
    const CLOCK_HZ: u32;

    /// The flash that stores models.
    type Flash: Partition;

    /// Frequency of [`ticks`](Hardware::ticks) in Hz. A board whose emulator counts at another rate overrides this
    /// method.
    fn clock_hz(&self) -> u32 {
        Self::CLOCK_HZ
    }

    /// A free-running counter of 32 bits: after 2^32 − 1 comes 0. A narrower counter does not suffice, because the
    /// console subtracts two readings modulo 2^32.
    fn ticks(&mut self) -> u32;

    /// Returns the number of instructions that the processor executes in `ticks`; `None` if that varies, as on every
    /// real processor.
    fn instructions(&self, _ticks: u64) -> Option<u64> {
        None
    }

    /// Sets up clocks, pins, serial port and watchdog, and enables the receive interrupt. Called once.
    fn start() -> Self;

    /// Sends a byte to the console, and waits while the hardware's buffer is full. The panic handler calls it with
    /// interrupts masked.
    fn send_byte(byte: u8);

    /// Waits until the last byte has been sent.
    fn flush();

    /// Sends a byte of the log. A board without a log port, or with a log over the debugger, keeps this default.
    fn log_byte(_byte: u8) {}

    /// Sleeps until an interrupt is pending. It is called with interrupts masked, and a pending interrupt must wake it
    /// all the same. It must return in time to feed a watchdog that keeps running during sleep.
    fn sleep(&mut self);

    /// Feeds the watchdog. A board without a watchdog keeps this default.
    ///
    /// Called about once a second or more often, except during a checksum and the loader's checks, each of which reads
    /// a whole slot once.
    fn feed_watchdog(&mut self) {}

    /// Reads the reason of the last reset from the board's registers; `None` if there is no such register or no flag is
    /// set.
    fn reset_cause(&mut self) -> Option<ResetReason>;

    /// Resets the processor and its peripherals.
    fn reset() -> !;
}

/// The reason why the processor was reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetReason {
    /// The power was switched on.
    PowerOn,
    /// The reset button or line, or a debugger.
    Pin,
    /// The supply voltage was too low for a while.
    Brownout,
    /// The watchdog was not fed in time.
    Watchdog,
    /// The command `reset`.
    Command,
    /// The firmware panicked or faulted.
    Panic,
}

impl ResetReason {
    /// The name, as `stats` prints it.
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

    /// Returns the first reason whose flag is set; `None` if no flag is set. `flags`: each flag of the board's
    /// registers with the reason that it stands for. If several are set, the first counts.
    pub fn first_set(flags: &[(bool, ResetReason)]) -> Option<ResetReason> {
        flags.iter().find(|(is_set, _)| *is_set).map(|&(_, reason)| reason)
    }

    /// Determines the reason from `cause`, which the board's registers give, and the `note` in memory.
    ///
    /// After a loss of power the note is not valid. Otherwise it is more precise than a register, which cannot
    /// distinguish a command from a panic.
    pub fn determine(cause: Option<ResetReason>, note: Option<Note>) -> ResetReason {
        match (cause, note) {
            (Some(power @ (ResetReason::PowerOn | ResetReason::Brownout)), _) => power,
            (_, Some(Note::Command)) => ResetReason::Command,
            (_, Some(Note::Panic)) => ResetReason::Panic,
            (_, Some(Note::Watchdog)) => ResetReason::Watchdog,
            (Some(cause), _) => cause,
            // The memory was kept, and neither the firmware nor a watchdog's interrupt caused the reset.
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

/// A note that the firmware leaves in a word of memory that a reset does not clear, for the next start. Each value is
/// four ASCII characters, which memory is unlikely to hold after power-on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Note {
    /// The firmware is running. If this note is found after a reset, neither a command nor a panic nor the watchdog's
    /// warning came before the reset.
    Running = 0x7465_726e,
    /// The firmware resets because of a command.
    Command = 0x6173_6b64,
    /// The firmware resets because of a panic or fault.
    Panic = 0x6f6f_7073,
    /// The watchdog has raised its warning interrupt.
    Watchdog = 0x646f_6721,
}

impl Note {
    /// Returns the note with the value `word`; `None` for any other value, as memory has after power-on.
    pub fn read(word: u32) -> Option<Note> {
        [Note::Running, Note::Command, Note::Panic, Note::Watchdog].iter().copied().find(|&note| note as u32 == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_and_notes_determine_the_reason() {
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
            assert_eq!(ResetReason::determine(cause, note), reason, "{cause:?} {note:?}");
        }
    }

    #[test]
    fn only_known_words_are_notes() {
        for note in [Note::Running, Note::Command, Note::Panic, Note::Watchdog] {
            assert_eq!(Note::read(note as u32), Some(note));
        }
        assert_eq!((Note::read(0), Note::read(u32::MAX)), (None, None));
    }
}
