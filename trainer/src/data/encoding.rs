//! Reads a file as UTF-8 text. The error for another file names its probable format (an archive, a spreadsheet) or
//! encoding.

use crate::file_error::FileError;
use encoding_rs::WINDOWS_1252;
use std::path::Path;

/// Formats that are often mistaken for tables or texts: the first bytes of such a file, its format, and what to do.
const BINARY_FORMATS: [(&[u8], &str, &str); 12] = [
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet (.xlsx, .ods)", "unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet (.xls)", "save the sheet as CSV"),
    (b"\x1f\x8b", "compressed by gzip", "unpack it with `gunzip`"),
    (b"BZh", "compressed by bzip2", "unpack it with `bunzip2`"),
    (b"\xfd7zXZ", "compressed by xz", "unpack it with `unxz`"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it with `unzstd`"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it with `7z x`"),
    (b"PAR1", "a Parquet file", "name it .parquet"),
    (b"ARROW1", "an Arrow file", "write it as CSV or Parquet"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"%PDF-", "a PDF", "save its text"),
    (b"\x93NUMPY", "a NumPy array", "save it as CSV"),
];

/// Reads a UTF-8 file, without its byte-order mark. Fails if the file cannot be read, is binary, holds a NUL, or is not
/// UTF-8. The error names the probable format or encoding, and the line and the byte of a faulty character.
pub fn read(path: &Path) -> Result<String, FileError> {
    decode(path, std::fs::read(path).map_err(FileError::at(path))?)
}

/// Decodes the bytes of the file at `path`.
fn decode(path: &Path, mut bytes: Vec<u8>) -> Result<String, FileError> {
    if let Some((_, format, advice)) = BINARY_FORMATS.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        let problem = format!("the file is {format}, expected UTF-8 text; {advice}");
        return Err(FileError::new(path, problem));
    }
    if let Some((evidence, encoding)) = wide_encoding(&bytes) {
        let advice = format!("convert it: `iconv -f {encoding} -t utf-8`");
        return Err(FileError::new(path, format!("{evidence}: the file is {encoding}, expected UTF-8; {advice}")));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let (position, body) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let (line, column) = place(body, position);
        let (encoding, word) = match guess(body, position) {
            Some((encoding, word)) => (encoding, format!(" (as {encoding} it reads {word:?})")),
            // A placeholder, for which the user fills in the encoding.
            None => ("ENCODING", String::new()),
        };
        let problem = format!(
            "line {line}, byte {column} of the line: 0x{:02x} is not UTF-8, expected a UTF-8 file{word}; \
             convert it: `iconv -f {encoding} -t utf-8`",
            body[position]
        );
        FileError::new(path, problem)
    })?;
    match text.bytes().position(|byte| byte == 0) {
        None => Ok(text),
        Some(position) => {
            let (line, column) = place(text.as_bytes(), position);
            let expected = "expected text; the file is binary or damaged";
            Err(FileError::new(path, format!("line {line}, byte {column} of the line: a NUL byte, {expected}")))
        }
    }
}

/// Recognises UTF-16 and UTF-32 by a byte-order mark, and UTF-16 also by zeros in at least 80 % of either the even or
/// the odd places of the first 256 bytes. Returns the evidence and the encoding's name for `iconv`; `None` for other
/// files.
fn wide_encoding(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const MARK: &str = "it begins with a byte-order mark";
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some((MARK, "UTF-32")),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some((MARK, "UTF-16")),
        _ => {}
    }
    let head = &bytes[..bytes.len().min(256)];
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    // At least 80 % of the even or of the odd places. A shorter file has too few bytes to decide.
    let are_most = |zeros: usize| head.len() >= 8 && zeros * 10 >= head.len() / 2 * 8;
    let evidence = "every other byte is zero";
    match (are_most(zeros(0)), are_most(zeros(1))) {
        (true, false) => Some((evidence, "UTF-16BE")),
        (false, true) => Some((evidence, "UTF-16LE")),
        _ => None,
    }
}

/// Returns the line of the byte at `position`, and the byte's position in the line, both from 1.
fn place(body: &[u8], position: usize) -> (u64, usize) {
    let before = &body[..position];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    (line, position - start + 1)
}

/// Guesses the encoding from the word around the byte at `position`. Returns the encoding's name for `iconv` and the
/// decoded word, cut to 40 bytes of which at most 20 are before the position; `None` if several encodings are possible.
fn guess(body: &[u8], position: usize) -> Option<(&'static str, String)> {
    let is_in_word = |byte: &u8| !byte.is_ascii() || byte.is_ascii_alphanumeric();
    let bytes_before = body[..position].iter().rev().take_while(|byte| is_in_word(byte)).count();
    let start = position - bytes_before.min(20);
    let word: Vec<u8> = body[start..].iter().copied().take_while(is_in_word).take(40).collect();
    let (latin, _) = WINDOWS_1252.decode_without_bom_handling(&word);
    // A word that is more than half non-ASCII belongs to another alphabet: several encodings are possible.
    if word.iter().filter(|byte| !byte.is_ascii()).count() * 2 > word.len() {
        return None;
    }
    // Latin-1 has control characters where Windows-1252 has quotation marks, dashes and the euro. The decoder maps
    // the five undefined bytes of Windows-1252 to control characters.
    match word.iter().any(|byte| (0x80..0xa0).contains(byte)) {
        false => Some(("latin1", latin.into_owned())),
        true if latin.chars().any(char::is_control) => None,
        true => Some(("windows-1252", latin.into_owned())),
    }
}
