//! A package: a device file, and optionally a trailer with its version and signature.
//!
//! | bytes of the trailer | contents |
//! |---|---|
//! | 0..8 | `TERNSIG1` |
//! | 8..12 | length of the device file |
//! | 12..16 | version of the model |
//! | 16..20 | CRC-32 of the device file and of bytes 0..16 |
//! | 20..28 | first bytes of the signer's public key |
//! | 28..32 | zeros |
//! | 32..96 | signature of the device file and of bytes 0..32 |
//!
//! `docs/update.md` explains them.

use ed25519_dalek::{Signature, VerifyingKey};
use tern_runtime::{Model, file_len};

use super::slot_error::SlotError;
use crate::crc32::crc32;

/// Length of a trailer in bytes.
pub const TRAILER_BYTES: usize = 96;
/// Length of a signature in bytes. It ends a package, and everything before it is signed.
pub const SIGNATURE_BYTES: usize = 64;
/// Length of a public key in bytes.
pub const KEY_BYTES: usize = 32;

const MAGIC: &[u8; 8] = b"TERNSIG1";
/// Offset in the trailer of the device file's length.
const LENGTH_AT: usize = 8;
/// Offset in the trailer of the version.
const VERSION_AT: usize = 12;
/// Offset in the trailer of the checksum, which covers the device file and all bytes of the trailer before this one.
const CHECKSUM_AT: usize = 16;
/// Offset in the trailer of the first bytes of the signer's public key.
const KEY_PREFIX_AT: usize = 20;
/// Length of the part of the public key that a trailer holds.
const KEY_PREFIX_BYTES: usize = 8;

/// Parses a public key of 64 hexadecimal digits.
const fn parse_hex_key(hex: Option<&str>) -> Option<[u8; KEY_BYTES]> {
    const fn digit(byte: u8) -> u8 {
        match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => panic!("a public key is 64 hexadecimal digits"),
        }
    }
    let Some(hex) = hex else { return None };
    let hex = hex.as_bytes();
    assert!(hex.len() == 2 * KEY_BYTES, "a public key is 64 hexadecimal digits");
    let mut key = [0; KEY_BYTES];
    let mut i = 0;
    while i < KEY_BYTES {
        key[i] = digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]);
        i += 1;
    }
    Some(key)
}

/// The public key that models must be signed with.
///
/// The key carries the function that verifies signatures, so that firmware without a key does not contain that code.
#[derive(Clone, Copy, Debug)]
pub struct TrustedKey {
    key: [u8; KEY_BYTES],
    verify: fn(&[u8; KEY_BYTES], &Trailer<'_>) -> Result<(), SlotError>,
}

impl TrustedKey {
    /// An Ed25519 key.
    pub const fn new(key: [u8; KEY_BYTES]) -> Self {
        TrustedKey { key, verify }
    }

    /// Parses 64 hexadecimal digits. Without text there is no key, and firmware without a key accepts unsigned models.
    ///
    /// # Panics
    /// If the text is not 64 hexadecimal digits. For a constant, this is a compile error.
    pub const fn from_hex(hex: Option<&str>) -> Option<Self> {
        match parse_hex_key(hex) {
            Some(key) => Some(TrustedKey::new(key)),
            None => None,
        }
    }
}

fn verify(key: &[u8; KEY_BYTES], trailer: &Trailer<'_>) -> Result<(), SlotError> {
    let verifier = VerifyingKey::from_bytes(key).map_err(|_| SlotError::BadKey)?;
    let signature = Signature::from_bytes(trailer.signature);
    verifier.verify_strict(trailer.signed, &signature).map_err(|_| SlotError::Signature)
}

/// The parts of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package<'p> {
    /// The device file.
    pub file: &'p [u8],
    /// The trailer; `None` for a device file without a signature.
    pub trailer: Option<Trailer<'p>>,
}

/// The trailer of a signed device file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer<'p> {
    /// The model's version counter.
    pub version: u32,
    /// The first bytes of the signer's public key.
    pub key_prefix: [u8; KEY_PREFIX_BYTES],
    /// All signed bytes.
    pub signed: &'p [u8],
    /// The signature.
    pub signature: &'p [u8; SIGNATURE_BYTES],
}

impl<'p> Package<'p> {
    /// Splits the bytes of a package into its parts.
    ///
    /// # Errors
    /// [`SlotError`] if a length or a checksum is wrong, or if the bytes after the device file are not a
    /// trailer.
    pub fn parse(bytes: &'p [u8]) -> Result<Self, SlotError> {
        let length = file_len(bytes)?;
        let (file, rest) = bytes
            .split_at_checked(length)
            .ok_or(SlotError::Length { found: bytes.len(), expected: [length, length + TRAILER_BYTES] })?;
        if rest.is_empty() {
            return Ok(Package { file, trailer: None });
        }
        let rest: &[u8; TRAILER_BYTES] = rest
            .try_into()
            .map_err(|_| SlotError::Length { found: bytes.len(), expected: [length, length + TRAILER_BYTES] })?;
        let (head, signature) = rest.split_at(TRAILER_BYTES - SIGNATURE_BYTES);
        let number = |at: usize| {
            let bytes: Option<[u8; 4]> = head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_le_bytes).ok_or(SlotError::Trailer)
        };
        if !head.starts_with(MAGIC) || number(LENGTH_AT)? as usize != length {
            return Err(SlotError::Trailer);
        }
        let checked = bytes.get(..length + CHECKSUM_AT).unwrap_or(bytes);
        let (expected, found) = (number(CHECKSUM_AT)?, crc32(checked));
        if found != expected {
            return Err(SlotError::Checksum { found, expected });
        }
        let key_prefix = head
            .get(KEY_PREFIX_AT..KEY_PREFIX_AT + KEY_PREFIX_BYTES)
            .and_then(|prefix| prefix.try_into().ok())
            .ok_or(SlotError::Trailer)?;
        let signature = signature.try_into().map_err(|_| SlotError::Trailer)?;
        let signed = &bytes[..bytes.len() - SIGNATURE_BYTES];
        Ok(Package { file, trailer: Some(Trailer { version: number(VERSION_AT)?, key_prefix, signed, signature }) })
    }

    /// The version counter; 0 without a trailer.
    pub fn version(&self) -> u32 {
        self.trailer.map_or(0, |trailer| trailer.version)
    }

    /// Parses the package at the beginning of a slot, whose length was not recorded because a flasher wrote it.
    ///
    /// # Errors
    /// As [`parse`](Package::parse).
    pub fn find(slot: &'p [u8]) -> Result<Self, SlotError> {
        let length = file_len(slot)?;
        let is_signed = slot.get(length..).is_some_and(|rest| rest.starts_with(MAGIC));
        Package::parse(slot.get(..if is_signed { length + TRAILER_BYTES } else { length }).unwrap_or(slot))
    }

    /// Verifies the signature. Without a trusted key every package is accepted.
    ///
    /// # Errors
    /// [`SlotError`] if the package is not signed, is signed with another key, or has a wrong signature.
    pub fn verify(&self, trusted: Option<&TrustedKey>) -> Result<(), SlotError> {
        let Some(TrustedKey { key, verify }) = trusted else { return Ok(()) };
        let trailer = self.trailer.ok_or(SlotError::Unsigned)?;
        if !key.starts_with(&trailer.key_prefix) {
            return Err(SlotError::OtherKey { found: trailer.key_prefix, expected: *key });
        }
        verify(key, &trailer)
    }

    /// The model.
    ///
    /// # Errors
    /// Those of [`Model::from_bytes`].
    pub fn model(&self) -> Result<Model<'p>, SlotError> {
        Ok(Model::from_bytes(self.file)?)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::vec::Vec;

    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    /// A package as `tern sign` writes it.
    pub(crate) fn signed(file: &[u8], version: u32, key: &SigningKey) -> Vec<u8> {
        let mut bytes = file.to_vec();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(file.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&crc32(&bytes).to_le_bytes());
        bytes.extend_from_slice(&key.verifying_key().as_bytes()[..KEY_PREFIX_BYTES]);
        bytes.extend_from_slice(&[0; 4]);
        let signature = key.sign(&bytes);
        bytes.extend_from_slice(&signature.to_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use ed25519_dalek::SigningKey;
    use tern_runtime::testing::{Aligned, Sizes, random_file};

    use super::testing::signed;
    use super::*;

    const SIZES: Sizes = Sizes { embedding_dim: 2, hidden_size: 2, classes: 2 };
    /// The setting `shift` of the random models.
    const SHIFT: &str = "3";

    #[test]
    fn a_change_of_any_byte_of_a_signed_package_is_detected() {
        let file = random_file(1, SIZES, SHIFT);
        let signer = SigningKey::from_bytes(&[7; 32]);
        let trusted = TrustedKey::new(signer.verifying_key().to_bytes());
        let package = signed(&file, 3, &signer);
        assert_eq!(package.len(), file.len() + TRAILER_BYTES);
        let whole = Aligned::new(&package);
        let parsed = Package::parse(&whole).unwrap();
        assert_eq!((parsed.version(), parsed.file), (3, &*file));
        assert_eq!(parsed.verify(Some(&trusted)), Ok(()));
        for at in 0..package.len() {
            let mut changed = package.clone();
            changed[at] ^= 1 << (at % 8);
            let changed = Aligned::new(&changed);
            let result = Package::parse(&changed).and_then(|package| package.verify(Some(&trusted)));
            assert!(result.is_err(), "byte {at}");
            // The checksum detects changes before the key; only `verify` detects later ones.
            let is_checked = at < file.len() + KEY_PREFIX_AT;
            assert_eq!(Package::parse(&changed).is_err(), is_checked, "byte {at}");
        }
    }

    #[test]
    fn unsigned_foreign_and_forged_packages_get_different_errors() {
        let file = random_file(1, SIZES, SHIFT);
        let (ours, theirs) = (SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32]));
        let key = ours.verifying_key().to_bytes();
        let trusted = TrustedKey::new(key);
        let check =
            |bytes: &[u8]| Package::parse(&Aligned::new(bytes)).and_then(|package| package.verify(Some(&trusted)));
        assert_eq!(check(&file), Err(SlotError::Unsigned));
        assert!(matches!(check(&signed(&file, 3, &theirs)), Err(SlotError::OtherKey { .. })));
        // A package that states our key, but is signed with another one.
        let mut forged = signed(&file, 3, &theirs);
        let at = file.len() + KEY_PREFIX_AT;
        forged[at..at + KEY_PREFIX_BYTES].copy_from_slice(&key[..KEY_PREFIX_BYTES]);
        assert_eq!(check(&forged), Err(SlotError::Signature));
        assert_eq!(Package::parse(&file).unwrap().verify(None), Ok(()));
    }

    #[test]
    fn a_key_is_64_digits() {
        let hex = "00ff10a5".repeat(8);
        assert_eq!(parse_hex_key(Some(&hex)).map(|key| key[..5].to_vec()), Some(std::vec![0, 0xff, 0x10, 0xa5, 0]));
        assert_eq!(parse_hex_key(None), None);
        assert!(std::panic::catch_unwind(|| parse_hex_key(Some("00ff"))).is_err());
    }

    #[test]
    fn lengths_must_fit() {
        let file = random_file(1, SIZES, SHIFT);
        let package = signed(&file, 3, &SigningKey::from_bytes(&[7; 32]));
        for length in [file.len() + 1, package.len() - 1] {
            let cut = Aligned::new(&package[..length]);
            assert!(matches!(Package::parse(&cut), Err(SlotError::Length { .. })), "{length}");
        }
        let mut longer: Vec<u8> = package.clone();
        longer.push(0);
        assert!(matches!(Package::parse(&Aligned::new(&longer)), Err(SlotError::Length { .. })));
        assert!(matches!(Package::parse(&Aligned::new(&file[..file.len() - 1])), Err(SlotError::File(_))));
    }
}
