//! The CRC-32 of zlib and Ethernet (IEEE 802.3), with which a host compares its file to the device's.

/// The remainders of the 16 half bytes: a table of 64 bytes costs twice the time of the usual one of 1 KB.
const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut i = 0;
    while i < 16 {
        let mut remainder = i as u32;
        let mut bit = 0;
        while bit < 4 {
            remainder = (remainder >> 1) ^ (0xedb8_8320 & (remainder & 1).wrapping_neg());
            bit += 1;
        }
        table[i] = remainder;
        i += 1;
    }
    table
};

/// The CRC-32 of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    go_on(0, bytes)
}

/// The CRC-32 of bytes whose beginning has the CRC-32 `crc`, and that end with `bytes`.
pub fn go_on(crc: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!crc, |crc, &byte| {
        let crc = crc ^ u32::from(byte);
        let crc = (crc >> 4) ^ TABLE[(crc & 15) as usize];
        (crc >> 4) ^ TABLE[(crc & 15) as usize]
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn check_value() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(super::crc32(b""), 0);
        assert_eq!(super::go_on(super::crc32(b"1234"), b"56789"), 0xcbf4_3926);
    }
}
