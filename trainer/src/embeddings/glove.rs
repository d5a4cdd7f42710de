//! Reading of embeddings from text files with a word and its numbers on each line, the format of GloVe and word2vec.

use super::vector_search::VectorSearch;
use crate::file_error::FileError;
use anyhow::anyhow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Offers every word of the file with its vector to `search`. Returns the length of a vector and the number of words.
/// Fails if a line has too few numbers, or the vector of a token has one that is not a finite number.
pub(super) fn read(path: &Path, search: &mut VectorSearch<'_>) -> anyhow::Result<(usize, usize)> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(FileError::at(path))?);
    let (mut width, mut words, mut line_number) = (0, 0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(FileError::at(path))? == 0 {
            return Ok((width, words));
        }
        line_number += 1;
        // In some files long words are cut in the middle of a UTF-8 character.
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        let wrong = |problem: String| anyhow!("{}, line {line_number}: {problem}", path.display());
        if text.is_empty() {
            continue;
        }
        if line_number == 1
            && let Some(header_width) = header_width(text)
        {
            width = header_width;
            continue;
        }
        if width == 0 {
            // The numbers at the end of the first line are the vector; the first field is always the word.
            let fields: Vec<&str> = text.split([' ', '\t']).collect();
            let numbers = fields.iter().rev().take_while(|field| field.parse::<f32>().is_ok()).count();
            width = numbers.min(fields.len() - 1);
            if width == 0 {
                return Err(wrong(format!("{:?}…, expected a word and its numbers", start(text))));
            }
        }
        // Split from the end, because some words of GloVe contain spaces. So the last number comes first, and the word
        // after `width` numbers.
        let mut fields = text.rsplitn(width + 1, [' ', '\t']);
        let numbers: Vec<&str> = fields.by_ref().take(width).collect();
        let Some(word) = fields.next() else {
            let found = text.split([' ', '\t']).count() - 1;
            return Err(wrong(format!("{found} numbers after {:?}, expected {width}", start(text))));
        };
        words += 1;
        search.offer(word, || {
            let parse = |field: &&str| match field.parse::<f32>() {
                Ok(value) if value.is_finite() => Ok(value),
                _ => Err(wrong(format!("{field:?} after {word:?}, expected a finite number"))),
            };
            numbers.iter().rev().map(parse).collect()
        })?;
    }
}

/// Returns the length of a vector if a file's first line consists of two integers: the number of words and this length.
fn header_width(text: &str) -> Option<usize> {
    let (words, width) = text.split_once(' ')?;
    words.parse::<u32>().ok()?;
    Some(width.parse::<u32>().ok()? as usize)
}

/// Returns the beginning of a line, for error messages.
fn start(text: &str) -> String {
    text.chars().take(24).collect()
}
