//! Handles the streaming mode, in which the bytes of a text go to the runtime as they arrive. [`Stream`] decodes them;
//! its ACKs tell a program how far the device has read.
//!
//! [`Stream`]: crate::stream::Stream

use core::mem;

use super::{Console, Mode};
use crate::answer;
use crate::display::Form;
use crate::features::COLORS;
use crate::frame;
use crate::port::{Port, print};
use crate::stream::{ACK, Symbol};

/// The most bytes that one key press sends. If more arrive at once, they are taken as pasted.
const MAX_TYPED_BYTES: usize = 8;

impl<P: Port> Console<'_, P> {
    /// Handles a byte that was received in the streaming mode.
    pub(super) fn take_stream_byte(&mut self, byte: u8) -> Result<(), P::Error> {
        let Mode::Stream(stream) = &mut self.mode else { return Ok(()) };
        // The line that entered the mode may have ended with CR LF; its LF is not a byte of the text.
        if stream.is_lf_of_command(byte) {
            return Ok(());
        }
        let acks = stream.count_consumed(1);
        self.acknowledge(acks)?;
        // After a loss of bytes, everything up to the end of the text is discarded.
        if self.damage.is_some() {
            return self.discard(byte);
        }
        let Mode::Stream(stream) = &mut self.mode else { return Ok(()) };
        match stream.decode(byte) {
            Symbol::Nothing => Ok(()),
            Symbol::Byte(text_byte) => {
                if self.pending.is_full() {
                    self.feed_pending()?;
                }
                let pushed = self.pending.push(text_byte);
                debug_assert!(pushed.is_ok(), "a full buffer was fed before");
                Ok(())
            }
            Symbol::End => self.end_text(),
            Symbol::Abandon => self.abandon_text(),
            Symbol::Leave => self.leave_stream(),
        }
    }

    /// Passes the streamed bytes to the runtime; the first bytes after a finished text begin a new one. A person sees
    /// the prediction while the text arrives.
    pub(super) fn feed_pending(&mut self) -> Result<(), P::Error> {
        let terminal = self.terminal();
        let Console { port, engine: Ok(engine), mode: Mode::Stream(stream), pending, frame, .. } = self else {
            debug_assert!(self.pending.is_empty(), "only the streaming mode collects bytes");
            return Ok(());
        };
        if pending.is_empty() {
            return Ok(());
        }
        let begins_text = stream.text_bytes.is_none();
        if begins_text {
            engine.begin();
            stream.shown_class = None;
        }
        let mut result = Ok(());
        if COLORS && stream.form == Form::Human {
            // While typing, every token is shown; of a pasted text, only the tokens at which the predicted label
            // changes.
            let is_typed = pending.len() <= MAX_TYPED_BYTES && !port.read_ready()?;
            let labels = engine.model().labels();
            engine.feed_with(pending, port, |port, step| {
                if result.is_ok() && (is_typed || stream.shown_class != Some(step.class)) {
                    stream.shown_class = Some(step.class);
                    let label = labels.get(step.class).unwrap_or("");
                    result = print(port, |out| answer::step(&step, label, terminal, out));
                }
            });
        } else {
            engine.feed(pending, port);
        }
        // In machine mode the answer carries a checksum of its request, here of the bytes of the text.
        if let Some(frame) = frame {
            frame.add_request(pending);
        }
        stream.text_bytes = Some(stream.text_bytes.unwrap_or(0) + pending.len() as u64);
        pending.clear();
        result
    }

    /// Ends the text and answers it.
    fn end_text(&mut self) -> Result<(), P::Error> {
        self.feed_pending()?;
        let Console { port, engine: Ok(engine), mode: Mode::Stream(stream), .. } = self else { return Ok(()) };
        let is_empty = stream.text_bytes.take().is_none();
        if is_empty {
            engine.begin();
        }
        let answer = engine.finish(port);
        stream.texts += 1;
        let form = stream.form;
        // A streamed text cannot ask for a number of next tokens, as the command `next` can.
        let count = None;
        self.show_prediction(answer, count, form)
    }

    /// Drops the text, and answers with the number of its bytes.
    fn abandon_text(&mut self) -> Result<(), P::Error> {
        self.feed_pending()?;
        let Console { port, mode: Mode::Stream(stream), frame, .. } = self else { return Ok(()) };
        let (bytes, form) = (stream.text_bytes.take().unwrap_or(0), stream.form);
        frame::write_answer(port, frame, |out| answer::text_abandoned(bytes, form, out))?;
        self.end_answer(form)
    }

    /// Drops an unfinished text and leaves the streaming mode.
    pub(super) fn leave_stream(&mut self) -> Result<(), P::Error> {
        // The unfinished text must begin in the engine: otherwise the command `top` would list the classes of the text
        // before it.
        self.feed_pending()?;
        let Mode::Stream(stream) = mem::replace(&mut self.mode, Mode::Lines) else { return Ok(()) };
        self.editor.restart();
        frame::write_answer(&mut self.port, &mut self.frame, |out| answer::stream_ended(&stream, out))?;
        self.end_answer(stream.form)
    }

    /// Sends this many ACKs, each for [`CREDIT`](crate::stream::CREDIT) bytes that were consumed.
    pub(super) fn acknowledge(&mut self, acks: u64) -> Result<(), P::Error> {
        (0..acks).try_for_each(|_| self.port.write_all(&[ACK]))
    }
}
