//! The streaming mode: bytes of a text go to the runtime as they arrive.

use core::mem;

use super::{Console, Mode};
use crate::answer;
use crate::form::Form;
use crate::frame;
use crate::port::Port;
use crate::stream::{ACK, Symbol};
use crate::terminal::print;

/// At most this many bytes at once are taken for typing rather than pasting: one key or one character.
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
                let pushed = self.pending.push(byte);
                debug_assert!(pushed.is_ok(), "a full buffer was fed before");
                Ok(())
            }
            Symbol::End => self.end_text(),
            Symbol::Abandon => self.abandon_text(),
            Symbol::Leave => self.leave_stream(),
        }
    }

    /// Passes the streamed bytes to the runtime; the first of them begin a text. A person sees the answer after each
    /// token.
    pub(super) fn feed_pending(&mut self) -> Result<(), P::Error> {
        let screen = self.screen();
        let Console { port, model: Ok(engine), mode: Mode::Stream(stream), pending, frame, .. } = self else {
            debug_assert!(self.pending.is_empty(), "only the streaming mode collects bytes");
            return Ok(());
        };
        if pending.is_empty() {
            return Ok(());
        }
        if stream.text_bytes.is_none() {
            engine.begin();
            stream.shown_class = None;
        }
        let mut result = Ok(());
        if stream.form == Form::Human {
            // While typing, every token is shown; of a pasted text, only the tokens at which the predicted label
            // changes.
            let is_typed = pending.len() <= TYPED && !port.read_ready()?;
            let labels = engine.model().labels();
            engine.feed_with(pending, port, |port, step| {
                if result.is_ok() && (is_typed || stream.shown_class != Some(step.class)) {
                    stream.shown_class = Some(step.class);
                    let label = labels.get(step.class).unwrap_or("");
                    result = print(port, |out| answer::step(&step, label, screen, out));
                }
            });
        } else {
            engine.feed(pending, port);
        }
        if let Some(frame) = frame {
            frame.take(pending);
        }
        stream.text_bytes = Some(stream.text_bytes.unwrap_or(0) + pending.len() as u64);
        pending.clear();
        result
    }

    fn end_text(&mut self) -> Result<(), P::Error> {
        self.feed_pending()?;
        let Console { port, model: Ok(engine), mode: Mode::Stream(stream), .. } = self else { return Ok(()) };
        if stream.text_bytes.take().is_none() {
            engine.begin();
        }
        let answer = engine.finish(port);
        stream.texts += 1;
        let form = stream.form;
        self.show_prediction(answer, None, form)
    }

    fn abandon_text(&mut self) -> Result<(), P::Error> {
        self.feed_pending()?;
        let Console { port, mode: Mode::Stream(stream), frame, .. } = self else { return Ok(()) };
        let (bytes, form) = (stream.text_bytes.take().unwrap_or(0), stream.form);
        frame::answer(port, frame, |out| answer::text_abandoned(bytes, form, out))?;
        self.end_answer(form)
    }

    pub(super) fn leave_stream(&mut self) -> Result<(), P::Error> {
        // The engine must have read an unfinished text, so that `top` does not list the classes of the text before it.
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
