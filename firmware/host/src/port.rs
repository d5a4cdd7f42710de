//! The console's port on a desktop.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use embedded_io::{ErrorType, Read, ReadReady};
use tern_firmware::queue::Taker;
use tern_firmware::starts::Starts;
use tern_firmware::{Loss, Port, ResetReason};

/// Frequency of the ticks.
pub const CLOCK_HZ: u32 = 10_000_000;
/// How long is waited at most before one looks again.
pub const SLICE: Duration = Duration::from_millis(1);

/// Why the console stopped serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to begin anew.
    Reset,
    /// The input ended.
    Closed,
    /// The system refused a byte.
    Failed(ErrorKind),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Reset => write!(f, "asked to begin anew"),
            Ended::Closed => write!(f, "the input ended"),
            Ended::Failed(kind) => write!(f, "{kind}"),
        }
    }
}

impl std::error::Error for Ended {}

impl embedded_io::Error for Ended {
    fn kind(&self) -> embedded_io::ErrorKind {
        embedded_io::ErrorKind::Other
    }
}

/// A queue that a thread fills, and a writer.
pub struct HostPort<W> {
    received: Taker<'static>,
    writer: W,
    start: Instant,
    /// The input has ended.
    ended: Arc<Mutex<bool>>,
    /// It was asked to begin anew.
    is_reset: bool,
    starts: Starts,
}

impl<W: Write> HostPort<W> {
    /// A port just switched on.
    pub fn new(received: Taker<'static>, writer: W) -> Self {
        let ended = Arc::new(Mutex::new(false));
        HostPort { received, writer, start: Instant::now(), ended, is_reset: false, starts: Starts::FIRST }
    }

    /// Where the reading thread says that the input has ended.
    pub fn ended(&self) -> Arc<Mutex<bool>> {
        Arc::clone(&self.ended)
    }

    /// Serves another console.
    pub fn begin_anew(&mut self, reason: ResetReason) {
        (self.is_reset, self.starts) = (false, Starts::next(&self.starts.words(), reason));
    }
}

impl<W: Write> ErrorType for HostPort<W> {
    type Error = Ended;
}

impl<W: Write> Read for HostPort<W> {
    fn read(&mut self, to: &mut [u8]) -> Result<usize, Ended> {
        let bytes = std::iter::from_fn(|| self.received.pop());
        Ok(to.iter_mut().zip(bytes).map(|(to, byte)| *to = byte).count())
    }
}

impl<W: Write> ReadReady for HostPort<W> {
    fn read_ready(&mut self) -> Result<bool, Ended> {
        // In this order: what came before the end is served.
        let ended = self.ended.lock().is_ok_and(|ended| *ended);
        let is_ready = self.received.is_ready();
        if ended && !is_ready { Err(Ended::Closed) } else { Ok(is_ready) }
    }
}

impl<W: Write> embedded_io::Write for HostPort<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Ended> {
        if self.is_reset {
            return Err(Ended::Reset);
        }
        self.writer.write_all(bytes).map_err(|error| Ended::Failed(error.kind()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Ended> {
        self.writer.flush().map_err(|error| Ended::Failed(error.kind()))
    }
}

impl<W: Write> Port for HostPort<W> {
    fn take_loss(&mut self) -> Option<Loss> {
        self.received.take_loss()
    }

    fn ticks(&mut self) -> u32 {
        // A counter that wraps.
        (self.start.elapsed().as_nanos() / 100) as u32
    }

    fn wait(&mut self) {
        // An answer must not stay behind while nothing else comes.
        let _ = self.writer.flush();
        thread::park_timeout(100 * SLICE);
    }

    fn starts(&self) -> Option<Starts> {
        Some(self.starts)
    }

    fn serving(&mut self) {
        self.starts.is_serving = true;
    }

    fn reset(&mut self) {
        self.is_reset = true;
    }
}
