//! Receives a model over the serial port: passes the port's bytes to a YMODEM [`Receiver`] and the data to the slots.

use tern_format::times;

use crate::answer;
use crate::display::Form;
use crate::flash::Partition;
use crate::port::{Port, print, ticks_since};
use crate::request::RequestError;
use crate::slots::{Slot, Slots, Store};
use crate::ymodem::{Action, Receiver};

/// Receives a model into the standby slot, and returns the record about that slot. The outer result fails with an error
/// of the port, the inner one if the transfer failed or the model was refused.
pub fn load<C: Port, P: Partition, S: Store>(
    port: &mut C,
    clock_hz: u32,
    slots: &mut Slots<P, S>,
    form: Form,
) -> Result<Result<Slot, RequestError>, C::Error> {
    if form == Form::Human {
        print(port, |out| answer::invitation(slots.standby(), out))?;
    }
    let received = receive(port, slots, clock_hz)?;
    // Discards the sender's last bytes, which must not be taken for a command, until the line is silent.
    let start = port.ticks();
    loop {
        let is_silent = next_byte(port, to_ticks(clock_hz, times::END_SILENCE))?.is_none();
        if is_silent || ticks_since(start, port) >= to_ticks(clock_hz, times::MAX_END_SILENCE).into() {
            break;
        }
    }
    if received.is_err() {
        slots.abandon();
    }
    let keep_alive = &mut || {
        port.keep_alive();
        // There is no time limit.
        true
    };
    Ok(received.and_then(|()| Ok(slots.finish(keep_alive)?)))
}

/// Runs the transfer, and stores its data in the standby slot. The results are those of [`load`].
fn receive<C: Port, P: Partition, S: Store>(
    port: &mut C,
    slots: &mut Slots<P, S>,
    clock_hz: u32,
) -> Result<Result<(), RequestError>, C::Error> {
    let mut receiver = Receiver::default();
    // The byte received last, or `None` for a silence. The first silence makes the receiver send an invitation.
    let mut received = None;
    loop {
        let action = match received {
            Some(byte) => receiver.take(byte),
            None => receiver.silence(),
        };
        // The result of the slots, if the action concerns them.
        let stored = match action {
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
                return Ok(Err(RequestError::Transfer(failure)));
            }
        };
        match stored {
            Some(Ok(())) => port.write_all(receiver.ready())?,
            Some(Err(error)) => {
                port.write_all(receiver.cancel())?;
                return Ok(Err(error.into()));
            }
            None => (),
        }
        let silence = match (receiver.is_between_blocks(), receiver.is_inviting()) {
            (true, true) => times::INVITATION,
            (true, false) => times::BLOCK_SILENCE,
            (false, _) => times::BYTE_SILENCE,
        };
        received = next_byte(port, to_ticks(clock_hz, silence))?;
    }
}

/// Converts milliseconds to ticks of the port's clock, at most 2^32 − 1.
fn to_ticks(clock_hz: u32, milliseconds: u32) -> u32 {
    (clock_hz / 1000).saturating_mul(milliseconds)
}

/// Returns the next byte; `None` if none arrives within `time_out` ticks. Bytes that the queue lost are not reported,
/// because the checksum of their block is then wrong.
fn next_byte<C: Port>(port: &mut C, time_out: u32) -> Result<Option<u8>, C::Error> {
    let start = port.ticks();
    loop {
        if port.read_ready()? {
            let mut byte = [0];
            let length = port.read(&mut byte);
            return Ok((length == 1).then_some(byte[0]));
        }
        // After a loss the port receives bytes again only when the loss has been taken.
        let _ = port.take_lost_bytes();
        // Polls instead of sleeping: on some boards only a received byte ends a sleep.
        if port.ticks().wrapping_sub(start) >= time_out {
            return Ok(None);
        }
    }
}
