//! R. Jenkins' one-at-a-time hash, of 32-bit numbers in place of bytes.

/// Returns the hash with one more number. The hashes of n-grams leave out the operations of [`finish`].
#[inline(always)]
pub(super) fn add(hash: u32, number: u32) -> u32 {
    let hash = hash.wrapping_add(number);
    let hash = hash.wrapping_add(hash << 10);
    hash ^ hash >> 6
}

/// Returns the hash after the last number.
pub(super) fn finish(hash: u32) -> u32 {
    let hash = hash.wrapping_add(hash << 3);
    let hash = hash ^ hash >> 11;
    hash.wrapping_add(hash << 15)
}
