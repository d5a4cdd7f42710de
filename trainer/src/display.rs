//! Functions that make text from untrusted files safe and short for display.

/// Returns true for characters that control a terminal or change the writing direction of the text after them.
pub fn is_control(c: char) -> bool {
    // U+202A … U+202E and U+2066 … U+2069 change the writing direction.
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns a text in which each character of [`is_control`] is escaped: ESC becomes `\u{1b}`, a line break `\n`.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| if is_control(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Returns a text cut to at most `characters` characters, 1 or more. The last one is `…` if the text was longer.
pub fn shorten(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

/// Returns the first `characters` characters of a text, followed by `…` if the text is longer.
pub fn excerpt(text: &str, characters: usize) -> String {
    let mut cut: String = text.chars().take(characters).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// Returns the first ten names in quotation marks, separated by commas, and the number of the others.
pub(crate) fn quoted(names: &[String]) -> String {
    let mut list: Vec<String> = names.iter().take(10).map(|name| format!("{name:?}")).collect();
    if names.len() > list.len() {
        list.push(format!("and {} more", names.len() - list.len()));
    }
    list.join(", ")
}
