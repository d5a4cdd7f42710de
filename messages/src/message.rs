//! A message and its class, and messages as CSV text.

/// The class of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Present danger or damage: someone must act immediately.
    Alarm,
    /// Someone asks for work, an object or an answer; nobody is in danger.
    Request,
    /// A report about the present or the past, good or bad, that asks for nothing.
    Status,
    /// Advertising or fraud.
    Spam,
    /// Private talk that does not concern the building.
    Chatter,
}

impl Label {
    /// All classes.
    pub const ALL: [Label; 5] = [Label::Alarm, Label::Request, Label::Status, Label::Spam, Label::Chatter];

    /// The name of the class in the CSV files.
    pub fn name(self) -> &'static str {
        match self {
            Label::Alarm => "alarm",
            Label::Request => "request",
            Label::Status => "status",
            Label::Spam => "spam",
            Label::Chatter => "chatter",
        }
    }
}

/// A text and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text, a single line.
    pub text: String,
    /// The class of the template that generated the text.
    pub label: Label,
}

/// Returns the messages as CSV with the columns `text` and `label`, quoted as in RFC 4180; lines end in LF.
pub fn to_csv(messages: &[Message]) -> String {
    let mut csv = String::from("text,label\n");
    for Message { text, label } in messages {
        if text.contains(['"', ',', '\n', '\r']) {
            csv.push_str(&format!("\"{}\"", text.replace('"', "\"\"")));
        } else {
            csv.push_str(text);
        }
        csv.push_str(&format!(",{}\n", label.name()));
    }
    csv
}

/// Returns the 64-bit FNV-1a hash of `bytes`.
pub fn checksum(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET_BASIS, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_commas_or_quotes_are_quoted() {
        let message = |text: &str| Message { text: text.into(), label: Label::Alarm };
        let text = to_csv(&[message("smoke"), message("go, now"), message("the \"big\" one")]);
        assert_eq!(text, "text,label\nsmoke,alarm\n\"go, now\",alarm\n\"the \"\"big\"\" one\",alarm\n");
    }

    #[test]
    fn the_checksum_is_fnv_1a() {
        assert_eq!(checksum(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(checksum(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
