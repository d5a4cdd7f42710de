//! Tokens as text.

/// Puts tokens together to a text.
///
/// Characters and bytes are the text. Words have lost the white space between them: one blank stands there, and none
/// before a full stop and its like, or after an opening bracket.
#[derive(Debug)]
pub struct Joiner {
    kind: Kind,
    /// Bytes of a character that is not whole yet.
    bytes: Vec<u8>,
    /// Whether a blank may stand before the next word.
    blank: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Characters,
    Bytes,
    Pieces,
    Words,
}

impl Joiner {
    /// `tokenizer`: as in `config.json`. `before`: the text that goes before.
    pub fn new(tokenizer: &str, before: &str) -> Self {
        let kind = match tokenizer.split('_').next() {
            Some("chars") => Kind::Characters,
            Some("bytes") => Kind::Bytes,
            Some("wordpiece") => Kind::Pieces,
            _ => Kind::Words,
        };
        Joiner { kind, bytes: Vec::new(), blank: before.chars().next_back().is_some_and(|c| !c.is_whitespace()) }
    }

    /// What a token adds to the text. `token`: its name; `id`: its id, which of bytes is the byte and 2.
    pub fn join(&mut self, token: &str, id: u32) -> String {
        match self.kind {
            Kind::Characters => token.to_owned(),
            Kind::Bytes => {
                self.bytes.push(id.saturating_sub(2) as u8);
                match std::str::from_utf8(&self.bytes) {
                    Err(error) if error.error_len().is_none() => String::new(),
                    _ => String::from_utf8_lossy(&std::mem::take(&mut self.bytes)).into_owned(),
                }
            }
            Kind::Pieces if token.starts_with("##") => token[2..].to_owned(),
            Kind::Pieces | Kind::Words => {
                let closes =
                    |c: char| matches!(c, '.' | ',' | '!' | '?' | ';' | ':' | ')' | ']' | '\'' | '%' | '…' | '’');
                let opens = |c: char| matches!(c, '(' | '[' | '\'' | '’' | '-');
                let blank = self.blank && !token.starts_with(closes);
                self.blank = !token.ends_with(opens);
                if blank { format!(" {token}") } else { token.to_owned() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_text_again() {
        let join = |tokenizer: &str, before: &str, tokens: &[&str]| -> String {
            let mut joiner = Joiner::new(tokenizer, before);
            tokens.iter().map(|token| joiner.join(token, 0)).collect()
        };
        assert_eq!(join("words", "so", &["it", "'", "s", "(", "ok", ")", ",", "bye"]), " it's (ok), bye");
        assert_eq!(join("words", "", &["it", "is"]), "it is");
        assert_eq!(join("chars_cased", "so", &["i", "t", " ", "\n"]), "it \n");
        assert_eq!(join("wordpiece", "", &["un", "##know", "##n", "."]), "unknown.");
        let mut joiner = Joiner::new("bytes", "");
        let bytes: Vec<String> = "aé✓".bytes().chain([0xff, b'z']).map(|b| joiner.join("", u32::from(b) + 2)).collect();
        assert_eq!(bytes.concat(), "aé✓\u{fffd}z");
    }
}
