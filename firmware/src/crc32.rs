//! CRC-32 as in zlib and Ethernet (IEEE 802.3): the checksum of models, records, answers in machine mode and boot
//! counts.

/// The CRC-32 remainders of the 4-bit values 0 to 15, for [`extend`]. A table for whole bytes would take 1 KB of flash;
/// without any table, a checksum would take four times as long.
const TABLE: [u32; 16] = {
    // The polynomial of CRC-32 with its bits reversed.
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut table = [0; 16];
    let mut i = 0;
    while i < table.len() {
        let mut remainder = i as u32;
        let mut bit = 0;
        while bit < 4 {
            let subtrahend = if remainder & 1 == 1 { POLYNOMIAL } else { 0 };
            remainder = (remainder >> 1) ^ subtrahend;
            bit += 1;
        }
        table[i] = remainder;
        i += 1;
    }
    table
};

/// The CRC-32 of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    extend(0, bytes)
}

/// Returns the CRC-32 of data whose beginning has the CRC-32 `crc` (0 if the beginning is empty) and whose rest is
/// `bytes`.
pub fn extend(crc: u32, bytes: &[u8]) -> u32 {
    // Adds the lower 4 bits of `bits` to a remainder.
    let add_nibble = |remainder: u32, bits: u32| (remainder >> 4) ^ TABLE[((remainder ^ bits) & 15) as usize];
    // A CRC-32 is the complement of the remainder.
    let mut remainder = !crc;
    for &byte in bytes {
        remainder = add_nibble(remainder, byte.into());
        remainder = add_nibble(remainder, u32::from(byte) >> 4);
    }
    !remainder
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
