//! Handles bytes that the port has lost, as when its queue was full: discards the rest of the line or text that they
//! belonged to, and answers it with an error.

use super::{Console, DamagedInput, Mode};
use crate::console_error::ConsoleError;
use crate::line::Editor;
use crate::port::{Event, LostBytes, Port};
use crate::stream::Symbol;

impl<P: Port> Console<'_, P> {
    /// Marks the line or text being received as damaged: the port dropped bytes that followed everything read so far.
    pub(super) fn report_lost_bytes(&mut self, lost: LostBytes) -> Result<(), P::Error> {
        let form = match &self.mode {
            Mode::Stream(stream) => stream.form,
            // Nothing of the line is stored, so its form is not known. After an earlier loss in the same line, the form
            // of that loss stays.
            Mode::Lines if self.editor.line().is_empty() => self.last_form,
            Mode::Lines => self.line_form(),
        };
        let damage = self.damage.get_or_insert(DamagedInput { lost: 0, form });
        damage.lost = damage.lost.saturating_add(lost.count);
        self.stats.dropped = self.stats.dropped.wrapping_add(lost.count.into());
        if let Some(frame) = &mut self.frame {
            frame.clear_request();
        }
        self.editor.clear();
        self.pending.clear();
        if let Mode::Stream(stream) = &mut self.mode {
            // The next text begins anew in the engine.
            stream.text_bytes = None;
            let acks = stream.count_consumed(lost.count);
            self.acknowledge(acks)?;
        }
        // The last lost byte may have ended the line or text.
        self.discard(lost.last)
    }

    /// Drops a byte of a damaged line or text. If the byte ends the line or text, answers with the error.
    pub(super) fn discard(&mut self, byte: u8) -> Result<(), P::Error> {
        let symbol = match &mut self.mode {
            Mode::Stream(stream) => stream.decode_damaged(byte),
            // `Symbol::End` stands for the end of a line, too.
            Mode::Lines if Editor::ends_line(byte) => {
                // The editor must see a CR, so that it ignores an LF that follows.
                self.editor.push(byte);
                Symbol::End
            }
            Mode::Lines => Symbol::Nothing,
        };
        if matches!(symbol, Symbol::Nothing | Symbol::Byte(_)) {
            return Ok(());
        }
        if let Some(DamagedInput { lost, form }) = self.damage.take() {
            self.log_event(Event::Overflow { lost });
            self.stats.rejected = self.stats.rejected.wrapping_add(1);
            self.end_prompt()?;
            self.fail(ConsoleError::Overflow { lost }, form)?;
        }
        if symbol == Symbol::Leave { self.leave_stream() } else { Ok(()) }
    }
}
