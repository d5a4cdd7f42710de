//! Streamed texts: bytes go to the runtime as they come.

use core::mem;

use super::{Console, Mode};
use crate::answer;
use crate::command::Form;
use crate::frame;
use crate::port::Port;
use crate::stream::{ACK, Symbol};
use crate::terminal::print;

/// Bytes at once that somebody may have typed: a key, or a character.
const TYPED: usize = 8;

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
                    self.feed_pending()?;
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

    /// Hands streamed bytes to the runtime; the first begin a text. A person sees how the answer changes.
    pub(super) fn feed_pending(&mut self) -> Result<(), P::Error> {
        let screen = self.screen();
        let Console { port, model: Ok(classifier), mode: Mode::Stream(stream), pending, frame, .. } = self else {
            return Ok(());
        };
        if pending.is_empty() {
            return Ok(());
        }
        if stream.text.is_none() {
            classifier.begin();
            stream.shown = None;
        }
        let mut result = Ok(());
        if stream.form == Form::Human {
            // Who types sees every token; of what is pasted, only where the label changes.
            let is_typed = pending.len() <= TYPED && !port.read_ready()?;
            let labels = classifier.model().labels();
            classifier.feed_with(pending, port, |port, step| {
                if result.is_ok() && (is_typed || stream.shown != Some(step.class)) {
                    stream.shown = Some(step.class);
                    let label = labels.get(step.class).unwrap_or("");
                    result = print(port, |out| answer::step(&step, label, screen, out));
                }
            });
        } else {
            classifier.feed(pending, port);
        }
        if let Some(frame) = frame {
            frame.take(pending);
        }
        stream.text = Some(stream.text.unwrap_or(0) + pending.len() as u64);
        pending.clear();
        result
    }

    pub(super) fn end_text(&mut self) -> Result<(), P::Error> {
        self.feed_pending()?;
        let Console { port, model: Ok(classifier), mode: Mode::Stream(stream), .. } = self else { return Ok(()) };
        if stream.text.take().is_none() {
            classifier.begin();
        }
        let answer = classifier.finish(port);
        stream.texts += 1;
        let form = stream.form;
        self.tell(answer, None, form)
    }

    pub(super) fn abandon_text(&mut self) -> Result<(), P::Error> {
        self.feed_pending()?;
        let Console { port, mode: Mode::Stream(stream), frame, .. } = self else { return Ok(()) };
        let (bytes, form) = (stream.text.take().unwrap_or(0), stream.form);
        frame::answer(port, frame, |out| answer::text_abandoned(bytes, form, out))?;
        self.end_answer(form)
    }

    pub(super) fn leave_stream(&mut self) -> Result<(), P::Error> {
        // The text under way becomes the classifier's abandoned one.
        self.feed_pending()?;
        let Mode::Stream(stream) = mem::replace(&mut self.mode, Mode::Lines) else { return Ok(()) };
        self.editor.restart();
        frame::answer(&mut self.port, &mut self.frame, |out| answer::stream_left(&stream, out))?;
        self.end_answer(stream.form)
    }

    pub(super) fn acknowledge(&mut self, acks: u64) -> Result<(), P::Error> {
        (0..acks).try_for_each(|_| self.port.write_all(&[ACK]))
    }
}
