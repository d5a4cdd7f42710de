//! CRC-32 as in zlib and Ethernet (IEEE 802.3): the checksum of models, records, answers in machine mode and boot
//! counts.

/// The remainders of the 4-bit values 0 to 15. A table for whole bytes would take 1 KB of flash; without any table, a
/// checksum would take four times as long.
const TABLE: [u32; 16] = {
    // The polynomial of CRC-32 with its bits reversed.
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let mut table = [0; 16];
    let mut i = 0;
    while i < table.len() {
        let (mut crc, mut bit) = (i as u32, 0);
        while bit < 4 {
            crc = crc >> 1 ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

/// The CRC-32 of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    extend(0, bytes)
}

/// Returns the CRC-32 of data that consists of a beginning with the CRC-32 `crc`, and `bytes`.
pub fn extend(crc: u32, bytes: &[u8]) -> u32 {
    // Adds the lower 4 bits of a number.
    let next = |crc: u32, bits: u32| crc >> 4 ^ TABLE[((crc ^ bits) & 15) as usize];
    !bytes.iter().fold(!crc, |crc, &byte| next(next(crc, byte.into()), u32::from(byte) >> 4))
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
