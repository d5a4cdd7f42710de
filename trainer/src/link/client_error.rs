//! The errors in the exchange with a device.

use serde::{Deserialize, Serialize};

use super::transport::LinkError;

/// Errors in the exchange with a device.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The device sent nothing for the longest time in which it may be silent.
    #[error(
        "the device sent nothing for {seconds} s while {waiting_for} was expected; the last bytes seen were {last_seen}"
    )]
    Silent { waiting_for: String, seconds: f64, last_seen: String },
    /// The device does not enter machine mode.
    #[error(
        "no tern console answers: `@mode machine` was sent {attempts} times, expected a line 0 \
         {{\"mode\":\"machine\",…}}; received: {last_seen}; {advice}"
    )]
    NoConsole { attempts: u32, last_seen: String, advice: String },
    /// The device sent something else than the expected answer.
    #[error(
        "the device sent {found}, expected {expected}; bytes were lost or changed on the line, or its firmware uses \
         another protocol"
    )]
    Unexpected { found: String, expected: String },
    /// The device printed its banner.
    #[error("the device restarted ({reason}) while {waiting_for} was expected")]
    Restarted { reason: String, waiting_for: String },
    /// The device uses another version of the protocol.
    #[error("the device uses protocol {found}, expected {expected}; use the `tern` and the firmware of one release")]
    Protocol { found: u64, expected: u64 },
    /// The device answered a request by an error.
    #[error("the device refuses `{request}`: {error}")]
    Refused { request: String, error: DeviceError },
}

/// An error that the device reports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct DeviceError {
    /// One of the codes in `docs/console.md`.
    #[serde(rename = "error")]
    pub code: String,
    /// The message for the user.
    pub message: String,
}
