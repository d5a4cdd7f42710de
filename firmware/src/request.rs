//! Requests about the two model slots. The console passes them to the device's main loop ([`crate::device`]), which
//! owns the flash and the model's scratch memory.

use thiserror::Error;

use crate::display::Form;
use crate::slots::SlotError;
use crate::ymodem::Failure;

/// A request about the model slots. The *standby* slot is the one whose model does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "updates"), allow(dead_code, reason = "the console then has no commands for the slots"))]
pub enum Request {
    /// List the slots.
    Models,
    /// Receive a model by YMODEM into the standby slot.
    Load,
    /// Check the model in the standby slot, and let the next boot try it.
    Activate,
    /// Cancel an activation, or let the next boot try the previous model.
    Rollback,
    /// Empty the standby slot.
    Erase,
}

/// A request that waits for the main loop, with the form of its answer: for a person or for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "updates"), allow(dead_code, reason = "the console then has no commands for the slots"))]
pub struct PendingRequest {
    pub request: Request,
    pub form: Form,
}

/// The reason why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The slots refused the request or the model, or the flash failed.
    #[error("{0}")]
    Slot(#[from] SlotError),
    /// The transfer by YMODEM failed.
    #[error("{0}")]
    Transfer(Failure),
}

impl RequestError {
    /// The machine-readable error code, for programs at the other end of the console.
    pub fn code(&self) -> &'static str {
        match self {
            RequestError::Slot(error) => error.code(),
            RequestError::Transfer(_) => "transfer",
        }
    }
}
