//! The strict scanner of a device file's safetensors header.
//!
//! It keeps nothing: it walks the JSON once and gives the entries in order. What it accepts is in `docs/format.md`; the safetensors
//! library is its oracle in tests.

use crate::error::{LoadError, Name};

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
        Dtype::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    const ALL: [Dtype; 6] = [Dtype::U8, Dtype::I8, Dtype::I16, Dtype::U32, Dtype::I32, Dtype::F32];
}

/// One thing that the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    Metadata { key: &'a str, value: &'a str },
    Tensor(TensorInfo<'a>),
}

/// Where a tensor lies. Dimensions beyond its rank are 0, a rank above 3 is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TensorInfo<'a> {
    pub name: &'a str,
    /// Where its entry stands in the file: see [`tensor_at`].
    pub at: usize,
    pub dtype: Dtype,
    pub shape: [u32; 3],
    /// Byte range from the end of the header.
    pub begin: usize,
    pub end: usize,
}

/// Length in bytes of the header with its length field: where tensors begin.
pub(crate) fn header_len(bytes: &[u8]) -> Result<usize, LoadError> {
    let found = bytes.len();
    let Some(field) = bytes.first_chunk::<8>() else {
        return Err(LoadError::Truncated { found, expected: 8 });
    };
    match usize::try_from(u64::from_le_bytes(*field)) {
        Ok(n) if n % 8 == 0 && n < 1 << 24 => match n + 8 {
            expected if expected > found => Err(LoadError::Truncated { found, expected }),
            expected => Ok(expected),
        },
        _ => Err(LoadError::Header { at: 0, expected: "a header length that is a multiple of 8 and below 2^24" }),
    }
}

/// Reads one entry again, by its [`TensorInfo::at`].
pub(crate) fn tensor_at(bytes: &[u8], at: usize) -> Result<TensorInfo<'_>, LoadError> {
    let mut scanner = Scanner::new(bytes)?;
    scanner.at = at;
    let name = scanner.string()?;
    scanner.expect(":{")?;
    scanner.tensor(name, at)
}

/// Walks the header of a file whose [`header_len`] is known to be good.
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    InMetadata { first: bool },
    BetweenEntries,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, LoadError> {
        let end = header_len(bytes)?;
        Ok(Scanner { bytes: bytes.get(..end).unwrap_or(bytes), at: 8, place: Place::Start })
    }

    /// The next entry; `None` when the header has ended as it should.
    pub(crate) fn next(&mut self) -> Result<Option<Entry<'a>>, LoadError> {
        loop {
            match self.place {
                Place::Start => self.expect("{")?,
                Place::InMetadata { first } => {
                    if self.take("}") {
                        self.place = Place::BetweenEntries;
                        continue;
                    }
                    if !first {
                        self.expect(",")?;
                    }
                    self.place = Place::InMetadata { first: false };
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
            if name != "__metadata__" {
                self.place = Place::BetweenEntries;
                return Ok(Some(Entry::Tensor(self.tensor(name, at)?)));
            }
            self.place = Place::InMetadata { first: true };
        }
    }

    fn tensor(&mut self, name: &'a str, entry: usize) -> Result<TensorInfo<'a>, LoadError> {
        self.expect("\"dtype\":")?;
        let at = self.at;
        let word = self.string()?;
        let Some(&dtype) = Dtype::ALL.iter().find(|d| d.name() == word) else {
            return Err(LoadError::Header { at, expected: "a type among U8, I8, I16, U32, I32, F32" });
        };
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
                return Err(LoadError::Header { at, expected: "a dimension of at least 1" });
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
            return Err(LoadError::Place(Name::new(name)));
        }
        Ok(TensorInfo { name, at: entry, dtype, shape, begin, end })
    }

    /// Steps over `literal` if it stands here.
    fn take(&mut self, literal: &str) -> bool {
        let here = self.bytes.get(self.at..).unwrap_or(&[]).starts_with(literal.as_bytes());
        self.at += if here { literal.len() } else { 0 };
        here
    }

    fn expect(&mut self, literal: &'static str) -> Result<(), LoadError> {
        match self.take(literal) {
            true => Ok(()),
            false => Err(LoadError::Header { at: self.at, expected: literal }),
        }
    }

    /// A string of printable ASCII without escapes.
    fn string(&mut self) -> Result<&'a str, LoadError> {
        self.expect("\"")?;
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let length =
            rest.iter().position(|&b| !matches!(b, b' '..=b'~') || matches!(b, b'"' | b'\\')).unwrap_or(rest.len());
        let text = rest.get(..length).and_then(|b| core::str::from_utf8(b).ok()).unwrap_or("");
        self.at += length;
        self.expect("\"")?;
        Ok(text)
    }

    /// A decimal number below 2^31 without leading zeros.
    fn number(&mut self) -> Result<u32, LoadError> {
        let at = self.at;
        let mut number = 0u32;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            if number > (0x7fff_ffff - 9) / 10 || (number == 0 && self.at > at) {
                return Err(LoadError::Header { at, expected: "a number below 2^31 without leading zeros" });
            }
            number = number * 10 + u32::from(digit - b'0');
            self.at += 1;
        }
        match self.at > at {
            true => Ok(number),
            false => Err(LoadError::Header { at, expected: "a number" }),
        }
    }

    fn spaces(&self) -> Result<(), LoadError> {
        match self.bytes.get(self.at..).unwrap_or(&[]).iter().position(|&b| b != b' ') {
            Some(skip) => Err(LoadError::Header { at: self.at + skip, expected: "spaces to the header's end" }),
            None => Ok(()),
        }
    }
}
