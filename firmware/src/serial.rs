//! The console's port on a board: the receive queue, the board's hardware, the log.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write};
use tern_firmware::hardware::Note;
use tern_firmware::port::Level;
use tern_firmware::queue::Taker;
use tern_firmware::starts::Starts;
use tern_firmware::{Event, Hardware, Loss, Port, Stack};

use crate::board::Board;
use crate::{reset, stack};

/// A port that cannot fail. Whatever the console does with it feeds the watchdog.
pub struct Serial {
    board: Board,
    received: Taker<'static>,
    starts: Starts,
}

impl Serial {
    /// The port of `board`, whose receive interrupt feeds the other side of `received`.
    pub fn new(board: Board, received: Taker<'static>, starts: Starts) -> Self {
        Serial { board, received, starts }
    }
}

impl ErrorType for Serial {
    type Error = Infallible;
}

impl Read for Serial {
    fn read(&mut self, to: &mut [u8]) -> Result<usize, Infallible> {
        self.board.feed_watchdog();
        if to.is_empty() {
            return Ok(0);
        }
        let mut length = 0;
        loop {
            while let Some((to, byte)) = to.get_mut(length).and_then(|to| Some((to, self.received.pop()?))) {
                *to = byte;
                length += 1;
            }
            if length > 0 {
                return Ok(length);
            }
            self.wait();
        }
    }
}

impl ReadReady for Serial {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.received.is_ready())
    }
}

impl Write for Serial {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.board.feed_watchdog();
        Board::send(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Board::flush();
        Ok(())
    }
}

impl Port for Serial {
    fn take_loss(&mut self) -> Option<Loss> {
        self.received.take_loss()
    }

    fn ticks(&mut self) -> u32 {
        self.board.feed_watchdog();
        self.board.ticks()
    }

    fn wait(&mut self) {
        self.board.feed_watchdog();
        // Between the look and the sleep no interrupt may slip in; one that arrives ends the sleep all the same.
        critical_section::with(|_| {
            if !self.received.is_pending() {
                self.board.sleep();
            }
        });
    }

    fn stack(&mut self) -> Option<Stack> {
        Some(stack::depth())
    }

    fn instructions(&self, ticks: u64) -> Option<u64> {
        self.board.instructions(ticks)
    }

    fn starts(&self) -> Option<Starts> {
        Some(self.starts)
    }

    fn serving(&mut self) {
        self.starts.is_serving = true;
        reset::keep(&self.starts);
    }

    fn log_level(&mut self, level: Level) {
        self.starts.level = level;
        reset::keep(&self.starts);
    }

    fn reset(&mut self) {
        reset::reset(Note::Command)
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Overflow { lost } => defmt::warn!("overflow: {=u32} bytes lost, a line or text refused", lost),
            Event::LineTooLong { bytes } => defmt::warn!("a line of {=usize} bytes refused", bytes),
            Event::SelfTest { exact, golden } if exact == golden => defmt::info!("selftest: {=u32} texts exact", exact),
            Event::SelfTest { exact, golden } => defmt::error!("selftest: {=u32} of {=u32} texts exact", exact, golden),
        }
    }
}
