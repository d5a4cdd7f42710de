//! CRC-32 as in zlib and Ethernet (IEEE 802.3), by which a host compares its file with the device's.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

/// The algorithm without a table, which would take 1 KB of flash.
const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// The CRC-32 of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// The CRC-32 of data whose beginning has the CRC-32 `crc` and whose rest is `bytes`.
pub fn extend(crc: u32, bytes: &[u8]) -> u32 {
    // The `crc` crate takes the state before its final inversion, in the order of the unreflected polynomial.
    let mut digest = CRC.digest_with_initial((!crc).reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_one_of_zlib() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(super::crc32(b""), 0);
        assert_eq!(super::extend(super::crc32(b"1234"), b"56789"), 0xcbf4_3926);
    }
}
