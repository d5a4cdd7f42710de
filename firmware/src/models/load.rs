//! Receiving a model: the port's bytes to a [`Receiver`], its data to the slots.

use super::{Refused, answer};
use crate::command::Form;
use crate::console::Console;
use crate::flash::Partition;
use crate::port::Port;
use crate::slots::{Slot, Slots, Store};
use crate::terminal::print;
use crate::ymodem::{Action, Receiver};

/// How long a sender may take to begin, in seconds, before it is asked again.
const INVITATION: u32 = 2;
/// How long it may take between blocks.
const PAUSE: u32 = 2;
/// How long it may be silent within a block.
const GAP: u32 = 1;

/// What the sender still says after the end is no line of a person.
const REST_MILLISECONDS: u32 = 300;
const LONGEST_REST: u32 = 5;

/// Receives a model into the standby slot.
///
/// # Errors
/// Those of the port; within, why there is no model.
pub fn load<C: Port, P: Partition, S: Store>(
    console: &mut Console<'_, C>,
    slots: &mut Slots<P, S>,
    form: Form,
) -> Result<Result<Slot, Refused>, C::Error> {
    let clock_hz = console.board().clock_hz;
    let port = console.port();
    if form == Form::Human {
        print(port, |out| answer::invitation(slots.standby(), out))?;
    }
    let received = receive(port, slots, clock_hz)?;
    let rest = clock_hz / 1000 * REST_MILLISECONDS;
    let begin = port.ticks();
    while let Some(_) = byte(port, rest)?
        && port.ticks().wrapping_sub(begin) < clock_hz.saturating_mul(LONGEST_REST)
    {}
    if received.is_err() {
        slots.abandon();
    }
    Ok(received.and_then(|()| Ok(slots.finish()?)))
}

fn receive<C: Port, P: Partition, S: Store>(
    port: &mut C,
    slots: &mut Slots<P, S>,
    clock_hz: u32,
) -> Result<Result<(), Refused>, C::Error> {
    let mut receiver = Receiver::new();
    let mut next = None;
    loop {
        let action = match next {
            Some(byte) => receiver.take(byte),
            None => receiver.silence(),
        };
        let kept = match action {
            Action::Wait => None,
            Action::Reply(reply) => {
                port.write_all(reply)?;
                None
            }
            Action::Begin(bytes) => Some(slots.begin(bytes)),
            Action::Data(data) => Some(slots.write(data)),
            Action::Done(reply) => {
                port.write_all(reply)?;
                return Ok(Ok(()));
            }
            Action::Failed(reply, failure) => {
                port.write_all(reply)?;
                return Ok(Err(Refused::Transfer(failure)));
            }
        };
        match kept {
            Some(Ok(())) => port.write_all(receiver.ready())?,
            Some(Err(reason)) => {
                port.write_all(receiver.cancel())?;
                return Ok(Err(reason.into()));
            }
            None => (),
        }
        let seconds = match (receiver.is_between_blocks(), receiver.is_inviting()) {
            (true, true) => INVITATION,
            (true, false) => PAUSE,
            (false, _) => GAP,
        };
        next = byte(port, clock_hz.saturating_mul(seconds))?;
    }
}

/// The next byte; none where it does not come for so many ticks. What the queue lost is damage that a checksum finds.
fn byte<C: Port>(port: &mut C, ticks: u32) -> Result<Option<u8>, C::Error> {
    let begin = port.ticks();
    loop {
        if port.read_ready()? {
            let mut byte = [0];
            return Ok((port.read(&mut byte)? == 1).then_some(byte[0]));
        }
        let _ = port.take_loss();
        // Not asleep: nothing but a byte wakes some boards.
        if port.ticks().wrapping_sub(begin) >= ticks {
            return Ok(None);
        }
    }
}
