//! A device's life: it finds its model, serves it on its port, and changes it when that is asked.

use core::convert::Infallible;

use crate::classifier::{Classifier, Found, Refusal};
use crate::console::Console;
use crate::flash::{Partition, Partitions};
use crate::info::Board;
use crate::models;
use crate::port::Port;
use crate::slots::{Slots, Trusted};
use crate::starts::MOST_UNSERVED;
use crate::terminal::print;

/// Serves for ever. `trusted`: who must have signed a model; none: anybody. `scratch`: memory for a model's state. `log` is told once of the model
/// that serves.
///
/// # Errors
/// Those of the port.
pub fn serve<C: Port, P: Partition>(
    mut port: C,
    board: Board,
    partitions: Partitions<P>,
    trusted: Option<Trusted>,
    scratch: &mut [i32],
    log: impl FnOnce(&Result<Classifier<'_>, Refusal>),
) -> Result<Infallible, C::Error> {
    let is_held = port.starts().is_some_and(|starts| starts.unserved >= MOST_UNSERVED);
    let (mut slots, boot) = if is_held {
        Slots::hold(partitions, trusted)
    } else {
        Slots::boot(partitions, trusted, scratch, &mut models::patience(&mut port, board.clock_hz))
    };
    print(&mut port, |out| models::at_start(&boot.news, slots.wants_signature(), out))?;
    let found = match &boot.serving {
        Ok((_, bytes)) => Found::in_slot(bytes),
        Err(refusal) => Err(*refusal),
    };
    let mut idle = Console::new(port, board, Err(Refusal::Empty));
    let mut log = Some(log);
    loop {
        let model = match &found {
            Ok(found) => Classifier::new(found, scratch),
            Err(refusal) => Err(*refusal),
        };
        let first = log.take();
        let is_first = first.is_some();
        first.into_iter().for_each(|log| log(&model));
        let mut console = idle.with_model(model);
        if is_first {
            console.start()?;
            // The prompt stands: a model on trial has shown what it must. Where this fails the next boot falls back.
            let _ = slots.confirm();
            console.port().serving();
        }
        let wanted = console.run()?;
        idle = console.without_model();
        wanted.fulfil(&mut idle, &mut slots, scratch)?;
    }
}
