//! Embeddings in text files with a word and its numbers on each line, as of GloVe and word2vec.

use super::vector_search::VectorSearch;
use anyhow::anyhow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Reads the vectors. Returns their width and the number of words in the file.
pub(super) fn read(path: &Path, search: &mut VectorSearch<'_>) -> anyhow::Result<(usize, usize)> {
    let io = |error: std::io::Error| anyhow!("{}: {error}", path.display());
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(io)?);
    let (mut width, mut words, mut number) = (0, 0, 0);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).map_err(io)? > 0 {
        number += 1;
        // In some files a long word ends within a UTF-8 character.
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        let problem = |problem: String| anyhow!("{}, line {number}: {problem}", path.display());
        let is_header =
            number == 1 && text.split(' ').count() == 2 && text.split(' ').all(|n| n.parse::<u32>().is_ok());
        if is_header {
            width = text.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
        } else if !text.is_empty() {
            if width == 0 {
                // The numbers at the end of the line are the vector; at least one field is the word.
                let fields: Vec<&str> = text.split([' ', '\t']).collect();
                let numbers = fields.iter().rev().take_while(|field| field.parse::<f32>().is_ok()).count();
                width = numbers.min(fields.len() - 1);
                if width == 0 {
                    return Err(problem(format!("{:?}…, expected a word and its numbers", start(text))));
                }
            }
            // Split from the end, because some words of GloVe contain spaces.
            let mut fields = text.rsplitn(width + 1, [' ', '\t']);
            let numbers: Vec<&str> = fields.by_ref().take(width).collect();
            let Some(word) = fields.next().filter(|_| numbers.len() == width) else {
                let found = text.split([' ', '\t']).count() - 1;
                return Err(problem(format!("{found} numbers after {:?}, expected {width}", start(text))));
            };
            words += 1;
            search.offer(word, || {
                let parse = |field: &&str| match field.parse::<f32>() {
                    Ok(value) if value.is_finite() => Ok(value),
                    _ => Err(problem(format!("{field:?} after {word:?}, expected a finite number"))),
                };
                numbers.iter().rev().map(parse).collect()
            })?;
        }
        line.clear();
    }
    Ok((width, words))
}

/// The first 24 characters of a line.
fn start(text: &str) -> String {
    text.chars().take(24).collect()
}
