//! The console's port on a board: the receive queue, the board's serial port and clock, and the log.

use core::convert::Infallible;

use tern_firmware::boot_count::BootCount;
use tern_firmware::hardware::Note;
use tern_firmware::log_level::Level;
use tern_firmware::queue::QueueReader;
use tern_firmware::{Event, Hardware, LostBytes, Port, Stack};

use crate::board::Board;
use crate::{log, reset, stack};

/// The console's port on a board. Its operations never fail. Reading, writing, waiting and `ticks` feed the watchdog.
pub struct Serial {
    board: Board,
    received: QueueReader<'static>,
    boots: BootCount,
}

impl Serial {
    /// Makes the port of `board`, whose receive interrupt writes to the queue that `received` reads.
    pub fn new(board: Board, received: QueueReader<'static>, boots: BootCount) -> Self {
        Serial { board, received, boots }
    }
}

impl Port for Serial {
    type Error = Infallible;

    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.received.is_ready())
    }

    fn read(&mut self, to: &mut [u8]) -> usize {
        self.board.feed_watchdog();
        self.received.read(to)
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.board.feed_watchdog();
        for &byte in bytes {
            Board::send_byte(byte);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Board::flush();
        Ok(())
    }

    fn take_lost_bytes(&mut self) -> Option<LostBytes> {
        self.received.take_lost_bytes()
    }

    fn ticks(&mut self) -> u32 {
        self.board.feed_watchdog();
        self.board.ticks()
    }

    fn keep_alive(&mut self) {
        self.board.feed_watchdog();
    }

    fn wait(&mut self) {
        self.board.feed_watchdog();
        // A byte that arrived between the check and the sleep would not be noticed if its interrupt were handled there.
        // In a critical section the interrupt stays pending, and ends the sleep at once.
        critical_section::with(|_| {
            if !self.received.is_pending() {
                self.board.sleep();
            }
        });
    }

    fn stack(&mut self) -> Option<Stack> {
        Some(stack::usage())
    }

    fn instructions(&self, ticks: u64) -> Option<u64> {
        self.board.instructions(ticks)
    }

    fn boots(&self) -> Option<BootCount> {
        Some(self.boots)
    }

    fn mark_ready(&mut self) {
        self.boots.is_ready = true;
        reset::store(&self.boots);
    }

    fn set_log_level(&mut self, level: Level) {
        self.boots.log_level = level;
        reset::store(&self.boots);
    }

    fn reset(&mut self) {
        reset::reset(Note::Command)
    }

    fn log_event(&mut self, event: Event) {
        log::event(event);
    }
}
