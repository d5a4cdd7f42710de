//! Names of bytes: a visible character for each, as in GPT-2 and every byte-level vocabulary since.

/// The character that stands for a byte: itself where Latin-1 prints it, and one from U+0100 on where it does not.
pub fn name(byte: u8) -> char {
    let prints = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if prints(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&other| !prints(other)).count() as u32;
    char::from_u32(0x100 + before).expect("there is a character at every number from 0x100 to 0x1ff")
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
