//! Texts that share the memory of the file that they were read from.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A text: either a range of a file's content, which all texts of the file share, or a separate string. A range takes
/// 24 bytes and no copy of the characters. A clone never copies them.
#[derive(Clone)]
pub struct Text {
    content: Arc<String>,
    range: Range<usize>,
}

impl Text {
    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.content[self.range.clone()]
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text { range: 0..text.len(), content: Arc::new(text) }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A part of a file, such as a row, whose fields can become [`Text`]s without a copy.
#[derive(Debug)]
pub struct Part<'a> {
    /// The content of the file.
    pub content: &'a Arc<String>,
    /// The bytes of the part.
    pub range: Range<usize>,
}

impl Part<'_> {
    /// Returns `field` as a text that shares the file's content, if its characters occur in the part; otherwise, for
    /// example after an escape, as a copy.
    pub fn text(&self, field: &str) -> Text {
        match self.content[self.range.clone()].find(field) {
            Some(place) => {
                let start = self.range.start + place;
                Text { content: Arc::clone(self.content), range: start..start + field.len() }
            }
            None => field.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_share_the_content_unless_they_were_escaped() {
        let content = Arc::new("a,b\n\"say \"\"hé\"\"\",b\n".to_owned());
        let row = Part { content: &content, range: 4..content.len() };
        for (field, shared) in [("b", true), ("say ", true), ("", true), ("say \"hé\"", false), ("a,b", false)] {
            let text = row.text(field);
            assert_eq!((text.as_str(), Arc::ptr_eq(&text.content, &content)), (field, shared));
            assert_eq!(text, Text::from(field));
        }
        assert!(row.text("b").range.start > 4);
    }
}
