//! Requests about the two model slots, which the console hands to the device: they need the scratch or write flash.

use core::fmt;

use crate::form::Form;
use crate::slots::SlotError;
use crate::ymodem::Failure;

/// A request about the model slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// List the slots.
    Models,
    /// Receive a model by YMODEM.
    Load,
    /// Let the next boot try the model that was received.
    Activate,
    /// Return to the previous model.
    Rollback,
    /// Empty the standby slot.
    Erase,
}

/// A request that waits for the device, with the form of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingRequest {
    /// The request.
    pub request: Request,
    /// The form of the answer.
    pub form: Form,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The model was refused, or the flash failed.
    Slot(SlotError),
    /// The transfer failed.
    Transfer(Failure),
}

impl From<SlotError> for RequestError {
    fn from(error: SlotError) -> Self {
        RequestError::Slot(error)
    }
}

impl RequestError {
    /// The error code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            RequestError::Slot(error) => error.code(),
            RequestError::Transfer(_) => "transfer",
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Slot(error) => write!(f, "{error}"),
            RequestError::Transfer(failure) => write!(f, "{failure}"),
        }
    }
}
