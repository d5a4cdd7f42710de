//! The longest times for which the host waits for a device.

use std::time::Duration;

use tern_format::times;

/// Converts a time of [`times`], in milliseconds, to a duration.
pub fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}

/// Returns the longest time in which a device may send nothing before it answers a line: `timeout`, or more for a
/// command that may take long. `line`: a command with or without the `@` of the machine form.
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
