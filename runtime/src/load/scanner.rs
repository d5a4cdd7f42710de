//! The strict scanner of a device file's safetensors header.
//!
//! It reads the JSON entry by entry, and stores only the current entry: a key of the metadata with its value, or a
//! tensor. `docs/format.md` specifies the JSON that it accepts; tests compare it with the safetensors library. Names
//! and values are represented by their hashes.
//!
//! ```text
//! {"__metadata__":{"tern.cell":"lstm",…},"fc.weight":{"dtype":"I8","shape":[5,64],"data_offsets":[0,320]},…}
//! ```

use crate::load::file::{EntryPlace, Expected, Fault, File};
use crate::load::name_hash::NameHash;
use tern_format::limits::HEADER_BYTES;

/// The number of bytes of the field at the beginning of a file that gives the length of the JSON.
const LENGTH_BYTES: usize = 8;

/// An entry of the header: a key of the metadata, or a tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// The offset in the file of the quote before the entry's name.
    pub at: usize,
    /// The index of the entry among all keys and tensors.
    pub number: usize,
    /// True for a key of the metadata, false for a tensor.
    pub is_key: bool,
    pub name: NameHash,
    /// The value of a key, or the element type of a tensor.
    pub value: NameHash,
    /// The shape of a tensor. Dimensions beyond its rank are 0; a rank above 3 is refused.
    pub shape: [u32; 3],
    /// The beginning of a tensor's byte range, counted from the end of the header: the end of the previous tensor's
    /// range, or 0.
    pub begin: usize,
    /// The end of the range.
    pub end: usize,
}

/// Splits the file into its header and its data, and stores both in `file`.
pub(crate) fn read_header(file: &mut File<'_>) {
    let Some(field) = file.bytes.first_chunk::<LENGTH_BYTES>() else {
        return file.refuse(Fault::Truncated { expected: LENGTH_BYTES });
    };
    let json_length = u64::from_le_bytes(*field);
    // The loader may scan the header once for each entry that it looks up, so the limit bounds the time of a load.
    if json_length % 8 != 0 || json_length > *HEADER_BYTES.end() as u64 {
        return file.refuse(Fault::Header { at: 0, expected: Expected::Length });
    }
    let expected = json_length as usize + LENGTH_BYTES;
    match file.bytes.split_at_checked(expected) {
        Some((header, data)) => (file.header, file.data) = (header, data),
        None => file.refuse(Fault::Truncated { expected }),
    }
}

/// A position in the header, and the entry that ends there.
pub(crate) struct Scanner<'f, 'a> {
    file: &'f File<'a>,
    /// The offset in the file of the next byte to read.
    at: usize,
    /// True before the first entry of a JSON object, so that no comma is expected.
    is_first: bool,
    /// True after [`read_at`](Scanner::read_at): the end of the previous tensor is unknown.
    has_jumped: bool,
    /// The current entry.
    pub entry: Entry,
}

impl<'f, 'a> Scanner<'f, 'a> {
    /// A scanner before the first entry.
    #[inline(never)]
    pub(crate) fn new(file: &'f File<'a>) -> Self {
        let none = NameHash::EMPTY;
        // The first entry adds 1, which wraps to 0.
        let number = usize::MAX;
        let entry = Entry { at: 0, number, is_key: false, name: none, value: none, shape: [0; 3], begin: 0, end: 0 };
        Scanner { file, at: LENGTH_BYTES, is_first: true, has_jumped: false, entry }
    }

    /// The place of the current entry.
    pub(crate) fn place(&self) -> EntryPlace {
        EntryPlace { at: self.entry.at as u16, is_key: self.entry.is_key }
    }

    /// Reads the entry with the index `number` at its place, which an earlier scan has found.
    pub(crate) fn read_at(&mut self, number: usize, place: EntryPlace) {
        (self.at, self.is_first, self.has_jumped) = (place.at.into(), true, true);
        (self.entry.number, self.entry.is_key) = (number.wrapping_sub(1), place.is_key);
        self.next();
    }

    /// Moves to the next entry. Returns false at the end of the header, or after a fault.
    pub(crate) fn next(&mut self) -> bool {
        if self.at == LENGTH_BYTES {
            self.expect("{");
        }
        while !self.file.is_refused() {
            // The end of the metadata, or else of the header. The metadata may be empty; the header has at least one
            // entry.
            if (self.entry.is_key || !self.is_first) && self.take(b'}') {
                self.is_first = false;
                if !self.entry.is_key {
                    self.spaces();
                    return false;
                }
                self.entry.is_key = false;
                continue;
            }
            if !self.is_first {
                self.expect(",");
            }
            self.is_first = false;
            self.entry.at = self.at;
            self.entry.name = self.string();
            if self.entry.is_key {
                self.expect(":");
                self.entry.value = self.string();
            } else {
                self.expect(":{");
                const METADATA: NameHash = NameHash::of("__metadata__");
                // The object with this name is no tensor: its first key follows.
                if self.entry.name == METADATA {
                    (self.entry.is_key, self.is_first) = (true, true);
                    continue;
                }
                self.tensor();
            }
            self.entry.number = self.entry.number.wrapping_add(1);
            return !self.file.is_refused();
        }
        false
    }

    /// Reads the description of a tensor, after its opening brace.
    fn tensor(&mut self) {
        self.expect("\"dtype\":");
        self.entry.value = self.string();
        self.expect(",\"shape\":[");
        self.entry.shape = [0; 3];
        for index in 0..3 {
            if index > 0 && !self.take(b',') {
                break;
            }
            let at = self.at;
            let dimension = self.number();
            if dimension == 0 {
                self.refuse(at, Expected::Dimension);
            }
            self.entry.shape[index] = dimension;
        }
        self.expect("],\"data_offsets\":[");
        self.entry.begin = self.number() as usize;
        self.expect(",");
        let end = self.number() as usize;
        self.expect("]}");
        // `entry.end` is still the end of the previous tensor, or 0 at the first; after `read_at` it is unknown.
        let has_gap = self.entry.begin != self.entry.end && !self.has_jumped;
        if has_gap || end < self.entry.begin {
            self.file.refuse(Fault::ByteRange { at: self.entry.at });
        }
        self.entry.end = end;
    }

    /// Records a fault of the header at the offset `at`.
    fn refuse(&self, at: usize, expected: Expected) {
        self.file.refuse(Fault::Header { at, expected });
    }

    /// Skips `byte` if it is the next one. Returns true if it was.
    #[inline(never)]
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.file.header.get(self.at) == Some(&byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Skips `literal`. Records a fault if it is not next.
    #[inline(never)]
    fn expect(&mut self, literal: &'static str) {
        let at = self.at;
        for &byte in literal.as_bytes() {
            if !self.take(byte) {
                self.refuse(at, Expected::Literal(literal));
            }
        }
    }

    /// Reads a string of printable ASCII without escapes, and returns its hash.
    fn string(&mut self) -> NameHash {
        self.expect("\"");
        let mut name_hash = NameHash::EMPTY;
        while let Some(&byte @ b' '..=b'~') = self.file.header.get(self.at)
            && !matches!(byte, b'"' | b'\\')
        {
            name_hash = name_hash.with(byte);
            self.at += 1;
        }
        self.expect("\"");
        name_hash
    }

    /// Reads a decimal number without leading zeros, at most 2^31 − 9: the limit is checked before the last digit is
    /// known. Records a fault and returns 0 if there is no such number.
    #[inline(never)]
    fn number(&mut self) -> u32 {
        let at = self.at;
        let mut number = 0u32;
        while let Some(digit @ b'0'..=b'9') = self.file.header.get(self.at) {
            if number > (0x7fff_ffff - 9) / 10 || (number == 0 && self.at > at) {
                self.refuse(at, Expected::SmallNumber);
                return 0;
            }
            number = number * 10 + u32::from(digit - b'0');
            self.at += 1;
        }
        if self.at == at {
            self.refuse(at, Expected::Number);
        }
        number
    }

    /// Reads the spaces that fill the header to its end.
    fn spaces(&mut self) {
        while self.take(b' ') {}
        if self.at != self.file.header.len() {
            self.refuse(self.at, Expected::Spaces);
        }
    }
}

/// The bytes of the string whose opening quote is at the offset `at` of the file, without the quotes.
pub(crate) fn string_at<'a>(file: &File<'a>, at: usize) -> &'a [u8] {
    let after_quote = file.header.get(at + 1..).unwrap_or(&[]);
    let length = after_quote.iter().position(|&byte| byte == b'"').unwrap_or(after_quote.len());
    after_quote.get(..length).unwrap_or(&[])
}
