//! Names of bytes: the visible character that represents each byte in byte-level vocabularies such as GPT-2's.

/// Returns the character that represents a byte: the same character if Latin-1 prints it, else one from U+0100 on.
pub fn name(byte: u8) -> char {
    let prints = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if prints(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&other| !prints(other)).count() as u32;
    char::from_u32(0x100 + before).expect("every number from 0x100 to 0x1ff is a character")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    #[test]
    fn names_are_those_of_the_library() {
        let names: std::collections::HashSet<char> = (0..=255).map(name).collect();
        assert_eq!(names, ByteLevel::alphabet().into_iter().collect());
        assert_eq!([name(b' '), name(b'\n'), name(b'a'), name(0xad), name(0x7f)], ['Ġ', 'Ċ', 'a', 'Ń', 'ġ']);
    }
}
