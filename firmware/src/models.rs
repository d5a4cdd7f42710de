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
use crate::slots::{Index, MOST_SECONDS, Reason, Slot, Slots, State, Store};
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

/// Keeps a port alive while something takes long, which may take [`MOST_SECONDS`]: looking at the clock feeds a board's watchdog.
pub fn patience<C: Port>(port: &mut C, clock_hz: u32) -> impl FnMut() -> bool {
    let (mut last, mut spent) = (port.ticks(), 0);
    move || {
        let now = port.ticks();
        spent += u64::from(now.wrapping_sub(last));
        last = now;
        spent <= u64::from(clock_hz) * u64::from(MOST_SECONDS)
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
        let outcome = match self.request {
            Request::Models => return console.answer(form, |out| answer::models(slots, form, out)),
            Request::Load => load::load(console, slots, form)?.map(Done::Loaded),
            request => change(request, console, slots, scratch).map_err(Refused::Model),
        };
        let standby = slots.standby();
        console.answer(form, |out| match outcome {
            Ok(Done::Loaded(slot)) => answer::loaded(standby, &slot, form, out),
            Ok(Done::Activated(index)) => answer::activated(index, form, out),
            Ok(Done::RolledBack(index, state)) => answer::rolled_back(index, state, form, out),
            Ok(Done::Erased(index)) => answer::erased(index, form, out),
            Err(refused) => answer::refused(&refused, form, out),
        })
    }
}

/// What was done.
enum Done {
    Loaded(Slot),
    Activated(Index),
    RolledBack(Index, State),
    Erased(Index),
}

fn change<C: Port, P: Partition, S: Store>(
    request: Request,
    console: &mut Console<'_, C>,
    slots: &mut Slots<P, S>,
    scratch: &mut [i32],
) -> Result<Done, Reason> {
    let clock_hz = console.board().clock_hz;
    let mut alive = patience(console.port(), clock_hz);
    match request {
        Request::Activate => slots.activate(scratch, &mut alive).map(Done::Activated),
        Request::Rollback => slots.rollback(scratch, &mut alive).map(|(index, state)| Done::RolledBack(index, state)),
        _ => slots.erase(&mut alive).map(Done::Erased),
    }
}
