//! Packages, as they are sent to a device: a device file (a quantised model) alone, or with a signature trailer that
//! holds its version, its signer and an Ed25519 signature.
//!
//! `tern sign` writes signed packages with [`sign`]; every command that reads a device file separates it from the
//! trailer with [`Package::read`]. `docs/update.md` lists the bytes of a trailer.

use crate::checksum::crc32;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

/// The first bytes of a trailer.
const MAGIC: &[u8; 8] = b"TERNSIG1";
/// Length of a trailer in bytes.
pub const TRAILER_BYTES: usize = 96;
/// Length of the signature at the end of a trailer. Everything before it is signed.
const SIGNATURE_BYTES: usize = 64;
/// Length of the key id: the first bytes of the public key.
const KEY_ID_BYTES: usize = 8;

/// Signs a device file with its `version`, at least 1. Returns the file followed by its trailer.
pub fn sign(file: &[u8], version: u32, key: &SigningKey) -> Vec<u8> {
    let mut package = Vec::with_capacity(file.len() + TRAILER_BYTES);
    package.extend_from_slice(file);
    // The fields of the trailer in the order of docs/update.md: magic, length, version, checksum, key id, 4 zeros, and
    // the signature. The checksum and the signature are those of all bytes before them.
    package.extend_from_slice(MAGIC);
    package.extend_from_slice(&(file.len() as u32).to_le_bytes());
    package.extend_from_slice(&version.to_le_bytes());
    package.extend_from_slice(&crc32(&package).to_le_bytes());
    package.extend_from_slice(&key.verifying_key().as_bytes()[..KEY_ID_BYTES]);
    package.extend_from_slice(&[0; 4]);
    let signature = key.sign(&package);
    package.extend_from_slice(&signature.to_bytes());
    package
}

/// The bytes of a file split into the device file and its trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package<'a> {
    /// The device file, which the runtime reads.
    pub device_file: &'a [u8],
    /// The fields of the trailer; `None` for a file without a signature.
    pub signed: Option<Signed>,
    /// All bytes: the device file and the trailer, if there is one.
    all: &'a [u8],
}

/// The fields of a trailer. Reading them does not check the signature: see [`Package::check_signature`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Version counter of the model, at least 1.
    pub version: u32,
    /// The first eight bytes of the signer's public key.
    pub key_id: [u8; KEY_ID_BYTES],
}

/// Errors of a trailer. The messages are displayed after the path of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    #[error(
        "its signature is for a device file of {expected} bytes, but {found} bytes precede it; sign the device file again"
    )]
    Length { found: usize, expected: usize },
    #[error(
        "its checksum is {found:08x}, but the signed file had {expected:08x}: the file is damaged; copy or sign it again"
    )]
    Checksum { found: u32, expected: u32 },
    #[error("it is not signed, so there is no signature to check; `tern sign` signs a device file")]
    Unsigned,
    #[error("it was signed with key {}, expected key {}", hex(found), hex(expected))]
    OtherKey { found: [u8; KEY_ID_BYTES], expected: [u8; KEY_ID_BYTES] },
    #[error("its signature is wrong: the file was changed after signing, or another key signed it; do not use it")]
    Signature,
}

impl<'a> Package<'a> {
    /// Finds the trailer in the bytes of a file. A file without a trailer is an unsigned package. Fails with
    /// [`PackageError::Length`] or [`PackageError::Checksum`] if the trailer does not fit the bytes before it.
    pub fn read(bytes: &'a [u8]) -> Result<Self, PackageError> {
        let unsigned = Package { device_file: bytes, signed: None, all: bytes };
        let Some((device_file, trailer)) = bytes.split_last_chunk::<TRAILER_BYTES>() else { return Ok(unsigned) };
        if !trailer.starts_with(MAGIC) {
            return Ok(unsigned);
        }
        // The fields are at the offsets 8 (length), 12 (version), 16 (checksum) and 20 (key id).
        let field =
            |offset: usize| u32::from_le_bytes(*trailer[offset..].first_chunk().expect("a trailer has 96 bytes"));
        let (found, expected) = (device_file.len(), field(8) as usize);
        if found != expected {
            return Err(PackageError::Length { found, expected });
        }
        // The checksum is that of all bytes before it: the device file and the first 16 bytes of the trailer.
        let (found, expected) = (crc32(&bytes[..device_file.len() + 16]), field(16));
        if found != expected {
            return Err(PackageError::Checksum { found, expected });
        }
        let mut key_id = [0; KEY_ID_BYTES];
        key_id.copy_from_slice(&trailer[20..20 + KEY_ID_BYTES]);
        Ok(Package { device_file, signed: Some(Signed { version: field(12), key_id }), all: bytes })
    }

    /// Checks that the owner of `key` signed the file. Fails with [`PackageError::Unsigned`],
    /// [`PackageError::OtherKey`] if the key ids differ, or [`PackageError::Signature`] if the file was changed after
    /// signing or another key with the same id signed it.
    pub fn check_signature(&self, key: &VerifyingKey) -> Result<(), PackageError> {
        let found = self.signed.ok_or(PackageError::Unsigned)?.key_id;
        let mut expected = [0; KEY_ID_BYTES];
        expected.copy_from_slice(&key.as_bytes()[..KEY_ID_BYTES]);
        if found != expected {
            return Err(PackageError::OtherKey { found, expected });
        }
        let (message, signature) = self.all.split_at(self.all.len() - SIGNATURE_BYTES);
        let signature = Signature::from_slice(signature).map_err(|_| PackageError::Signature)?;
        key.verify_strict(message, &signature).map_err(|_| PackageError::Signature)
    }
}

impl Signed {
    /// The key id as 16 hexadecimal digits.
    pub fn key_id(&self) -> String {
        hex(&self.key_id)
    }
}

impl std::fmt::Display for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "version {}, signed with key {}", self.version, self.key_id())
    }
}

/// Returns the lower-case hexadecimal digits of `bytes`, two for each byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (Vec<u8>, Vec<u8>, SigningKey) {
        let (file, key) = (b"a device file".repeat(9), SigningKey::from_bytes(&[7; 32]));
        (sign(&file, 258, &key), file, key)
    }

    #[test]
    fn the_trailer_has_the_documented_bytes() {
        let (package, file, key) = signed();
        let (content, trailer) = package.split_at(file.len());
        assert_eq!((content, trailer.len(), &trailer[..8]), (&file[..], TRAILER_BYTES, &b"TERNSIG1"[..]));
        assert_eq!(trailer[8..16], [117, 0, 0, 0, 2, 1, 0, 0]);
        assert_eq!(trailer[16..20], crc32(&package[..file.len() + 16]).to_le_bytes());
        assert_eq!(trailer[20..28], key.verifying_key().as_bytes()[..8]);
        let signature = Signature::from_slice(&trailer[32..]).unwrap();
        key.verifying_key().verify_strict(&package[..file.len() + 32], &signature).unwrap();
    }

    #[test]
    fn a_signed_file_is_read_with_its_version_and_signer() {
        let (package, file, key) = signed();
        let read = Package::read(&package).unwrap();
        let signed = read.signed.unwrap();
        assert_eq!((read.device_file, signed.version), (&file[..], 258));
        assert_eq!(signed.to_string(), format!("version 258, signed with key {}", hex(&signed.key_id)));
        assert_eq!(signed.key_id(), hex(&key.verifying_key().as_bytes()[..8]));
        assert_eq!(read.check_signature(&key.verifying_key()), Ok(()));

        let plain = Package::read(&file).unwrap();
        assert_eq!((plain.device_file, plain.signed), (&file[..], None));
        assert_eq!(plain.check_signature(&key.verifying_key()), Err(PackageError::Unsigned));
    }

    #[test]
    fn a_changed_file_and_another_key_are_refused() {
        let (package, file, key) = signed();
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        let error = Package::read(&package).unwrap().check_signature(&other).unwrap_err().to_string();
        assert!(error.contains(&hex(&other.as_bytes()[..8])), "{error}");
        // A signature that is changed, and a file whose checksum is made to fit again.
        let mut changed = package.clone();
        *changed.last_mut().unwrap() ^= 1;
        let read = Package::read(&changed).unwrap();
        assert_eq!(read.check_signature(&key.verifying_key()), Err(PackageError::Signature));
        let mut changed = package.clone();
        changed[3] ^= 1;
        assert!(matches!(Package::read(&changed), Err(PackageError::Checksum { .. })));
        let sum = crc32(&changed[..file.len() + 16]).to_le_bytes();
        changed[file.len() + 16..file.len() + 20].copy_from_slice(&sum);
        let read = Package::read(&changed).unwrap();
        assert_eq!(read.check_signature(&key.verifying_key()), Err(PackageError::Signature));
        let error = Package::read(&package[1..]).unwrap_err();
        assert_eq!(error, PackageError::Length { found: file.len() - 1, expected: file.len() });
    }
}
