//! Functions that make text from files of unknown origin safe and short for display.

/// Returns true for characters that control a terminal or change the direction of the text after them.
pub fn is_control(c: char) -> bool {
    // U+202A … U+202E and U+2066 … U+2069 change the direction.
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text with its control characters escaped.
pub fn visible(text: &str) -> String {
    text.chars().map(|c| if is_control(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// A text cut to at most `characters` characters, including the `…` at its end if it was longer.
pub fn shorten(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

/// The first `characters` characters of a text, followed by `…` if there are more.
pub fn excerpt(text: &str, characters: usize) -> String {
    let mut cut: String = text.chars().take(characters).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// Returns up to ten names in quotation marks, separated by commas.
pub(crate) fn quoted(names: &[String]) -> String {
    let mut list: Vec<String> = names.iter().take(10).map(|name| format!("{name:?}")).collect();
    if names.len() > list.len() {
        list.push(format!("and {} more", names.len() - list.len()));
    }
    list.join(", ")
}
