//! Streamed texts: bytes go to the runtime as they come.

use core::mem;

use super::{Console, Mode};
use crate::answer;
use crate::error::Error;
use crate::port::Port;
use crate::stream::{ACK, Symbol};
use crate::terminal::print;

impl<P: Port> Console<'_, P> {
    pub(super) fn take_stream_byte(&mut self, byte: u8) -> Result<(), P::Error> {
        let Mode::Stream(stream) = &mut self.mode else { return Ok(()) };
        if stream.is_line_end(byte) {
            return Ok(());
        }
        let acks = stream.consume(1);
        self.acknowledge(acks)?;
        if self.damage.is_some() {
            return self.discard(byte);
        }
        let Mode::Stream(stream) = &mut self.mode else { return Ok(()) };
        match stream.decode(byte) {
            Symbol::Nothing => Ok(()),
            Symbol::Byte(byte) => {
                if self.pending.is_full() {
                    self.feed_pending();
                }
                // There is room: it was full or it was not.
                let _ = self.pending.push(byte);
                Ok(())
            }
            Symbol::End => self.end_text(),
            Symbol::Abandon => self.abandon_text(),
            Symbol::Leave => self.leave_stream(),
        }
    }

    /// Hands streamed bytes to the runtime; the first begin a text.
    pub(super) fn feed_pending(&mut self) {
        let Console { port, model: Ok(classifier), mode: Mode::Stream(stream), pending, .. } = self else { return };
        if pending.is_empty() {
            return;
        }
        if stream.text.is_none() {
            classifier.begin();
        }
        classifier.feed(pending, port);
        stream.text = Some(stream.text.unwrap_or(0) + pending.len() as u64);
        pending.clear();
    }

    pub(super) fn end_text(&mut self) -> Result<(), P::Error> {
        self.feed_pending();
        let Console { port, model: Ok(classifier), mode: Mode::Stream(stream), .. } = self else { return Ok(()) };
        if stream.text.take().is_none() {
            classifier.begin();
        }
        let answer = classifier.finish(port);
        stream.texts += 1;
        let form = stream.form;
        if let Some(too_long) = answer.too_long {
            return self.fail(Error::TooLong(too_long), form);
        }
        print(port, |out| answer::classification(classifier, answer, form, out))?;
        self.end_answer(form)
    }

    pub(super) fn abandon_text(&mut self) -> Result<(), P::Error> {
        self.feed_pending();
        let Console { port, mode: Mode::Stream(stream), .. } = self else { return Ok(()) };
        let (bytes, form) = (stream.text.take().unwrap_or(0), stream.form);
        print(port, |out| answer::text_abandoned(bytes, form, out))?;
        self.end_answer(form)
    }

    pub(super) fn leave_stream(&mut self) -> Result<(), P::Error> {
        // The text under way becomes the classifier's abandoned one.
        self.feed_pending();
        let Mode::Stream(stream) = mem::replace(&mut self.mode, Mode::Lines) else { return Ok(()) };
        self.editor.restart();
        print(&mut self.port, |out| answer::stream_left(&stream, out))?;
        self.end_answer(stream.form)
    }

    pub(super) fn acknowledge(&mut self, acks: u64) -> Result<(), P::Error> {
        (0..acks).try_for_each(|_| self.port.write_all(&[ACK]))
    }
}
