//! Sends the `defmt` log to the board's log port. On a computer, `defmt-print -e ELF` decodes it, with the firmware's
//! ELF file.

use core::convert::Infallible;

use embedded_io::{ErrorType, Write};
use static_cell::ConstStaticCell;
use tern_firmware::Hardware;

use crate::board::Board;

/// The board's log port as a writer.
struct LogPort;

impl ErrorType for LogPort {
    type Error = Infallible;
}

impl Write for LogPort {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        bytes.iter().for_each(|&byte| Board::log_byte(byte));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Starts the log. Called once, after the board has started; what is logged before is dropped.
pub fn start() {
    static PORT: ConstStaticCell<LogPort> = ConstStaticCell::new(LogPort);
    defmt_serial::defmt_serial(PORT.take());
}
