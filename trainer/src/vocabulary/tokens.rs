//! Splitting texts into tokens, and the order of tokens in a device file.

use tern_runtime::text::{Piece, Splitter, Tokenizer, TokenizerKind};

/// The name of [`PAD`](super::PAD). The same word in a text is an unknown token.
pub const PAD_TOKEN: &str = "[PAD]";
/// The name of [`UNK`](super::UNK).
pub const UNK_TOKEN: &str = "[UNK]";
/// Number of reserved ids, which come before all others: PAD and UNK.
pub const RESERVED_IDS: usize = 2;

/// Calls `sink` with each token of `text`. For WordPiece these are whole words, which are split later. For `bytes`,
/// each byte is given as the character that represents it in byte-level vocabularies such as GPT-2's.
pub fn for_each_token(tokenizer: Tokenizer, text: &str, mut sink: impl FnMut(&str)) {
    let mut token = String::new();
    // A piece is a character (or a byte, for the tokenizer `bytes`) of a token, or the end of a token.
    let mut take_piece = |piece| match piece {
        Piece::Char(c) if tokenizer.kind == TokenizerKind::Bytes => token.push(byte_name(c as u8)),
        Piece::Char(c) => token.push(c),
        Piece::End => {
            sink(&token);
            token.clear();
        }
    };
    let mut buffer = vec![0; tern_runtime::text::buffer_len(tokenizer)];
    let mut splitter = Splitter::new(tokenizer, &mut buffer);
    splitter.feed(text.as_bytes(), &mut take_piece);
    splitter.finish(&mut take_piece);
}

/// Returns the visible character that represents a byte in byte-level vocabularies such as GPT-2's: the byte's
/// character in Latin-1 if that is visible. The other bytes, in ascending order, have the characters from U+0100 on.
pub(super) fn byte_name(byte: u8) -> char {
    let is_visible = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if is_visible(byte) {
        return char::from(byte);
    }
    let invisible_before = (0..byte).filter(|&other| !is_visible(other)).count() as u32;
    char::from_u32(0x100 + invisible_before).expect("every number from 0x100 to 0x1ff is a character")
}

/// Returns the float id (the id in the float model) of each device id (the id in the device file). The ids of a device
/// file are those of PAD and UNK, then those of the other tokens sorted by their bytes. `tokens`: by float id.
pub(super) fn device_order(tokens: &[String]) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..tokens.len() as u32).collect();
    ids[RESERVED_IDS..].sort_by_key(|&id| tokens[id as usize].as_bytes());
    ids
}

/// Returns the tokens of `text`; see [`for_each_token`].
pub fn tokens(tokenizer: Tokenizer, text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for_each_token(tokenizer, text, |token| tokens.push(token.to_owned()));
    tokens
}
