//! The components of the `tokenizers` library that make up each tokenizer of the device.
//!
//! The library runs regular expressions with Oniguruma in its Python package and with fancy-regex in the Rust crate.
//! The two engines disagree about `\w` and about flags such as `(?s:.)`, so the expressions here use neither `\w` nor
//! flags.

use crate::vocabulary::{MAX_CHARS, UNK_TOKEN, Vocabulary};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use tern_runtime::text::{Tokenizer, TokenizerKind, is_word};
use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::ModelWrapper;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Replace, Sequence, replace::ReplacePattern};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreSequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::pre_tokenizers::whitespace::{Whitespace, WhitespaceSplit};
use tokenizers::tokenizer::SplitDelimiterBehavior;

/// An HTML tag as docs/format.md defines it.
const TAG: &str = "</?[A-Za-z!][^<>]{0,125}>";
/// HTML entities and their replacements, in the order in which they are replaced. `&amp;` is last, so that `&amp;lt;`
/// becomes `&lt;`.
const ENTITIES: [(&str, &str); 7] = [
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&apos;", "'"),
    ("&#39;", "'"),
    ("&nbsp;", "\u{a0}"),
    ("&amp;", "&"),
];
/// An emoticon that ends in punctuation, and is recognised wherever it occurs.
const EMOTICON: &str = r"[:;=]-?[()\[\]{}|*]|[:;=]-[/\\]";
/// An emoticon that ends in a letter or digit, and is recognised only if no word character follows.
const LETTER_EMOTICON: &str = "[:;=]-?[DPOdpo]|<3";
/// Literal `[PAD]` and `[UNK]` between white space. They become unknown tokens. Only the tokenizer `whitespace` without
/// lower-casing can produce them: the others lower-case the text or split at brackets.
const SPECIAL: &str = r"(?<!\S)\[(?:PAD|UNK)\](?!\S)";
/// Any character, line breaks included.
const ANY_CHARACTER: &str = r"[\s\S]";

/// A character class of all word characters. It lists their ranges instead of `\w`, so that every version of the
/// library gives the ids of the device, whatever the Unicode version of the library is.
static WORD: LazyLock<String> = LazyLock::new(|| {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for code in (0..=u32::from(char::MAX)).filter(|&code| char::from_u32(code).is_some_and(is_word)) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == code => *last = code,
            _ => ranges.push((code, code)),
        }
    }
    let ranges: String = ranges.iter().map(|(first, last)| format!(r"\x{{{first:x}}}-\x{{{last:x}}}")).collect();
    format!("[{ranges}]")
});

/// Returns a step of a normalizer that replaces each match of `pattern` by `content`.
fn replace(pattern: ReplacePattern, content: &str) -> tokenizers::Result<NormalizerWrapper> {
    Ok(Replace::new(pattern, content)?.into())
}

/// Returns the normalizer of a tokenizer; `None` if it changes nothing.
pub fn normalizer(tokenizer: Tokenizer) -> tokenizers::Result<Option<NormalizerWrapper>> {
    let mut steps = Vec::new();
    match tokenizer.kind {
        TokenizerKind::HtmlWords => {
            steps.push(replace(ReplacePattern::Regex(TAG.to_owned()), " ")?);
            for (entity, replacement) in ENTITIES {
                steps.push(replace(entity.into(), replacement)?);
            }
        }
        TokenizerKind::Whitespace if !tokenizer.lowercase => {
            steps.push(replace(ReplacePattern::Regex(SPECIAL.to_owned()), UNK_TOKEN)?);
        }
        _ => {}
    }
    if tokenizer.lowercase {
        steps.push(Lowercase.into());
    }
    // A single step needs no sequence.
    Ok(if steps.len() > 1 { Some(Sequence::new(steps).into()) } else { steps.pop() })
}

/// Returns a pre-tokenizer that turns each match of `regex`, and the text between two matches, into a token.
fn split_around(regex: String) -> tokenizers::Result<PreTokenizerWrapper> {
    Ok(Split::new(SplitPattern::Regex(regex), SplitDelimiterBehavior::Isolated, false)?.into())
}

/// Returns the component that represents each byte by a character, without GPT-2's prefix space and regular expression.
fn byte_level() -> ByteLevel {
    let (add_prefix_space, trim_offsets, use_regex) = (false, true, false);
    ByteLevel::new(add_prefix_space, trim_offsets, use_regex)
}

/// Returns the pre-tokenizer of a tokenizer, which cuts the normalised text.
pub fn pre_tokenizer(tokenizer: Tokenizer) -> tokenizers::Result<PreTokenizerWrapper> {
    Ok(match tokenizer.kind {
        TokenizerKind::Whitespace => WhitespaceSplit.into(),
        TokenizerKind::Words | TokenizerKind::WordPiece => Whitespace.into(),
        TokenizerKind::HtmlWords => {
            let word = &*WORD;
            let emoticons = split_around(format!("{EMOTICON}|(?:{LETTER_EMOTICON})(?!{word})"))?;
            // The first alternative matches a whole emoticon, which the step before has isolated, so that it is not
            // split.
            let words = split_around(format!(r"\A(?:{EMOTICON}|{LETTER_EMOTICON})\z|{word}+"))?;
            PreSequence::new(vec![WhitespaceSplit.into(), emoticons, words]).into()
        }
        TokenizerKind::Chars => split_around(ANY_CHARACTER.to_owned())?,
        TokenizerKind::Bytes => {
            PreSequence::new(vec![byte_level().into(), split_around(ANY_CHARACTER.to_owned())?]).into()
        }
    })
}

/// Returns the model of a vocabulary: `WordPiece` for the tokenizer `wordpiece`, `WordLevel` for all others.
pub fn model(vocabulary: &Vocabulary) -> tokenizers::Result<ModelWrapper> {
    let tokens = vocabulary.tokens().iter().cloned();
    if vocabulary.tokenizer().kind != TokenizerKind::WordPiece {
        let ids = tokens.zip(0..).collect();
        return Ok(WordLevel::builder().vocab(ids).unk_token(UNK_TOKEN.to_owned()).build()?.into());
    }
    let ids: Map<String, Value> = tokens.zip((0u32..).map(Value::from)).collect();
    // The library's builder takes its own hash map type, which it does not export.
    let json = json!({
        "type": "WordPiece",
        "unk_token": UNK_TOKEN,
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": MAX_CHARS,
        "vocab": ids,
    });
    let model: WordPiece = serde_json::from_str(&json.to_string())?;
    Ok(model.into())
}

/// Returns the decoder of a tokenizer, which joins its tokens to a text; `None` to join them by spaces, as the library
/// does without a decoder.
pub fn decoder(tokenizer: Tokenizer) -> Option<DecoderWrapper> {
    match tokenizer.kind {
        TokenizerKind::Chars => Some(Fuse::new().into()),
        TokenizerKind::Bytes => Some(byte_level().into()),
        TokenizerKind::WordPiece => Some(WordPieceDecoder::new("##".to_owned(), false).into()),
        _ => None,
    }
}
