//! The device as a whole: finds its model in flash, serves it on the console, and changes models on request.
//!
//! Two *slots* of flash hold models, and the *record* says which one runs (docs/update.md). A new model is received
//! into the *standby* slot, the one not in use. The boot after its activation is its *trial*: the model stays in use if
//! that boot reaches the prompt; otherwise the next boot returns to the previous model. Without the feature `updates`,
//! only the first slot is used.

use core::convert::Infallible;

use crate::answer;
use crate::boot_count::MAX_FAILED_BOOTS;
use crate::console::Console;
use crate::engine::Engine;
use crate::features::UPDATES;
use crate::flash::{Partition, Partitions};
use crate::info::BoardInfo;
use crate::loaded_model::{LoadedModel, Refusal};
use crate::port::{Port, print};
use crate::request::{PendingRequest, Request, RequestError};
use crate::slots::{Journal, MAX_CHECK_SECONDS, Slot, SlotIndex, Slots, State, Store, TrustedKey};
use crate::transfer;

/// Runs the device forever.
///
/// With a `trusted` key, only models signed by it run; without the feature `updates` the key is ignored. `scratch` is
/// the memory for a model's state. `log_model` is called once with the model that the boot found, or with the reason
/// why none runs.
///
/// # Errors
/// Those of the port.
pub fn serve<C: Port, P: Partition>(
    mut port: C,
    board: BoardInfo,
    partitions: Partitions<P>,
    trusted: Option<TrustedKey>,
    scratch: &mut [i32],
    log_model: impl FnOnce(&Result<Engine<'_>, Refusal>),
) -> Result<Infallible, C::Error> {
    let Partitions { record, slots: slot_partitions } = partitions;
    let has_failed_often = port.boots().is_some_and(|boots| boots.failed_boots >= MAX_FAILED_BOOTS);
    if !UPDATES {
        let [first_slot, _] = slot_partitions;
        let bytes = first_slot.freeze();
        let found = if has_failed_often { Err(Refusal::RepeatedFailures) } else { LoadedModel::from_slot(&bytes) };
        return serve_one(port, board, &found, scratch, log_model);
    }
    let store = Journal::new(record);
    let (mut slots, boot) = if has_failed_often {
        Slots::boot_without_model(store, slot_partitions, trusted)
    } else {
        Slots::boot(store, slot_partitions, trusted, scratch, &mut time_limit(&mut port, board.clock_hz))
    };
    print(&mut port, |out| answer::boot_events(&boot.events, slots.wants_signature(), out))?;
    port.keep_alive();
    let found = match &boot.serving {
        Ok((_, bytes)) => LoadedModel::from_slot(bytes),
        Err(refusal) => Err(*refusal),
    };
    // The console without a model, so that `scratch` is free for a request. Each turn of the loop gives it the model,
    // serves until a command makes a request, and takes the model away again.
    let mut idle = Console::new(port, board, Err(Refusal::Empty));
    let mut log_once = Some(log_model);
    loop {
        let model = match &found {
            Ok(loaded) => Engine::new(loaded, scratch),
            Err(refusal) => Err(*refusal),
        };
        let log_model = log_once.take();
        let is_first_turn = log_model.is_some();
        if let Some(log_model) = log_model {
            log_model(&model);
        }
        let mut console = idle.with_model(model);
        if is_first_turn {
            console.start()?;
            // The first prompt has been printed, so a model on trial has passed. An error is ignored: if the result
            // cannot be recorded, the next boot returns to the previous model.
            let _ = slots.confirm();
            console.port.mark_ready();
        }
        let request = console.run()?;
        idle = console.without_model();
        fulfil(request, &mut idle, &mut slots, scratch)?;
    }
}

/// Serves one model forever, in firmware without the feature `updates`.
fn serve_one<C: Port>(
    port: C,
    board: BoardInfo,
    found: &Result<LoadedModel<'_>, Refusal>,
    scratch: &mut [i32],
    log_model: impl FnOnce(&Result<Engine<'_>, Refusal>),
) -> Result<Infallible, C::Error> {
    let model = match found {
        Ok(loaded) => Engine::new(loaded, scratch),
        Err(refusal) => Err(*refusal),
    };
    log_model(&model);
    let mut console = Console::new(port, board, model);
    console.start()?;
    console.port.mark_ready();
    loop {
        // No command of this firmware makes a request.
        console.run()?;
    }
}

/// Carries out the request `pending` and answers it. `scratch` is not borrowed by a model meanwhile, so the checks of a
/// new model use it.
fn fulfil<C: Port, P: Partition, S: Store>(
    pending: PendingRequest,
    console: &mut Console<'_, C>,
    slots: &mut Slots<P, S>,
    scratch: &mut [i32],
) -> Result<(), C::Error> {
    let PendingRequest { request, form } = pending;
    let clock_hz = console.board.clock_hz;
    let standby = slots.standby();
    let outcome = match request {
        Request::Models => Ok(Outcome::Models),
        Request::Load => transfer::load(&mut console.port, clock_hz, slots, form)?.map(Outcome::Loaded),
        _ => {
            let keep_alive = &mut time_limit(&mut console.port, clock_hz);
            let result = match request {
                Request::Activate => slots.activate(scratch, keep_alive).map(Outcome::Activated),
                Request::Rollback => slots.rollback(scratch, keep_alive).map(Outcome::RolledBack),
                // `Request::Erase`; the outer `match` has handled the others.
                _ => slots.erase(keep_alive).map(Outcome::Erased),
            };
            result.map_err(RequestError::Slot)
        }
    };
    console.answer(form, |out| match outcome {
        Ok(Outcome::Models) => answer::models(slots, form, out),
        Ok(Outcome::Loaded(record)) => answer::loaded(standby, &record, form, out),
        Ok(Outcome::Activated(slot)) => answer::activated(slot, form, out),
        Ok(Outcome::RolledBack((slot, state))) => answer::rolled_back(slot, state, form, out),
        Ok(Outcome::Erased(slot)) => answer::erased(slot, form, out),
        Err(error) => answer::request_failed(&error, form, out),
    })
}

/// The result of a request that succeeded.
enum Outcome {
    Models,
    /// The record about the received model, which is in the standby slot.
    Loaded(Slot),
    /// The slot whose model the next boot tries.
    Activated(SlotIndex),
    /// The standby slot and its new state.
    RolledBack((SlotIndex, State)),
    /// The slot that is empty now.
    Erased(SlotIndex),
}

/// Returns a function that long work calls again and again: it reads the clock, which feeds a board's watchdog, and
/// returns false when [`MAX_CHECK_SECONDS`] have passed since `time_limit` was called.
fn time_limit<C: Port>(port: &mut C, clock_hz: u32) -> impl FnMut() -> bool {
    // The clock wraps, so the ticks are added up from call to call.
    let (mut last_ticks, mut spent_ticks) = (port.ticks(), 0);
    move || {
        let ticks = port.ticks();
        spent_ticks += u64::from(ticks.wrapping_sub(last_ticks));
        last_ticks = ticks;
        spent_ticks <= u64::from(clock_hz) * u64::from(MAX_CHECK_SECONDS)
    }
}
