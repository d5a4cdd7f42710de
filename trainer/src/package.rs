//! A device file with its trailer: what `tern sign` makes and a device with a key takes. `docs/update.md` has the bytes.

use ed25519_dalek::{Signer, SigningKey};

/// How a trailer begins.
const MAGIC: &[u8; 8] = b"TERNSIG1";

/// Bytes of a trailer.
pub const TRAILER_BYTES: usize = 96;

/// A device file, its version and its signature.
pub fn sign(file: &[u8], version: u32, key: &SigningKey) -> Vec<u8> {
    let mut package = Vec::with_capacity(file.len() + TRAILER_BYTES);
    package.extend_from_slice(file);
    package.extend_from_slice(MAGIC);
    package.extend_from_slice(&(file.len() as u32).to_le_bytes());
    package.extend_from_slice(&version.to_le_bytes());
    package.extend_from_slice(&crc32fast::hash(&package).to_le_bytes());
    package.extend_from_slice(&key.verifying_key().as_bytes()[..8]);
    package.extend_from_slice(&[0; 4]);
    let signature = key.sign(&package);
    package.extend_from_slice(&signature.to_bytes());
    package
}

/// The device file in a package; all of it where it has no trailer.
pub fn device_file(package: &[u8]) -> &[u8] {
    match package.len().checked_sub(TRAILER_BYTES) {
        Some(end) if package[end..].starts_with(MAGIC) => &package[..end],
        _ => package,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trailer_has_its_place() {
        let (file, key) = (b"a device file".repeat(9), SigningKey::from_bytes(&[7; 32]));
        let package = sign(&file, 258, &key);
        let (content, trailer) = package.split_at(file.len());
        assert_eq!((content, trailer.len(), &trailer[..8]), (&file[..], TRAILER_BYTES, &b"TERNSIG1"[..]));
        assert_eq!(trailer[8..16], [117, 0, 0, 0, 2, 1, 0, 0]);
        assert_eq!(trailer[16..20], crc32fast::hash(&package[..file.len() + 16]).to_le_bytes());
        assert_eq!(trailer[20..28], key.verifying_key().as_bytes()[..8]);
        let signature = ed25519_dalek::Signature::from_slice(&trailer[32..]).unwrap();
        key.verifying_key().verify_strict(&package[..file.len() + 32], &signature).unwrap();
        assert_eq!((device_file(&package), device_file(&file)), (&file[..], &file[..]));
    }
}
