//! Decodes the bytes of the console's streaming mode, in which texts of any length are sent: separates text from
//! control bytes, and counts the bytes for flow control. `docs/console.md` describes the protocol.

use crate::display::Form;

/// The most bytes that a host may send beyond those that the device has acknowledged.
pub const WINDOW: u32 = 768;
/// The device sends one ACK each time it has consumed this many bytes.
pub const CREDIT: u32 = 256;
/// The byte by which the device acknowledges [`CREDIT`] bytes.
pub const ACK: u8 = 0x06;

// A full window leaves `CREDIT` bytes of room in the queue, so that a host can always send a control byte.
const _: () = assert!(WINDOW as usize + CREDIT as usize <= crate::queue::CAPACITY);

/// Ends the streaming mode (Ctrl-C).
const ETX: u8 = 0x03;
/// Ends a text (Ctrl-D).
const EOT: u8 = 0x04;
/// Escapes the next byte, so that a text can contain control bytes.
const DLE: u8 = 0x10;
/// Drops a text (Ctrl-X).
const CAN: u8 = 0x18;

/// The meaning of a byte in the streaming mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// A byte without effect: the DLE before an escaped byte, or a byte of a text of which bytes were lost.
    Nothing,
    /// A byte of the text.
    Byte(u8),
    /// The text is complete.
    End,
    /// The text is dropped.
    Abandon,
    /// The streaming mode ends.
    Leave,
}

/// The state of the streaming mode.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// The form of the answers. ACKs are sent only in [`Form::Machine`].
    pub form: Form,
    /// Bytes of the text so far; `None` if no text has begun.
    pub text_bytes: Option<u64>,
    /// The class of the prediction that was shown last for this text; `None` if none was shown.
    pub shown_class: Option<usize>,
    /// Number of texts answered.
    pub texts: u64,
    /// Bytes consumed since the mode was entered.
    pub consumed: u64,
    /// True if the last byte was DLE.
    escaped: bool,
    /// True until the first byte if the line that entered the mode ended with CR: if that byte is LF, it belongs to the
    /// line end.
    after_cr: bool,
}

impl Stream {
    /// Returns the state after the line that enters the mode. `after_cr`: true if that line ended with CR.
    pub fn new(form: Form, after_cr: bool) -> Self {
        Stream { form, text_bytes: None, shown_class: None, texts: 0, consumed: 0, escaped: false, after_cr }
    }

    /// Counts `bytes` as consumed, and returns the number of ACKs to send: 0 in [`Form::Human`].
    pub fn count_consumed(&mut self, bytes: u32) -> u64 {
        let acks_before = self.consumed / u64::from(CREDIT);
        self.consumed = self.consumed.saturating_add(u64::from(bytes));
        if self.form == Form::Machine { self.consumed / u64::from(CREDIT) - acks_before } else { 0 }
    }

    /// Returns true if `byte` is the LF of the line that entered the mode. Such an LF does not count as consumed.
    pub fn is_lf_of_command(&mut self, byte: u8) -> bool {
        core::mem::take(&mut self.after_cr) && byte == b'\n'
    }

    /// Interprets a byte.
    pub fn decode(&mut self, byte: u8) -> Symbol {
        if core::mem::take(&mut self.escaped) {
            // A host sends a control byte of the text as DLE and the byte with this bit inverted, which is printable.
            return Symbol::Byte(byte ^ 0x40);
        }
        match byte {
            DLE => {
                self.escaped = true;
                Symbol::Nothing
            }
            byte => control(byte).unwrap_or(Symbol::Byte(byte)),
        }
    }

    /// Interprets a byte of a damaged text, of which bytes were lost. An escaped byte is no control byte, so a control
    /// byte always has its effect, even if a DLE precedes it or was lost.
    pub fn decode_damaged(&mut self, byte: u8) -> Symbol {
        self.escaped = false;
        control(byte).unwrap_or(Symbol::Nothing)
    }
}

/// The meaning of a control byte other than DLE; `None` for other bytes.
fn control(byte: u8) -> Option<Symbol> {
    match byte {
        EOT => Some(Symbol::End),
        CAN => Some(Symbol::Abandon),
        ETX => Some(Symbol::Leave),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_can_be_sent_escaped() {
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
        let acks: u64 = (0..1000).map(|_| stream.count_consumed(1)).sum();
        assert_eq!(acks, 3);
        assert_eq!(stream.count_consumed(5 * CREDIT), 5);
        assert_eq!(Stream::new(Form::Human, false).count_consumed(1000), 0);
    }

    #[test]
    fn an_lf_after_the_cr_of_the_command_is_ignored() {
        let mut stream = Stream::new(Form::Machine, true);
        assert!(stream.is_lf_of_command(b'\n'));
        assert!(!stream.is_lf_of_command(b'\n'));
        let mut stream = Stream::new(Form::Machine, true);
        assert!(!stream.is_lf_of_command(b'a'));
        assert!(!stream.is_lf_of_command(b'\n'));
    }
}
