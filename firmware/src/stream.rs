//! The streaming mode's bytes: text, controls and credit.

use crate::command::Form;

/// Bytes that a host may have under way without an ACK.
pub const WINDOW: u32 = 768;
/// Bytes consumed for each ACK.
pub const CREDIT: u32 = 256;
/// What tells the host that [`CREDIT`] bytes more are consumed.
pub const ACK: u8 = 0x06;

// A window that is full leaves room for a control byte that the host sends all the same.
const _: () = assert!(WINDOW as usize + CREDIT as usize <= crate::queue::CAPACITY);

const ETX: u8 = 0x03;
const EOT: u8 = 0x04;
const DLE: u8 = 0x10;
const CAN: u8 = 0x18;

/// What a byte means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// Half of an escaped byte, or the LF of the line before.
    Nothing,
    /// A byte of the text.
    Byte(u8),
    /// The text is complete.
    End,
    /// The text is abandoned.
    Abandon,
    /// Back to lines.
    Leave,
}

/// The state of the streaming mode.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Of the answers. Only [`Form::Machine`] has ACKs.
    pub form: Form,
    /// The bytes of the text under way; none: no text has begun.
    pub text: Option<u64>,
    /// The class last shown of the text under way.
    pub shown: Option<usize>,
    /// Texts answered.
    pub texts: u64,
    /// Bytes consumed since the mode was entered.
    consumed: u64,
    /// The last byte was DLE.
    escaped: bool,
    /// An LF now belongs to the line that entered the mode.
    after_cr: bool,
}

impl Stream {
    /// The mode, just entered by a line that ended with CR or not.
    pub fn new(form: Form, after_cr: bool) -> Self {
        Stream { form, text: None, shown: None, texts: 0, consumed: 0, escaped: false, after_cr }
    }

    /// Bytes consumed since the mode was entered.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Counts `bytes` as consumed. Gives how many ACKs are due.
    pub fn consume(&mut self, bytes: u32) -> u64 {
        let before = self.consumed / u64::from(CREDIT);
        self.consumed = self.consumed.saturating_add(u64::from(bytes));
        if self.form == Form::Machine { self.consumed / u64::from(CREDIT) - before } else { 0 }
    }

    /// Whether `byte` is the LF of the line that entered the mode. It is not counted.
    pub fn is_line_end(&mut self, byte: u8) -> bool {
        core::mem::take(&mut self.after_cr) && byte == b'\n'
    }

    /// Understands a byte.
    pub fn decode(&mut self, byte: u8) -> Symbol {
        if core::mem::take(&mut self.escaped) {
            return Symbol::Byte(byte ^ 0x40);
        }
        match byte {
            EOT => Symbol::End,
            CAN => Symbol::Abandon,
            ETX => Symbol::Leave,
            DLE => {
                self.escaped = true;
                Symbol::Nothing
            }
            byte => Symbol::Byte(byte),
        }
    }

    /// Understands a byte of a text that was cut. Where a host escapes its controls, a raw one is a control, whatever was lost
    /// before it.
    pub fn decode_damaged(&mut self, byte: u8) -> Symbol {
        self.escaped = false;
        match byte {
            EOT => Symbol::End,
            CAN => Symbol::Abandon,
            ETX => Symbol::Leave,
            _ => Symbol::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_byte_can_be_sent() {
        let mut stream = Stream::new(Form::Machine, false);
        for byte in 0..=255 {
            assert_eq!(stream.decode(DLE), Symbol::Nothing);
            assert_eq!(stream.decode(byte ^ 0x40), Symbol::Byte(byte));
        }
        assert_eq!(
            [EOT, CAN, ETX, b'a'].map(|byte| stream.decode(byte)),
            [Symbol::End, Symbol::Abandon, Symbol::Leave, Symbol::Byte(b'a')]
        );
    }

    #[test]
    fn one_ack_for_each_credit() {
        let mut stream = Stream::new(Form::Machine, false);
        let acks: u64 = (0..1000).map(|_| stream.consume(1)).sum();
        assert_eq!(acks, 3);
        assert_eq!(stream.consume(5 * CREDIT), 5);
        assert_eq!(Stream::new(Form::Human, false).consume(1000), 0);
    }

    #[test]
    fn lf_after_the_entering_cr() {
        let mut stream = Stream::new(Form::Machine, true);
        assert!(stream.is_line_end(b'\n'));
        assert!(!stream.is_line_end(b'\n'));
        let mut stream = Stream::new(Form::Machine, true);
        assert!(!stream.is_line_end(b'a'));
        assert!(!stream.is_line_end(b'\n'));
    }
}
