//! What the format's words and names are known by.

/// The 32-bit FNV-1a hash of a word or a name. The loader compares these and no letters, so a device holds four bytes of each name:
/// docs/format.md, "Header".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u32);

impl Fingerprint {
    /// Of no letters.
    pub(crate) const EMPTY: Self = Fingerprint(0x811c_9dc5);

    #[inline(always)]
    pub(crate) const fn of(name: &str) -> Self {
        Fingerprint::EMPTY.and(name)
    }

    /// Of what this is of, and another letter.
    #[inline(always)]
    pub(crate) const fn with(self, byte: u8) -> Self {
        Fingerprint((self.0 ^ byte as u32).wrapping_mul(0x0100_0193))
    }

    /// Of what this is of, and more letters.
    #[inline(never)]
    pub(crate) const fn and(mut self, more: &str) -> Self {
        let mut rest = more.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            self = self.with(byte);
            rest = after;
        }
        self
    }

    /// Of each word of some lists.
    pub(crate) const fn of_lists<const COUNT: usize>(lists: &[&str]) -> [Self; COUNT] {
        let mut each = [Fingerprint::EMPTY; COUNT];
        let (mut lists, mut at) = (lists, 0);
        while let Some((list, after)) = lists.split_first() {
            let mut rest = list.as_bytes();
            while let Some((&byte, after)) = rest.split_first() {
                match byte {
                    b',' => at += 1,
                    b' ' => {}
                    _ => each[at] = each[at].with(byte),
                }
                rest = after;
            }
            at += 1;
            lists = after;
        }
        each
    }

    /// Its place among others.
    pub(crate) fn position(self, among: &[Self]) -> Option<u8> {
        among.iter().position(|&other| other == self).map(|position| position as u8)
    }
}
