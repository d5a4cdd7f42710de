//! The strict scanner of a device file's safetensors header.
//!
//! It keeps nothing: it walks the JSON once and gives the entries in order. What it accepts is in `docs/format.md`; the safetensors
//! library is its oracle in tests.

use crate::fault::{Checked, Expected, Fault, File};

/// An element type of safetensors that device files use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// Bytes, of texts.
    U8,
    /// Weights.
    I8,
    /// Multipliers.
    I16,
    /// Offsets of texts.
    U32,
    /// Biases and logits.
    I32,
    /// Scales, for hosts.
    F32,
}

impl Dtype {
    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            Dtype::U8 | Dtype::I8 => 1,
            Dtype::I16 => 2,
            Dtype::U32 | Dtype::I32 | Dtype::F32 => 4,
        }
    }

    /// As safetensors writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Dtype::U8 => "U8",
            Dtype::I8 => "I8",
            Dtype::I16 => "I16",
            Dtype::U32 => "U32",
            Dtype::I32 => "I32",
            Dtype::F32 => "F32",
        }
    }

    /// The type of this name; none if device files do not use it.
    #[cfg(any(test, feature = "write"))]
    pub fn from_name(name: &str) -> Option<Self> {
        Dtype::of(name.as_bytes())
    }

    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"U8" => Dtype::U8,
            b"I8" => Dtype::I8,
            b"I16" => Dtype::I16,
            b"U32" => Dtype::U32,
            b"I32" => Dtype::I32,
            b"F32" => Dtype::F32,
            _ => return None,
        })
    }
}

/// One thing that the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    Metadata { key: &'a [u8], value: &'a [u8] },
    Tensor(TensorInfo<'a>),
}

/// Where a tensor lies. Dimensions beyond its rank are 0, a rank above 3 is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TensorInfo<'a> {
    pub name: &'a [u8],
    /// Where its entry stands in the file: see [`tensor_at`].
    pub at: usize,
    pub dtype: Dtype,
    pub shape: [u32; 3],
    /// Byte range from the end of the header.
    pub begin: usize,
    pub end: usize,
}

/// Finds the file's header, and what follows it.
pub(crate) fn read_header(file: &mut File<'_>) -> Checked<()> {
    let Some(field) = file.bytes.first_chunk::<8>() else {
        return file.refuse(Fault::Truncated { expected: 8 });
    };
    let n = u64::from_le_bytes(*field);
    if n % 8 != 0 || n >= 1 << 24 {
        return file.refuse(Fault::Header { at: 0, expected: Expected::Length });
    }
    let expected = n as usize + 8;
    let Some((header, data)) = file.bytes.split_at_checked(expected) else {
        return file.refuse(Fault::Truncated { expected });
    };
    (file.header, file.data) = (header, data);
    Ok(())
}

/// Reads one entry again, by its [`TensorInfo::at`].
pub(crate) fn tensor_at<'a>(file: &File<'a>, at: usize) -> Checked<TensorInfo<'a>> {
    let mut scanner = Scanner { at, ..Scanner::new(file) };
    let name = scanner.string()?;
    scanner.expect(":{")?;
    scanner.tensor(name, at)
}

/// Walks the header.
pub(crate) struct Scanner<'f, 'a> {
    file: &'f File<'a>,
    at: usize,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    MetadataStart,
    InMetadata,
    BetweenEntries,
}

impl<'f, 'a> Scanner<'f, 'a> {
    pub(crate) fn new(file: &'f File<'a>) -> Self {
        Scanner { file, at: 8, place: Place::Start }
    }

    /// The next entry; `None` when the header has ended as it should.
    pub(crate) fn next(&mut self) -> Checked<Option<Entry<'a>>> {
        loop {
            match self.place {
                Place::Start => self.expect("{")?,
                Place::MetadataStart | Place::InMetadata => {
                    if self.take("}") {
                        self.place = Place::BetweenEntries;
                        continue;
                    }
                    if self.place == Place::InMetadata {
                        self.expect(",")?;
                    }
                    self.place = Place::InMetadata;
                    let key = self.string()?;
                    self.expect(":")?;
                    return Ok(Some(Entry::Metadata { key, value: self.string()? }));
                }
                Place::BetweenEntries => {
                    if self.take("}") {
                        return self.spaces().map(|()| None);
                    }
                    self.expect(",")?;
                }
            }
            let at = self.at;
            let name = self.string()?;
            self.expect(":{")?;
            if name != b"__metadata__" {
                self.place = Place::BetweenEntries;
                return Ok(Some(Entry::Tensor(self.tensor(name, at)?)));
            }
            self.place = Place::MetadataStart;
        }
    }

    fn tensor(&mut self, name: &'a [u8], entry: usize) -> Checked<TensorInfo<'a>> {
        self.expect("\"dtype\":")?;
        let at = self.at;
        let word = self.string()?;
        let Some(dtype) = Dtype::of(word) else { return self.refuse(at, Expected::Type) };
        self.expect(",\"shape\":[")?;
        let mut shape = [0; 3];
        let mut size = Some(dtype.size());
        for (i, place) in shape.iter_mut().enumerate() {
            if i > 0 && !self.take(",") {
                break;
            }
            let at = self.at;
            let dimension = self.number()?;
            if dimension == 0 {
                return self.refuse(at, Expected::Dimension);
            }
            *place = dimension;
            size = size.and_then(|s| s.checked_mul(dimension as usize));
        }
        self.expect("],\"data_offsets\":[")?;
        let begin = self.number()? as usize;
        self.expect(",")?;
        let end = self.number()? as usize;
        self.expect("]}")?;
        if size.is_none() || end.checked_sub(begin) != size {
            return self.file.refuse(Fault::Place(name));
        }
        Ok(TensorInfo { name, at: entry, dtype, shape, begin, end })
    }

    fn refuse<T>(&self, at: usize, expected: Expected) -> Checked<T> {
        self.file.refuse(Fault::Header { at, expected })
    }

    fn rest(&self) -> &'a [u8] {
        self.file.header.get(self.at..).unwrap_or(&[])
    }

    /// Steps over `literal` if it stands here.
    fn take(&mut self, literal: &str) -> bool {
        let here = self.rest().starts_with(literal.as_bytes());
        self.at += if here { literal.len() } else { 0 };
        here
    }

    fn expect(&mut self, literal: &'static str) -> Checked<()> {
        if self.take(literal) { Ok(()) } else { self.refuse(self.at, Expected::Literal(literal)) }
    }

    /// A string of printable ASCII without escapes.
    fn string(&mut self) -> Checked<&'a [u8]> {
        self.expect("\"")?;
        let rest = self.rest();
        let is_end = |&b: &u8| !matches!(b, b' '..=b'~') || matches!(b, b'"' | b'\\');
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        self.at += length;
        self.expect("\"")?;
        Ok(rest.get(..length).unwrap_or(&[]))
    }

    /// A decimal number below 2^31 without leading zeros.
    fn number(&mut self) -> Checked<u32> {
        let at = self.at;
        let mut number = 0u32;
        while let Some(digit @ b'0'..=b'9') = self.file.header.get(self.at) {
            if number > (0x7fff_ffff - 9) / 10 || (number == 0 && self.at > at) {
                return self.refuse(at, Expected::SmallNumber);
            }
            number = number * 10 + u32::from(digit - b'0');
            self.at += 1;
        }
        if self.at > at { Ok(number) } else { self.refuse(at, Expected::Number) }
    }

    fn spaces(&self) -> Checked<()> {
        match self.rest().iter().position(|&b| b != b' ') {
            Some(skip) => self.refuse(self.at + skip, Expected::Spaces),
            None => Ok(()),
        }
    }
}
