//! The times for which the host waits for a device.

use std::time::Duration;

use tern_format::times;

/// A number of [`times`] as a duration.
pub fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}

/// The longest silence before the answer to a line: `timeout`, or more after a command that may take long.
pub fn patience(line: &[u8], timeout: Duration) -> Duration {
    let line = line.strip_prefix(b"@").unwrap_or(line).trim_ascii_end();
    timeout.max(milliseconds(match line {
        b"activate" | b"rollback" | b"selftest" => times::CHECKS_WAIT,
        b"bench" => 2 * times::CHECKS_WAIT,
        b"erase" => times::BLOCK_WAIT,
        b"reset" => times::START_WAIT,
        _ => 0,
    }))
}
