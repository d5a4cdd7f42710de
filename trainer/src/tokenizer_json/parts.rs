//! Each tokenizer in the library's parts.

use crate::vocabulary::{MAX_CHARS, UNK_TOKEN, Vocabulary};
use serde_json::{Map, Value, json};
use tern_runtime::text::{Tokenizer, TokenizerKind};
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

/// A tag of HTML, by docs/format.md.
const TAG: &str = "</?[A-Za-z!][^<>]{0,125}>";
/// Entities and what they stand for. `&amp;` comes last: what it leaves is not looked at again.
const ENTITIES: [(&str, &str); 7] = [
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&apos;", "'"),
    ("&#39;", "'"),
    ("&nbsp;", "\u{a0}"),
    ("&amp;", "&"),
];
/// An emoticon, by docs/format.md.
const EMOTICON: &str = r"[:;=]-?[()\[\]{}|*]|[:;=]-[/\\]|[:;=]-?[DPOdpo](?!\w)|<3(?!\w)";
/// Tokens that would be taken for PAD and UNK by their names. Where text is lower-cased or cut at brackets there are none.
const SPECIAL: &str = r"(?<!\S)\[(?:PAD|UNK)\](?!\S)";

fn replace(pattern: ReplacePattern, content: &str) -> tokenizers::Result<NormalizerWrapper> {
    Ok(Replace::new(pattern, content)?.into())
}

pub fn normalizer(tokenizer: Tokenizer) -> tokenizers::Result<Option<NormalizerWrapper>> {
    let mut steps = Vec::new();
    match tokenizer.kind {
        TokenizerKind::HtmlWords => {
            steps.push(replace(ReplacePattern::Regex(TAG.to_owned()), " ")?);
            for (entity, to) in ENTITIES {
                steps.push(replace(entity.into(), to)?);
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
    Ok(match steps.len() {
        0 | 1 => steps.pop(),
        _ => Some(Sequence::new(steps).into()),
    })
}

/// One token for each match of a regular expression; nothing else.
fn matches(regex: &str) -> tokenizers::Result<PreTokenizerWrapper> {
    Ok(Split::new(SplitPattern::Regex(regex.to_owned()), SplitDelimiterBehavior::Removed, true)?.into())
}

pub fn pre_tokenizer(tokenizer: Tokenizer) -> tokenizers::Result<PreTokenizerWrapper> {
    Ok(match tokenizer.kind {
        TokenizerKind::Whitespace => WhitespaceSplit.into(),
        TokenizerKind::Words | TokenizerKind::WordPiece => Whitespace.into(),
        TokenizerKind::HtmlWords => matches(&format!(r"(?:{EMOTICON})|\w+|(?:(?!{EMOTICON})[^\w\s])+"))?,
        TokenizerKind::Chars => matches("(?s:.)")?,
        TokenizerKind::Bytes => {
            let names = ByteLevel::new(false, true, false);
            PreSequence::new(vec![names.into(), matches("(?s:.)")?]).into()
        }
    })
}

pub fn model(vocabulary: &Vocabulary) -> tokenizers::Result<ModelWrapper> {
    let tokens = vocabulary.tokens().iter().cloned();
    if vocabulary.tokenizer().kind != TokenizerKind::WordPiece {
        let ids = tokens.zip(0..).collect();
        return Ok(WordLevel::builder().vocab(ids).unk_token(UNK_TOKEN.to_owned()).build()?.into());
    }
    let ids: Map<String, Value> = tokens.zip((0u32..).map(Value::from)).collect();
    // The library has no other way in but by a hash map of its own.
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

/// What puts tokens together again; words stand apart by a space without one.
pub fn decoder(tokenizer: Tokenizer) -> Option<DecoderWrapper> {
    match tokenizer.kind {
        TokenizerKind::Chars => Some(Fuse::new().into()),
        TokenizerKind::Bytes => Some(ByteLevel::new(false, true, false).into()),
        TokenizerKind::WordPiece => Some(WordPieceDecoder::new("##".to_owned(), false).into()),
        _ => None,
    }
}
