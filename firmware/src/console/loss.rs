//! Lost bytes: the line or text that they belonged to is refused.

use super::{Console, Damage, Mode};
use crate::error::Error;
use crate::line::Editor;
use crate::port::{Event, Loss, Port};
use crate::stream::Symbol;

impl<P: Port> Console<'_, P> {
    /// The port dropped bytes behind all that was taken so far.
    pub(super) fn lose(&mut self, loss: Loss) -> Result<(), P::Error> {
        let form = match &self.mode {
            Mode::Stream(stream) => stream.form,
            Mode::Lines if self.editor.kept().is_empty() => self.form,
            Mode::Lines => self.line_form(),
        };
        let damage = self.damage.get_or_insert(Damage { lost: 0, form });
        damage.lost = damage.lost.saturating_add(loss.bytes);
        self.stats.dropped = self.stats.dropped.saturating_add(loss.bytes.into());
        if let Some(frame) = &mut self.frame {
            frame.forget();
        }
        self.editor.clear();
        self.pending.clear();
        if let Mode::Stream(stream) = &mut self.mode {
            stream.text = None;
            let acks = stream.consume(loss.bytes);
            self.acknowledge(acks)?;
        }
        self.discard(loss.last)
    }

    /// Takes a byte of a damaged line or text, and reports the damage if that was its end.
    pub(super) fn discard(&mut self, byte: u8) -> Result<(), P::Error> {
        let symbol = match &mut self.mode {
            Mode::Stream(stream) => stream.decode_damaged(byte),
            Mode::Lines if Editor::ends(byte) => {
                // The editor must know of a CR, lest an LF that follows be a second end.
                self.editor.push(byte);
                Symbol::End
            }
            Mode::Lines => Symbol::Nothing,
        };
        if matches!(symbol, Symbol::Nothing | Symbol::Byte(_)) {
            return Ok(());
        }
        if let Some(Damage { lost, form }) = self.damage.take() {
            self.note(Event::Overflow { lost });
            self.stats.refused = self.stats.refused.wrapping_add(1);
            self.end_prompt()?;
            self.fail(Error::Overflow { lost }, form)?;
        }
        if symbol == Symbol::Leave { self.leave_stream() } else { Ok(()) }
    }
}
