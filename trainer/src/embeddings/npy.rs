//! Reading of embeddings from a NumPy array with one row for each word, and from the list of words beside it.

use super::vector_search::VectorSearch;
use crate::file_error::FileError;
use std::path::Path;

/// Offers every word of the list with its vector to `search`. `path`: the array; the list has the same name with the
/// extension `.txt`. Returns the length of a vector and the number of words.
pub(super) fn read(path: &Path, search: &mut VectorSearch<'_>) -> anyhow::Result<(usize, usize)> {
    let wrong = |problem: String| anyhow::Error::from(FileError::new(path, problem));
    let bytes = std::fs::read(path).map_err(FileError::at(path))?;
    let array = NpyArray::parse(&bytes).map_err(|found| {
        let expected = "expected an array [words, numbers] of float32 or float64 by numpy.save";
        FileError::new(path, format!("{found}; {expected}"))
    })?;
    let list = path.with_extension("txt");
    let words = std::fs::read_to_string(&list).map_err(FileError::at(&list))?;
    let words: Vec<&str> = words.lines().collect();
    let [rows, width] = array.shape;
    if words.len() != rows || width == 0 {
        let found = format!("{rows} rows of {width}, but {} words in {}", words.len(), list.display());
        return Err(wrong(format!("{found}; expected one word on each line for each row, and no empty rows")));
    }
    for (row, word) in words.iter().enumerate() {
        search.offer(word, || {
            let vector: Vec<f32> = (0..width).map(|column| array.at(row, column)).collect();
            match vector.iter().find(|value| !value.is_finite()) {
                Some(value) => Err(wrong(format!("the vector of {word:?} contains {value}, expected finite numbers"))),
                None => Ok(vector),
            }
        })?;
    }
    Ok((width, rows))
}

/// A two-dimensional array of float32 or float64 in NumPy's file format, versions 1 to 3.
struct NpyArray<'b> {
    /// `[rows, width]`
    shape: [usize; 2],
    /// True if the array is in column-major order.
    column_major: bool,
    /// The length of a number in bytes: 4 (float32) or 8 (float64).
    number_bytes: usize,
    /// The numbers, little-endian.
    data: &'b [u8],
}

impl<'b> NpyArray<'b> {
    /// Parses a file. The error describes the unsupported content.
    fn parse(bytes: &'b [u8]) -> Result<Self, String> {
        const INCOMPLETE: &str = "the header is incomplete";
        // The file has a mark, two bytes of version, the length of the header, the header, and the numbers.
        let after_mark = bytes.strip_prefix(b"\x93NUMPY").ok_or("not NumPy's format")?;
        let ([major, _minor], after_version) = after_mark.split_first_chunk::<2>().ok_or("not NumPy's format")?;
        // The length has 2 bytes in version 1, and 4 in later ones.
        let (header_length, after_length) = if *major == 1 {
            let (length, after) = after_version.split_first_chunk().ok_or(INCOMPLETE)?;
            (usize::from(u16::from_le_bytes(*length)), after)
        } else {
            let (length, after) = after_version.split_first_chunk().ok_or(INCOMPLETE)?;
            (u32::from_le_bytes(*length) as usize, after)
        };
        let (header, data) = after_length.split_at_checked(header_length).ok_or(INCOMPLETE)?;
        // The header is a Python dictionary: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }`.
        let header = String::from_utf8_lossy(header);
        // Returns the header from the value of a key on.
        let value = |key: &str| -> Result<&str, String> {
            let after_key = header.split_once(&format!("'{key}':")).map(|(_, after_key)| after_key.trim_start());
            after_key.ok_or_else(|| format!("no {key} in the header"))
        };
        let number_bytes = match value("descr")? {
            descr if descr.starts_with("'<f4'") => 4,
            descr if descr.starts_with("'<f8'") => 8,
            descr => return Err(format!("numbers of type {}", descr.split(',').next().unwrap_or(descr))),
        };
        let shape = value("shape")?.trim_start_matches('(').split(')').next().unwrap_or_default();
        let sizes: Result<Vec<usize>, _> =
            shape.split(',').map(str::trim).filter(|size| !size.is_empty()).map(str::parse).collect();
        let Ok(&[rows, width]) = sizes.as_deref() else {
            return Err(format!("an array of shape ({shape})"));
        };
        let column_major = value("fortran_order")?.starts_with("True");
        let expected = rows.checked_mul(width).and_then(|count| count.checked_mul(number_bytes));
        if expected != Some(data.len()) {
            let array = format!("an array of {rows} rows of {width} numbers of {number_bytes} bytes");
            return Err(format!("{} bytes for {array}", data.len()));
        }
        Ok(NpyArray { shape: [rows, width], column_major, number_bytes, data })
    }

    /// Returns the number at a row and a column.
    fn at(&self, row: usize, column: usize) -> f32 {
        let [rows, width] = self.shape;
        let index = if self.column_major { column * rows + row } else { row * width + column };
        let number = &self.data[index * self.number_bytes..][..self.number_bytes];
        // A float64 has 8 bytes, a float32 has 4.
        match number.first_chunk::<8>() {
            Some(bytes) => f64::from_le_bytes(*bytes) as f32,
            None => f32::from_le_bytes([number[0], number[1], number[2], number[3]]),
        }
    }
}
