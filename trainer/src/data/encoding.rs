//! Bytes of a file to text: UTF-8, and good reasons where they are not.

use super::TableError;
use std::path::Path;

/// `bytes`, the content of `path`, as text without a byte-order mark.
///
/// # Errors
///
/// Where they are UTF-16 or UTF-32, hold a NUL or are not UTF-8: with the line, the byte, and what they may be instead.
pub fn decode<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, TableError> {
    if let Some((sign, encoding)) = wide(bytes) {
        return Err(TableError::Utf16 { path: path.to_owned(), sign, encoding });
    }
    let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        let (line, column) = place(body, at);
        TableError::NotUtf8 { path: path.to_owned(), line, column, byte: body[at], guess: guess(body, at) }
    })?;
    match body.iter().position(|byte| *byte == 0) {
        None => Ok(text),
        Some(at) => {
            let (line, column) = place(body, at);
            Err(TableError::Nul { path: path.to_owned(), line, column })
        }
    }
}

/// The signs of an encoding with two or four bytes a character.
fn wide(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const MARK: &str = "it begins with a byte-order mark";
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some((MARK, "UTF-32")),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some((MARK, "UTF-16")),
        _ => {}
    }
    let head = &bytes[..bytes.len().min(256)];
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let most = |zeros: usize| head.len() >= 8 && zeros * 10 >= head.len() / 2 * 8;
    let sign = "every other byte is zero";
    match (most(zeros(0)), most(zeros(1))) {
        (true, false) => Some((sign, "UTF-16BE")),
        (false, true) => Some((sign, "UTF-16LE")),
        _ => None,
    }
}

/// The line of a byte and its place in the line, both from 1.
fn place(body: &[u8], at: usize) -> (u64, usize) {
    let before = &body[..at];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    (line, at - start + 1)
}

/// What the word around a wrong byte says in the encodings that most such files have.
///
/// Windows-1252 has letters, quotation marks and the euro where Latin-1 has control characters.
fn guess(body: &[u8], at: usize) -> Option<(&'static str, String)> {
    let part = |byte: &u8| !byte.is_ascii() || byte.is_ascii_alphanumeric();
    let start = at - body[..at].iter().rev().take_while(|byte| part(byte)).count().min(20);
    let word: Vec<u8> = body[start..].iter().copied().take_while(part).take(40).collect();
    // Most bytes above ASCII: another alphabet or a binary file, about which this says nothing.
    if word.iter().filter(|byte| !byte.is_ascii()).count() * 2 > word.len() {
        return None;
    }
    if word.iter().any(|byte| (0x80..0xa0).contains(byte)) {
        let text: Option<String> = word.iter().map(|byte| windows_1252(*byte)).collect();
        return text.map(|text| ("windows-1252", text));
    }
    Some(("latin1", word.iter().map(|byte| char::from(*byte)).collect()))
}

/// <https://encoding.spec.whatwg.org/index-windows-1252.txt>; `None` for the five bytes that have no character.
fn windows_1252(byte: u8) -> Option<char> {
    const HIGH: [char; 32] = [
        '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”',
        '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
    ];
    let c = if (0x80..0xa0).contains(&byte) { HIGH[usize::from(byte - 0x80)] } else { char::from(byte) };
    (c != '\0').then_some(c)
}
