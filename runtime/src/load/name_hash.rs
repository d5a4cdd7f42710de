//! Hashes of the names of keys, values and tensors.

/// The 32-bit FNV-1a hash of a name. The loader compares hashes instead of letters, so a firmware stores four bytes for
/// each name. No two names of the format have the same hash, as tests check; docs/format.md, "Header", allows this
/// comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameHash(u32);

impl NameHash {
    /// The hash of the empty name.
    pub(crate) const EMPTY: Self = NameHash(0x811c_9dc5);

    /// The hash of a name.
    #[inline(always)]
    pub(crate) const fn of(name: &str) -> Self {
        NameHash::EMPTY.and(name)
    }

    /// The hash of this name followed by another letter.
    #[inline(always)]
    pub(crate) const fn with(self, byte: u8) -> Self {
        NameHash((self.0 ^ byte as u32).wrapping_mul(0x0100_0193))
    }

    /// The hash of this name followed by more letters.
    #[inline(never)]
    pub(crate) const fn and(mut self, more: &str) -> Self {
        let mut letters = more.as_bytes();
        while let Some((&letter, rest)) = letters.split_first() {
            self = self.with(letter);
            letters = rest;
        }
        self
    }

    /// The hashes of all names in `lists`, whose names are separated by `, `. `COUNT`: the number of all names.
    pub(crate) const fn of_lists<const COUNT: usize>(lists: &[&str]) -> [Self; COUNT] {
        let mut hashes = [NameHash::EMPTY; COUNT];
        let (mut lists, mut name_index) = (lists, 0);
        while let Some((list, other_lists)) = lists.split_first() {
            let mut letters = list.as_bytes();
            while let Some((&letter, rest)) = letters.split_first() {
                match letter {
                    b',' => name_index += 1,
                    b' ' => {}
                    _ => hashes[name_index] = hashes[name_index].with(letter),
                }
                letters = rest;
            }
            // The end of a list is the end of its last name.
            name_index += 1;
            lists = other_lists;
        }
        hashes
    }

    /// The index of this hash in the list `among`; none if it does not occur there.
    #[cfg_attr(feature = "errors", inline(never))]
    pub(crate) fn position(self, among: &[Self]) -> Option<u8> {
        among.iter().position(|&other| other == self).map(|position| position as u8)
    }
}
