//! The CRC-32 of the console's protocol, of signed files and of checkpoints, and the CRC-32C of TensorBoard's event
//! files.

use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, Crc, Table};

/// CRC-32 of IEEE 802.3, as zlib and the console compute it. `Table<16>` is the crate's fastest variant and has the
/// largest tables; it pays for whole files.
pub const CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
/// CRC-32C, the checksum in TensorBoard's event files.
pub const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The CRC-32 of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    CRC32.checksum(bytes)
}

/// The CRC-32 of `bytes` in eight hexadecimal digits, as the console prints it.
pub fn crc32_hex(bytes: &[u8]) -> String {
    format!("{:08x}", crc32(bytes))
}
