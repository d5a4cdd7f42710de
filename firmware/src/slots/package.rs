//! A model as it travels: the device file, and behind it a trailer with its version and signature. `docs/update.md` has the bytes.

use ed25519_dalek::{Signature, VerifyingKey};
use tern_runtime::{Model, file_len};

use super::reason::Reason;
use crate::crc32::crc32;

/// Bytes of a trailer.
pub const TRAILER_BYTES: usize = 96;
/// Bytes of a signature, the last of a package. All that stands before is signed.
pub const SIGNATURE_BYTES: usize = 64;
/// Bytes of a public key.
pub const KEY_BYTES: usize = 32;

const MAGIC: &[u8; 8] = b"TERNSIG1";
/// Bytes of the trailer before its checksum, which covers them and the file.
const CHECKED_BYTES: usize = 16;

/// A model as it travels, its parts found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package<'p> {
    /// The device file.
    pub file: &'p [u8],
    /// What follows it. None: the file travels alone.
    pub trailer: Option<Trailer<'p>>,
}

/// What follows a device file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer<'p> {
    /// The model's version counter.
    pub version: u32,
    /// The first bytes of the public key that verifies it.
    pub key: [u8; 8],
    /// All that is signed.
    pub signed: &'p [u8],
    /// The signature.
    pub signature: &'p [u8; SIGNATURE_BYTES],
}

impl<'p> Package<'p> {
    /// Finds the parts of a package in exactly its bytes.
    ///
    /// # Errors
    /// [`Reason`] if the lengths do not fit each other, the trailer is none, or a checksum is wrong.
    pub fn parse(bytes: &'p [u8]) -> Result<Self, Reason> {
        let length = file_len(bytes)?;
        let (file, rest) = bytes
            .split_at_checked(length)
            .ok_or(Reason::Length { found: bytes.len(), expected: [length, length + TRAILER_BYTES] })?;
        if rest.is_empty() {
            return Ok(Package { file, trailer: None });
        }
        let rest: &[u8; TRAILER_BYTES] = rest
            .try_into()
            .map_err(|_| Reason::Length { found: bytes.len(), expected: [length, length + TRAILER_BYTES] })?;
        let (head, signature) = rest.split_at(TRAILER_BYTES - SIGNATURE_BYTES);
        let word = |at: usize| head.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let field = |at: usize| word(at).ok_or(Reason::Trailer);
        if !head.starts_with(MAGIC) || field(8)? as usize != length {
            return Err(Reason::Trailer);
        }
        let checked = bytes.get(..length + CHECKED_BYTES).unwrap_or(bytes);
        let (expected, found) = (field(16)?, crc32(checked));
        if found != expected {
            return Err(Reason::Checksum { found, expected });
        }
        let key = head.get(20..28).and_then(|key| key.try_into().ok()).ok_or(Reason::Trailer)?;
        let signature = signature.try_into().map_err(|_| Reason::Trailer)?;
        let signed = &bytes[..bytes.len() - SIGNATURE_BYTES];
        Ok(Package { file, trailer: Some(Trailer { version: field(12)?, key, signed, signature }) })
    }

    /// The version counter; 0 of a file that travels alone.
    pub fn version(&self) -> u32 {
        self.trailer.map_or(0, |trailer| trailer.version)
    }

    /// Finds a package at the beginning of a slot that a flasher wrote, where nothing tells its length.
    ///
    /// # Errors
    /// As [`parse`](Package::parse).
    pub fn find(slot: &'p [u8]) -> Result<Self, Reason> {
        let length = file_len(slot)?;
        let is_signed = slot.get(length..).is_some_and(|rest| rest.starts_with(MAGIC));
        Package::parse(slot.get(..if is_signed { length + TRAILER_BYTES } else { length }).unwrap_or(slot))
    }

    /// Checks who made the package, where there is a key to check it by.
    ///
    /// # Errors
    /// [`Reason`] if it is not signed, by another key, or wrongly.
    pub fn verify(&self, key: Option<&[u8; KEY_BYTES]>) -> Result<(), Reason> {
        let Some(key) = key else { return Ok(()) };
        let trailer = self.trailer.ok_or(Reason::Unsigned)?;
        if !key.starts_with(&trailer.key) {
            return Err(Reason::OtherKey { found: trailer.key, expected: *key });
        }
        let verifier = VerifyingKey::from_bytes(key).map_err(|_| Reason::BadKey)?;
        let signature = Signature::from_bytes(trailer.signature);
        verifier.verify_strict(trailer.signed, &signature).map_err(|_| Reason::Signature)
    }

    /// The model.
    ///
    /// # Errors
    /// What the runtime says of the file.
    pub fn model(&self) -> Result<Model<'p>, Reason> {
        Ok(Model::from_bytes(self.file)?)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::vec::Vec;

    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    /// A package as `tern sign` makes it.
    pub(crate) fn signed(file: &[u8], version: u32, key: &SigningKey) -> Vec<u8> {
        let mut bytes = file.to_vec();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&(file.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&crc32(&bytes).to_le_bytes());
        bytes.extend_from_slice(&key.verifying_key().as_bytes()[..8]);
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

    #[test]
    fn every_byte_of_a_package_is_held_by_its_signature() {
        let file = random_file(1, SIZES, "3");
        let signer = SigningKey::from_bytes(&[7; 32]);
        let key = signer.verifying_key().to_bytes();
        let package = signed(&file, 3, &signer);
        assert_eq!(package.len(), file.len() + TRAILER_BYTES);
        let whole = Aligned::new(&package);
        let parsed = Package::parse(&whole).unwrap();
        assert_eq!((parsed.version(), parsed.file), (3, &*file));
        assert_eq!(parsed.verify(Some(&key)), Ok(()));
        for at in 0..package.len() {
            let mut changed = package.clone();
            changed[at] ^= 1 << (at % 8);
            let changed = Aligned::new(&changed);
            let result = Package::parse(&changed).and_then(|package| package.verify(Some(&key)));
            assert!(result.is_err(), "byte {at}");
            // The checksum alone holds all but key and signature.
            let is_checked = at < file.len() + 20;
            assert_eq!(Package::parse(&changed).is_err(), is_checked, "byte {at}");
        }
    }

    #[test]
    fn who_signed_is_told_apart() {
        let file = random_file(1, SIZES, "3");
        let (ours, theirs) = (SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32]));
        let key = ours.verifying_key().to_bytes();
        let check = |bytes: &[u8]| Package::parse(&Aligned::new(bytes)).and_then(|package| package.verify(Some(&key)));
        assert_eq!(check(&file), Err(Reason::Unsigned));
        assert!(matches!(check(&signed(&file, 3, &theirs)), Err(Reason::OtherKey { .. })));
        // One that names our key, and does not have it.
        let mut forged = signed(&file, 3, &theirs);
        let at = file.len() + 20;
        forged[at..at + 8].copy_from_slice(&key[..8]);
        assert_eq!(check(&forged), Err(Reason::Signature));
        assert_eq!(Package::parse(&file).unwrap().verify(None), Ok(()));
    }

    #[test]
    fn lengths_must_fit() {
        let file = random_file(1, SIZES, "3");
        let package = signed(&file, 3, &SigningKey::from_bytes(&[7; 32]));
        for length in [file.len() + 1, package.len() - 1] {
            let cut = Aligned::new(&package[..length]);
            assert!(matches!(Package::parse(&cut), Err(Reason::Length { .. })), "{length}");
        }
        let mut longer: Vec<u8> = package.clone();
        longer.push(0);
        assert!(matches!(Package::parse(&Aligned::new(&longer)), Err(Reason::Length { .. })));
        assert!(matches!(Package::parse(&Aligned::new(&file[..file.len() - 1])), Err(Reason::File(_))));
    }
}
