//! The trait of the serial port that the console runs on, the events that it can log, and functions that write text
//! to it.

use core::fmt::{self, Write};

use crate::boot_count::BootCount;
use crate::log_level::Level;

/// Received bytes that were lost, because the receive queue was full or the hardware overran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostBytes {
    /// The number of bytes, from 1 to `u32::MAX`.
    pub count: u32,
    /// The last lost byte. If it is a line end, the damaged line has ended.
    pub last: u8,
}

/// An event for the log. No event contains a user's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes were lost, and a line or text was rejected.
    Overflow {
        /// The number of lost bytes.
        lost: u32,
    },
    /// A line was rejected because of its length.
    LineTooLong {
        /// Length of the line in bytes.
        bytes: usize,
    },
    /// The golden examples were run.
    SelfTest {
        /// Examples whose logits were exact.
        exact: u32,
        /// All golden examples.
        golden: u32,
    },
}

impl Event {
    /// The log level of the event.
    pub fn level(self) -> Level {
        match self {
            Event::SelfTest { exact, golden } if exact == golden => Level::Info,
            Event::SelfTest { .. } => Level::Error,
            Event::Overflow { .. } | Event::LineTooLong { .. } => Level::Warn,
        }
    }
}

/// The use of the stack, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The largest use since the start.
    pub used: u32,
    /// The size of the stack.
    pub size: u32,
}

/// A serial port with a receive queue, which an interrupt fills, and a clock.
///
/// When the queue is full, all further bytes are dropped until [`take_lost_bytes`](Port::take_lost_bytes) has reported
/// them, as `docs/console.md` specifies. [`crate::queue`] is such a queue.
pub trait Port {
    /// The error of the connection; `Infallible` on a board.
    type Error: fmt::Debug;

    /// Returns true if a byte can be read. Fails if the connection has ended.
    fn read_ready(&mut self) -> Result<bool, Self::Error>;

    /// Moves received bytes to the beginning of `to`, without waiting. Returns their number.
    fn read(&mut self, to: &mut [u8]) -> usize;

    /// Sends all bytes.
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Waits until everything has been sent.
    fn flush(&mut self) -> Result<(), Self::Error>;

    /// Reports the bytes that were dropped since the last report; from then on bytes are queued again. Returns `None`
    /// if none were dropped, or if the queue still contains bytes, which came before the lost ones and must be read
    /// first.
    fn take_lost_bytes(&mut self) -> Option<LostBytes>;

    /// A free-running counter of 32 bits, at the rate [`BoardInfo::clock_hz`](crate::BoardInfo::clock_hz): after
    /// 2^32 − 1 comes 0. The console can measure times of less than 2^32 ticks.
    fn ticks(&mut self) -> u32;

    /// Feeds the watchdog, if there is one. Long work calls it at least once a second. [`read`](Port::read),
    /// [`write_all`](Port::write_all), [`ticks`](Port::ticks) and [`wait`](Port::wait) feed the watchdog, too.
    fn keep_alive(&mut self) {}

    /// Sleeps until a byte arrives or is lost. May return early.
    fn wait(&mut self);

    /// The reason of this boot, the counts of earlier boots, and the log level, which a reset keeps; `None` if they are
    /// not known.
    fn boots(&self) -> Option<BootCount> {
        None
    }

    /// Called once, after the first prompt, which shows that this boot has not failed.
    fn mark_ready(&mut self) {}

    /// Called when the log level changes.
    fn set_log_level(&mut self, _level: Level) {}

    /// The use of the stack; `None` if it is not known.
    fn stack(&mut self) -> Option<Stack> {
        None
    }

    /// Returns the number of instructions that the processor executes in `ticks`; `None` if it is not known.
    fn instructions(&self, _ticks: u64) -> Option<u64> {
        None
    }

    /// Resets the device. A board does not return from it. By default it does nothing. On a computer it returns, and
    /// the next write fails with the error that ends the console.
    fn reset(&mut self) {}

    /// On a computer, makes the next write fail with the error that ends the console. Does nothing on a board.
    fn quit(&mut self) {}

    /// Called with each event whose level the log level includes.
    fn log_event(&mut self, _event: Event) {}
}

/// Returns the ticks since the port's counter was at `start`, if they are fewer than 2^32. The counter may wrap in
/// between.
pub fn ticks_since(start: u32, port: &mut impl Port) -> u64 {
    port.ticks().wrapping_sub(start).into()
}

/// Writes bytes of a line. Shows a TAB as one space, so that erasing it removes one column.
pub fn write_visible<P: Port>(port: &mut P, bytes: &[u8]) -> Result<(), P::Error> {
    // Each part but perhaps the last ends with a TAB.
    bytes.split_inclusive(|&byte| byte == b'\t').try_for_each(|part| match part.split_last() {
        Some((b'\t', before_tab)) => {
            port.write_all(before_tab)?;
            port.write_all(b" ")
        }
        _ => port.write_all(part),
    })
}

/// Writes formatted text to a port, and returns the port's error, which [`fmt::Write`] cannot carry.
pub fn print<P: Port>(port: &mut P, write: impl FnOnce(&mut dyn Write) -> fmt::Result) -> Result<(), P::Error> {
    /// Sends text to the port, and keeps the port's error.
    struct PortWriter<'p, P: Port> {
        port: &'p mut P,
        error: Option<P::Error>,
    }
    impl<P: Port> Write for PortWriter<'_, P> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.port.write_all(text.as_bytes()).map_err(|error| {
                self.error = Some(error);
                fmt::Error
            })
        }
    }
    let mut out = PortWriter { port, error: None };
    // Formatting itself does not fail, so an error of `write` is the port's, and `out` has kept it.
    let _ = write(&mut out);
    match out.error {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
