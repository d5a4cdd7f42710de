//! The body of the fuzz target for tokenizers.

use arbitrary::Unstructured;
use tern_runtime::Vocabulary;
use tern_runtime::text::{Encoder, Piece, Splitter, Tokenizer, TokenizerKind, Utf8};

/// The vocabulary, sorted by bytes. A piece that continues a word begins with `##`.
const TOKENS: [&str; 11] = ["!", "##e", "##er", ":)", "a", "call", "caller", "grüße", "the", "w", "мир"];

/// Reads any bytes with any tokenizer: the tokens do not depend on the chunks, there are at most as many as bytes, and
/// their ids are those of the vocabulary.
pub fn tokenizers(data: &[u8]) {
    let mut bytes = Unstructured::new(data);
    let (Ok(cut), Ok(&tokenizer)) = (bytes.int_in_range(1..=17), bytes.choose(Tokenizer::ALL)) else { return };
    let text = bytes.take_rest();
    let whole = split(tokenizer, [text]);
    assert_eq!(split(tokenizer, text.chunks(cut)), whole, "the tokens of {tokenizer:?} depend on the chunks");
    assert!(whole.len() <= text.len());
    assert!(whole.iter().all(|token| !token.is_empty()), "{tokenizer:?} gives an empty token");

    let mut characters = String::new();
    let mut utf8 = Utf8::new();
    text.iter().for_each(|&byte| utf8.feed(byte, |c| characters.push(c)));
    utf8.finish(|c| characters.push(c));
    assert_eq!(characters, String::from_utf8_lossy(text));

    let ids = encode(tokenizer, [text]);
    assert_eq!(encode(tokenizer, text.chunks(cut)), ids);
    // WordPiece may give a word several ids.
    if tokenizer.kind != TokenizerKind::WordPiece {
        // 1 is UNK; the ids of tokens begin at 2.
        let id = |token: &String| TOKENS.iter().position(|known| known == token).map_or(1, |at| at as u32 + 2);
        // The only character of the token has the code of the byte.
        let of_byte = |token: &String| token.chars().next().map_or(0, |c| u32::from(c) + 2);
        let expected =
            whole.iter().map(|token| if tokenizer.kind == TokenizerKind::Bytes { of_byte(token) } else { id(token) });
        assert_eq!(ids, expected.collect::<Vec<_>>());
    }
}

/// Returns the tokens of a text that is read in chunks.
fn split<'t>(tokenizer: Tokenizer, chunks: impl IntoIterator<Item = &'t [u8]>) -> Vec<String> {
    let mut buffer = vec![-1; tern_runtime::text::buffer_len(tokenizer)];
    let mut splitter = Splitter::new(tokenizer, &mut buffer);
    let (mut tokens, mut token) = (Vec::new(), String::new());
    let mut sink = |piece| match piece {
        Piece::Char(c) => token.push(c),
        Piece::End => tokens.push(std::mem::take(&mut token)),
    };
    chunks.into_iter().for_each(|chunk| splitter.feed(chunk, &mut sink));
    splitter.finish(&mut sink);
    assert_eq!(token, "", "{tokenizer:?} leaves a token open");
    tokens
}

/// Returns the ids of the tokens of a text that is read in chunks.
fn encode<'t>(tokenizer: Tokenizer, chunks: impl IntoIterator<Item = &'t [u8]>) -> Vec<u32> {
    let bytes = TOKENS.concat();
    let ends = TOKENS.iter().scan(0, |end, token| {
        *end += token.len() as u32;
        Some(*end)
    });
    let offsets: Vec<u32> = [0].into_iter().chain(ends).collect();
    let sorted = Vocabulary::sorted(&offsets, bytes.as_bytes()).expect("the tokens are in order");
    let vocabulary = if tokenizer.kind == TokenizerKind::Bytes { Vocabulary::BYTES } else { sorted };
    let mut buffer = vec![-1; tern_runtime::text::buffer_len(tokenizer)];
    let mut encoder = Encoder::new(tokenizer, &mut buffer);
    let mut ids = Vec::new();
    chunks.into_iter().for_each(|chunk| encoder.feed(&vocabulary, chunk, &mut |id| ids.push(id)));
    encoder.finish(&vocabulary, &mut |id| ids.push(id));
    ids
}
