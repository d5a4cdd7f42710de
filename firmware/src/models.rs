//! The console's commands about the models in the slots: `models`, `load`, `activate`, `rollback`, `erase`.
//!
//! They take the scratch or write flash, so the model that serves steps aside for them: [`Console::run`] ends with a [`Wanted`], and
//! [`Wanted::fulfil`] does it and answers.

mod answer;
mod load;

use core::fmt;

use crate::command::Form;
use crate::console::Console;
use crate::flash::Partition;
use crate::port::Port;
use crate::slots::{Reason, Slots, Store};
use crate::ymodem::Failure;

pub use answer::at_start;

/// What is asked about the models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// List the slots.
    Models,
    /// Receive a model by YMODEM.
    Load,
    /// Have the next boot try the model that was received.
    Activate,
    /// Go back to the model before.
    Rollback,
    /// Empty the slot that does not serve.
    Erase,
}

/// What is asked, and whom the answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What is asked.
    pub request: Request,
    /// The form of the answer.
    pub form: Form,
}

/// Why a request about models was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The model, or the flash.
    Model(Reason),
    /// The transfer.
    Transfer(Failure),
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        Refused::Model(reason)
    }
}

impl Refused {
    /// In a word, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Refused::Model(reason) => reason.code(),
            Refused::Transfer(_) => "transfer",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Model(reason) => write!(f, "{reason}"),
            Refused::Transfer(failure) => write!(f, "{failure}"),
        }
    }
}

impl Wanted {
    /// Does what is asked, and answers. `scratch` is the memory that the model will have; no model uses it now.
    ///
    /// # Errors
    /// Those of the port.
    pub fn fulfil<C: Port, P: Partition, S: Store>(
        self,
        console: &mut Console<'_, C>,
        slots: &mut Slots<P, S>,
        scratch: &mut [i32],
    ) -> Result<(), C::Error> {
        let form = self.form;
        let refused = match self.request {
            Request::Models => return console.answer(form, |out| answer::models(slots, form, out)),
            Request::Load => match load::load(console, slots, form)? {
                Ok(slot) => return console.answer(form, |out| answer::loaded(slots.standby(), &slot, form, out)),
                Err(refused) => refused,
            },
            Request::Activate => match slots.activate(scratch) {
                Ok(index) => return console.answer(form, |out| answer::activated(index, form, out)),
                Err(reason) => reason.into(),
            },
            Request::Rollback => match slots.rollback(scratch) {
                Ok((index, state)) => {
                    return console.answer(form, |out| answer::rolled_back(index, state, form, out));
                }
                Err(reason) => reason.into(),
            },
            Request::Erase => match slots.erase() {
                Ok(index) => return console.answer(form, |out| answer::erased(index, form, out)),
                Err(reason) => reason.into(),
            },
        };
        console.answer(form, |out| answer::refused(&refused, form, out))
    }
}
