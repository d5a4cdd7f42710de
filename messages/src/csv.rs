//! Messages as CSV text, and a checksum to compare such files.

use crate::message::Message;

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
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Label;

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
