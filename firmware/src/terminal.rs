//! Writes bytes and formatted text to a port.

use core::fmt::{self, Write};

use crate::port::Port;

/// Writes bytes of a line. A TAB is shown as a space, so that it can be erased like a letter.
///
/// # Errors
/// Those of the port.
pub fn write_visible<P: Port>(port: &mut P, bytes: &[u8]) -> Result<(), P::Error> {
    bytes.split_inclusive(|&byte| byte == b'\t').try_for_each(|part| match part.split_last() {
        Some((b'\t', before)) => {
            port.write_all(before)?;
            port.write_all(b" ")
        }
        _ => port.write_all(part),
    })
}

/// Writes formatted text to a port, and returns the port's error, which [`fmt::Write`] cannot carry.
///
/// # Errors
/// Those of the port.
pub fn print<P: Port>(port: &mut P, write: impl FnOnce(&mut dyn Write) -> fmt::Result) -> Result<(), P::Error> {
    struct Out<'p, P: Port> {
        port: &'p mut P,
        error: Option<P::Error>,
    }
    impl<P: Port> Write for Out<'_, P> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.port.write_all(text.as_bytes()).map_err(|error| {
                self.error = Some(error);
                fmt::Error
            })
        }
    }
    let mut out = Out { port, error: None };
    // Formatting itself does not fail, so an error is the port's and is stored in `out`.
    let _ = write(&mut out);
    out.error.map_or(Ok(()), Err)
}
