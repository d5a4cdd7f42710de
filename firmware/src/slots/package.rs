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
//! Numbers are little-endian. `docs/update.md` explains the fields.

use ed25519_dalek::{PUBLIC_KEY_LENGTH, SIGNATURE_LENGTH, Signature, VerifyingKey};
use tern_runtime::{Model, file_len};

use super::slot_error::SlotError;
use crate::crc32::crc32;

/// A function that long work calls again and again: it feeds the watchdog, and returns false when the time limit has
/// passed. Only the golden examples, which are the last check of a model, stop then; other work ignores the result.
pub type KeepAlive<'a> = &'a mut dyn FnMut() -> bool;

/// Length of a trailer in bytes.
pub const TRAILER_BYTES: usize = 96;

/// The first bytes of a trailer.
const MAGIC: &[u8; 8] = b"TERNSIG1";
/// Offset in the trailer of the checksum, which covers the device file and the bytes of the trailer before it.
const CHECKSUM_AT: usize = 16;
/// The bytes that are hashed before the watchdog is fed again: about 330,000 instructions.
const HASHED_AT_ONCE: usize = 4096;
/// Length of the part of the public key that a trailer holds.
const KEY_PREFIX_BYTES: usize = 8;

/// The public key that models must be signed with.
///
/// The key carries the function that verifies signatures, so that firmware without a key does not contain that code.
#[derive(Clone, Copy, Debug)]
pub struct TrustedKey {
    key: [u8; PUBLIC_KEY_LENGTH],
    verify: fn(&[u8; PUBLIC_KEY_LENGTH], &Trailer<'_>, KeepAlive<'_>) -> Result<(), SlotError>,
}

impl TrustedKey {
    /// Makes a trusted key from the bytes of an Ed25519 public key.
    pub const fn new(key: [u8; PUBLIC_KEY_LENGTH]) -> Self {
        TrustedKey { key, verify: verify_signature }
    }

    /// Parses 64 hexadecimal digits. `None` gives no key, and firmware without a key accepts unsigned models.
    ///
    /// # Panics
    /// If the text is not 64 hexadecimal digits. For a constant, this is a compile error.
    pub const fn from_hex(hex: Option<&str>) -> Option<Self> {
        const fn digit(byte: u8) -> u8 {
            match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                _ => panic!("a public key is 64 hexadecimal digits"),
            }
        }
        let Some(hex) = hex else { return None };
        let digits = hex.as_bytes();
        assert!(digits.len() == 2 * PUBLIC_KEY_LENGTH, "a public key is 64 hexadecimal digits");
        let mut key = [0; PUBLIC_KEY_LENGTH];
        let mut i = 0;
        while i < PUBLIC_KEY_LENGTH {
            key[i] = digit(digits[2 * i]) << 4 | digit(digits[2 * i + 1]);
            i += 1;
        }
        Some(TrustedKey::new(key))
    }
}

/// Verifies the signature of a trailer. Hashing the signed bytes takes nearly all of the time, so they are hashed in
/// pieces, and `keep_alive` is called after each.
fn verify_signature(
    key: &[u8; PUBLIC_KEY_LENGTH],
    trailer: &Trailer<'_>,
    keep_alive: KeepAlive<'_>,
) -> Result<(), SlotError> {
    let verifier = VerifyingKey::from_bytes(key).map_err(|_| SlotError::BadKey)?;
    // With a key of small order, anybody can make a valid signature.
    if verifier.is_weak() {
        return Err(SlotError::BadKey);
    }
    let signature = Signature::from_bytes(trailer.signature);
    let mut stream = verifier.verify_stream(&signature).map_err(|_| SlotError::Signature)?;
    for piece in trailer.signed.chunks(HASHED_AT_ONCE) {
        stream.update(piece);
        keep_alive();
    }
    stream.finalize_and_verify().map_err(|_| SlotError::Signature)
}

/// The parts of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package<'p> {
    /// The device file.
    pub file: &'p [u8],
    /// `None` for a device file without a signature.
    trailer: Option<Trailer<'p>>,
}

/// The trailer of a signed device file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Trailer<'p> {
    version: u32,
    /// The first bytes of the signer's public key.
    key_prefix: [u8; KEY_PREFIX_BYTES],
    /// All signed bytes: the package up to the signature.
    signed: &'p [u8],
    signature: &'p [u8; SIGNATURE_LENGTH],
}

/// Takes the next field of `N` bytes from the beginning of `bytes`, which is then shorter by `N`.
fn take<'p, const N: usize>(bytes: &mut &'p [u8]) -> Result<&'p [u8; N], SlotError> {
    let (field, rest) = bytes.split_first_chunk().ok_or(SlotError::Trailer)?;
    *bytes = rest;
    Ok(field)
}

impl<'p> Package<'p> {
    /// Splits the bytes of a package into its parts. Fails if a length or a checksum is wrong, or if the bytes after
    /// the device file are not a trailer.
    pub fn parse(bytes: &'p [u8]) -> Result<Self, SlotError> {
        // Length of the device file. `file_len` fails if `bytes` ends before the file does.
        let length = file_len(bytes)?;
        let wrong_length = SlotError::Length { found: bytes.len(), expected: [length, length + TRAILER_BYTES] };
        let (file, mut trailer) = bytes.split_at_checked(length).ok_or(wrong_length)?;
        if trailer.is_empty() {
            return Ok(Package { file, trailer: None });
        }
        if trailer.len() != TRAILER_BYTES {
            return Err(wrong_length);
        }
        let fields = &mut trailer;
        let has_magic = take(fields)? == MAGIC;
        let stated_length = u32::from_le_bytes(*take(fields)?);
        let version = u32::from_le_bytes(*take(fields)?);
        // Version 0 stands for a package without a trailer.
        if !has_magic || stated_length as usize != length || version == 0 {
            return Err(SlotError::Trailer);
        }
        let expected = u32::from_le_bytes(*take(fields)?);
        let found = crc32(bytes.get(..length + CHECKSUM_AT).unwrap_or(bytes));
        if found != expected {
            return Err(SlotError::Checksum { found, expected });
        }
        let key_prefix = *take(fields)?;
        let _zeros: &[u8; 4] = take(fields)?;
        let signature = take(fields)?;
        let signed = &bytes[..bytes.len() - SIGNATURE_LENGTH];
        Ok(Package { file, trailer: Some(Trailer { version, key_prefix, signed, signature }) })
    }

    /// The version of the model; 0 without a trailer.
    pub fn version(&self) -> u32 {
        self.trailer.map_or(0, |trailer| trailer.version)
    }

    /// Parses the package at the beginning of a slot, whose length was not recorded because a host's flashing
    /// tool wrote it.
    pub fn find(slot: &'p [u8]) -> Result<Self, SlotError> {
        let length = file_len(slot)?;
        let is_signed = slot.get(length..).is_some_and(|rest| rest.starts_with(MAGIC));
        let package_length = if is_signed { length + TRAILER_BYTES } else { length };
        Package::parse(slot.get(..package_length).unwrap_or(slot))
    }

    /// Verifies the signature with the trusted key, and calls `keep_alive` meanwhile. If `trusted` is `None`, every
    /// package is accepted.
    pub fn verify(&self, trusted: Option<&TrustedKey>, keep_alive: KeepAlive<'_>) -> Result<(), SlotError> {
        let Some(TrustedKey { key, verify }) = trusted else { return Ok(()) };
        let trailer = self.trailer.ok_or(SlotError::Unsigned)?;
        if !key.starts_with(&trailer.key_prefix) {
            return Err(SlotError::OtherKey { found: trailer.key_prefix, expected: *key });
        }
        verify(key, &trailer, keep_alive)
    }

    /// Loads the model from the device file.
    pub fn model(&self) -> Result<Model<'p>, SlotError> {
        Ok(Model::from_bytes(self.file)?)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::vec::Vec;

    use ed25519_dalek::{Signer, SigningKey};
    use tern_runtime::testing::{Aligned, Sizes, random_file};

    use super::*;

    /// A package as `tern sign` writes it.
    pub(in crate::slots) fn signed(file: &[u8], version: u32, key: &SigningKey) -> Vec<u8> {
        let mut bytes = [file, MAGIC, &(file.len() as u32).to_le_bytes(), &version.to_le_bytes()].concat();
        bytes.extend_from_slice(&crc32(&bytes).to_le_bytes());
        bytes.extend_from_slice(&key.verifying_key().as_bytes()[..KEY_PREFIX_BYTES]);
        bytes.extend_from_slice(&[0; 4]);
        let signature = key.sign(&bytes);
        bytes.extend_from_slice(&signature.to_bytes());
        bytes
    }

    /// Offset in the trailer of the first bytes of the signer's public key.
    const KEY_PREFIX_AT: usize = CHECKSUM_AT + 4;

    fn device_file() -> Aligned {
        // The tests depend neither on the seed of the weights nor on the shift of the recurrent layer.
        const SEED: u64 = 1;
        const SHIFT: &str = "3";
        random_file(SEED, Sizes { embedding_dim: 2, hidden_size: 2, classes: 2 }, SHIFT)
    }

    #[test]
    fn a_change_of_any_byte_of_a_signed_package_is_detected() {
        let file = device_file();
        let signer = SigningKey::from_bytes(&[7; 32]);
        let trusted = TrustedKey::new(signer.verifying_key().to_bytes());
        let package = signed(&file, 3, &signer);
        assert_eq!(package.len(), file.len() + TRAILER_BYTES);
        let whole = Aligned::new(&package);
        let parsed = Package::parse(&whole).unwrap();
        assert_eq!((parsed.version(), parsed.file), (3, &*file));
        assert_eq!(parsed.verify(Some(&trusted), &mut || true), Ok(()));
        for at in 0..package.len() {
            let mut changed = package.clone();
            changed[at] ^= 1 << (at % 8);
            let changed = Aligned::new(&changed);
            let result = Package::parse(&changed).and_then(|package| package.verify(Some(&trusted), &mut || true));
            assert!(result.is_err(), "byte {at}");
            // The checksum detects changes before the key; only `verify` detects later ones.
            let is_checked = at < file.len() + KEY_PREFIX_AT;
            assert_eq!(Package::parse(&changed).is_err(), is_checked, "byte {at}");
        }
    }

    #[test]
    fn the_watchdog_is_fed_while_a_signature_is_verified() {
        let signer = SigningKey::from_bytes(&[7; 32]);
        let trusted = TrustedKey::new(signer.verifying_key().to_bytes());
        let file = random_file(1, Sizes { embedding_dim: 20, hidden_size: 60, classes: 2 }, "3");
        let package = Aligned::new(&signed(&file, 3, &signer));
        let mut fed = 0;
        let verified = Package::parse(&package).unwrap().verify(Some(&trusted), &mut || {
            fed += 1;
            true
        });
        assert_eq!((verified, fed), (Ok(()), (package.len() - SIGNATURE_LENGTH).div_ceil(HASHED_AT_ONCE)));
        assert!(fed > 3, "{} bytes", package.len());
    }

    #[test]
    fn a_weak_key_is_refused() {
        // The neutral element: for such a key anybody can make a signature of most messages.
        let mut neutral = [0; PUBLIC_KEY_LENGTH];
        neutral[0] = 1;
        let file = device_file();
        let mut package = signed(&file, 3, &SigningKey::from_bytes(&[7; 32]));
        package[file.len() + KEY_PREFIX_AT..][..KEY_PREFIX_BYTES].copy_from_slice(&neutral[..KEY_PREFIX_BYTES]);
        let package = Aligned::new(&package);
        let verified = Package::parse(&package).unwrap().verify(Some(&TrustedKey::new(neutral)), &mut || true);
        assert_eq!(verified, Err(SlotError::BadKey));
    }

    #[test]
    fn unsigned_foreign_and_forged_packages_get_different_errors() {
        let file = device_file();
        let (ours, theirs) = (SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32]));
        let key = ours.verifying_key().to_bytes();
        let trusted = TrustedKey::new(key);
        let check = |bytes: &[u8]| {
            Package::parse(&Aligned::new(bytes)).and_then(|package| package.verify(Some(&trusted), &mut || true))
        };
        assert_eq!(check(&file), Err(SlotError::Unsigned));
        assert!(matches!(check(&signed(&file, 3, &theirs)), Err(SlotError::OtherKey { .. })));
        // A package that states our key, but is signed with another one.
        let mut forged = signed(&file, 3, &theirs);
        let at = file.len() + KEY_PREFIX_AT;
        forged[at..at + KEY_PREFIX_BYTES].copy_from_slice(&key[..KEY_PREFIX_BYTES]);
        assert_eq!(check(&forged), Err(SlotError::Signature));
        assert_eq!(Package::parse(&file).unwrap().verify(None, &mut || true), Ok(()));
    }

    #[test]
    fn a_key_is_64_digits() {
        let hex = "00ff10a5".repeat(8);
        assert_eq!(TrustedKey::from_hex(Some(&hex)).unwrap().key[..5], [0, 0xff, 0x10, 0xa5, 0]);
        assert!(TrustedKey::from_hex(None).is_none());
        assert!(std::panic::catch_unwind(|| TrustedKey::from_hex(Some("00ff"))).is_err());
    }

    #[test]
    fn version_0_is_not_signed() {
        let package = Aligned::new(&signed(&device_file(), 0, &SigningKey::from_bytes(&[7; 32])));
        assert_eq!(Package::parse(&package), Err(SlotError::Trailer));
    }

    #[test]
    fn lengths_must_fit() {
        let file = device_file();
        let package = signed(&file, 3, &SigningKey::from_bytes(&[7; 32]));
        for length in [file.len() + 1, package.len() - 1] {
            let cut = Aligned::new(&package[..length]);
            assert!(matches!(Package::parse(&cut), Err(SlotError::Length { .. })), "{length}");
        }
        let longer = Aligned::new(&[&package[..], &[0]].concat());
        assert!(matches!(Package::parse(&longer), Err(SlotError::Length { .. })));
        assert!(matches!(Package::parse(&Aligned::new(&file[..file.len() - 1])), Err(SlotError::File(_))));
    }
}
