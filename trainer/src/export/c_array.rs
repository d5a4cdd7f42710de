//! A device file as a C header, for firmware that is written in C.

use anyhow::bail;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;

/// The number of 64-bit words on a line of the header.
const WORDS_PER_LINE: usize = 5;

/// The first line of a header, by which [`check_c_output`] recognises one.
const FIRST_LINE: &str =
    "/* A device file of Tern for tern_open() of tern.h, written by `tern export`. Include it in one source file. */";

/// Returns the C header of a device file. The array is named after `path`, that of the header: `spam.h` defines `spam`,
/// `SPAM_LENGTH` and `SPAM_SCRATCH_WORDS`. Its elements are `uint64_t`, which aligns it to 8 bytes in every version of
/// C; they hold the bytes of the file on a little-endian core. The last element is padded with zeros. `scratch_bytes`:
/// the bytes of scratch that a session needs.
pub fn c_array(path: &Path, bytes: &[u8], scratch_bytes: usize) -> String {
    let name = identifier(path);
    let upper = name.to_uppercase();
    let (length, scratch_words) = (bytes.len(), scratch_bytes.div_ceil(4));
    let mut text = format!(
        "{FIRST_LINE}\n\
         #ifndef {upper}_H\n\
         #define {upper}_H\n\n\
         #include <stdint.h>\n\n\
         /* The length of the file in bytes. */\n\
         #define {upper}_LENGTH {length}\n\
         /* The length of the scratch that a session needs, in words of 32 bits. */\n\
         #define {upper}_SCRATCH_WORDS {scratch_words}\n\n\
         static const uint64_t {name}[{}] = {{\n",
        length.div_ceil(8)
    );
    for line in bytes.chunks(8 * WORDS_PER_LINE) {
        for word in line.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            write!(text, " 0x{:016x}u,", u64::from_le_bytes(padded)).expect("a String can always be written to");
        }
        text.push('\n');
    }
    text + &format!("}};\n\n#endif /* {upper}_H */\n")
}

/// Fails if a file exists at `path` that [`c_array`] did not write, or that cannot be read.
pub fn check_c_output(path: &Path) -> anyhow::Result<()> {
    match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Ok(bytes) if bytes.starts_with(FIRST_LINE.as_bytes()) => Ok(()),
        Ok(_) => bail!(
            "{}: exists and was not written by `tern export`; nothing was overwritten, choose another --c-array",
            path.display()
        ),
        Err(error) => Err(anyhow::Error::new(error).context(path.display().to_string())),
    }
}

/// Returns a C identifier in lower case, made from the name of a file without its extension. One that would not begin
/// with a letter begins with `model_`.
fn identifier(path: &Path) -> String {
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().to_lowercase());
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_lowercase()) { name } else { format!("model_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_array_are_the_bytes_of_the_file() {
        let bytes: Vec<u8> = (0..99).collect();
        let text = c_array(Path::new("out/Spam-2.h"), &bytes, 30);
        assert!(text.contains("static const uint64_t spam_2[13] = {"), "{text}");
        assert!(text.contains("#define SPAM_2_LENGTH 99\n") && text.contains("#define SPAM_2_SCRATCH_WORDS 8\n"));
        let words = text.split_whitespace().filter_map(|word| word.strip_prefix("0x")?.strip_suffix("u,"));
        let found: Vec<u8> = words.flat_map(|word| u64::from_str_radix(word, 16).unwrap().to_le_bytes()).collect();
        assert_eq!(found[..99], bytes);
        assert_eq!(found[99..], [0; 5]);
    }

    #[test]
    fn names_are_identifiers() {
        for (path, name) in
            [("a/model.h", "model"), ("3 words.h", "model_3_words"), ("été.h", "model__t_"), ("_.h", "model__")]
        {
            assert_eq!(identifier(Path::new(path)), name);
        }
    }
}
