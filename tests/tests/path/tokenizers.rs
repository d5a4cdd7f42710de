//! Every tokenizer of the runtime against `tests/reference/tern_text.py`, which was written from `docs/format.md`
//! alone.

use std::fs;

use serde_json::json;
use tern_runtime::testing::{Random, Sizes, metadata, tensors};
use tern_runtime::text::{Encoder, Tokenizer, TokenizerKind};
use tern_runtime::write::{Aligned, Tensor, to_bytes};
use tern_runtime::{Model, Vocabulary};
use tern_tests::{argument, folder, root};

use crate::reference::{compare, hexadecimal, python};

/// Returns tokens of every kind of vocabulary, in the order of their bytes.
fn vocabulary() -> Vec<&'static str> {
    let mut tokens: Vec<_> =
        "!! !!! ##a ##able ##ff ##é ##ing ##ü & :) :-) :d < <3 a aff and call day e free great grüße \
                              i\u{307}stanbul l loved now r t un una σίσυφος हिन्दी 今日は 東 мир \u{fffd} ı ß"
            .split(' ')
            .collect();
    tokens.push(" ");
    tokens.sort_unstable();
    tokens
}

pub const TEXTS: [&str; 16] = [
    "",
    " \t\r\n",
    "Great :-) I <b>LOVED</b> it!!! <br /><br />call NOW :D",
    "Tom &amp; Jerry&nbsp;&lt;3 &quot;q&quot; it&#39;s &apos;a&apos; &amp;lt; &copy &#3",
    "an unclosed <a href and < b> <> </> <!-- x --> <<b>i> <b<i>",
    ":) :( ;-) =( :-/ :/ :\\ :-\\ http://x.org :d :P ;o :pizza :-dx ::-) :-:-) :--) :-",
    "<3 <3! <33 I<3you !!!:-))) (:",
    "unaffable UNA unaff day!!! affable free",
    "Grüße aus KÖLN; STRASSE straße ẞ Œuvre",
    "İstanbul ILIK ılık DİYARBAKIR",
    "Привет, МИР! Ёжик ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ",
    "हिन्दी में क्षत्रिय مرحبا بالعالم",
    "今日は、世界。東京 한국어",
    "👩\u{200d}👩\u{200d}👧 👍🏽 🇫🇷 e\u{301}te\u{301} a\u{200d}b x\u{a0}y\u{2028}z\u{3000}w\u{1c}v\u{85}u",
    "[UNK] [PAD] ##ing ##able",
    "\u{fffd}\u{10ffff}\u{0}\u{feff}",
];

/// Returns texts of random fragments, some with malformed UTF-8.
pub fn random_texts() -> Vec<Vec<u8>> {
    let mut random = Random(11);
    let mut below = |n: usize| usize::try_from(random.between(0, i64::try_from(n).unwrap() - 1)).unwrap();
    let mut texts: Vec<Vec<u8>> = TEXTS.iter().map(|text| text.as_bytes().to_vec()).collect();
    texts.extend(
        [&b"\xff"[..], b"a\xc3 b", b"<b\xe2\x82>", b"\xed\xa0\x80:\x80-)", b"&am\xf0\x9f\x98p;"].map(<[u8]>::to_vec),
    );
    texts.push([b"<a ".to_vec(), b"x".repeat(124), b">y".to_vec()].concat());
    texts.push([b"</a ".to_vec(), b"x".repeat(125), b">y".to_vec()].concat());
    texts.push([b"a".repeat(100), b" ".to_vec(), b"a".repeat(101)].concat());
    let fragments = [
        "<", "</", "<b", ">", "<br />", "&amp;", "&lt;", "&", "am", ";", ":", "-", ")", "(", "=", "d", "P", "3", "/",
        "\\", "!", " ", "\n", "x", "É", "é", "İ", "ß", "Σ", "हि", "今", "👍🏽", "free", "una", "ffable", "##a", "'",
    ];
    for _ in 0..300 {
        let count = 1 + below(25);
        let mut text = Vec::new();
        for _ in 0..count {
            match below(12) {
                0 => text.push(u8::try_from(below(256)).unwrap()),
                1 => {
                    let c = char::from_u32(u32::try_from(below(0x3_0000)).unwrap()).unwrap_or('Я');
                    text.extend(c.to_string().bytes());
                }
                _ => text.extend(fragments[below(fragments.len())].bytes()),
            }
        }
        texts.push(text);
    }
    texts
}

/// Returns the ids of the runtime for a text in chunks of `chunk` bytes.
fn ids(tokenizer: Tokenizer, vocabulary: &Vocabulary<'_>, text: &[u8], chunk: usize) -> Vec<u32> {
    let mut buffer = vec![0; tern_runtime::text::buffer_len(tokenizer)];
    let (mut encoder, mut ids) = (Encoder::new(tokenizer, &mut buffer), Vec::new());
    text.chunks(chunk).for_each(|bytes| encoder.feed(vocabulary, bytes, &mut |id| ids.push(id)));
    encoder.finish(vocabulary, &mut |id| ids.push(id));
    ids
}

#[test]
fn the_reference_gives_the_same_ids() {
    let (folder, tokens, texts) = (folder("tokenizers"), vocabulary(), random_texts());
    let list = folder.join("vocabulary.txt");
    fs::write(&list, tokens.iter().map(hexadecimal).collect::<String>()).unwrap();
    let mut offsets = vec![0];
    offsets.extend(tokens.iter().scan(0, |end, token| {
        *end += u32::try_from(token.len()).unwrap();
        Some(*end)
    }));
    let bytes = tokens.concat();
    let sorted = Vocabulary::sorted(&offsets, bytes.as_bytes()).unwrap();
    let input: String = texts.iter().map(hexadecimal).collect();
    for &tokenizer in Tokenizer::ALL {
        let name = tokenizer.name();
        let vocabulary = if tokenizer.kind == TokenizerKind::Bytes { Vocabulary::BYTES } else { sorted };
        let script = root().join("tests/reference/tern_text.py");
        let Some(found) = python(&folder, &script, &[name, argument(&list)], &input) else { return };
        assert_eq!(found.len(), texts.len());
        let mut known = 0;
        for (found, text) in found.iter().zip(&texts) {
            for chunk in [1, 3, text.len().max(1)] {
                let expected = ids(tokenizer, &vocabulary, text, chunk);
                assert_eq!(found, &json!(expected), "{name} {:?}", String::from_utf8_lossy(text));
                known += expected.iter().filter(|&&id| id > 1).count();
            }
        }
        assert!(known > 30, "{name}: only {known} known tokens");
    }
}

/// Returns the metadata of a random model with other values for some keys.
fn with(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut metadata = metadata("1");
    for (key, word) in &mut metadata {
        if let Some((_, changed)) = changes.iter().find(|(changed, _)| changed == key) {
            *word = (*changed).to_owned();
        }
    }
    metadata
}

#[test]
fn the_reference_runs_a_file_of_every_tokenizer() {
    let folder = folder("tokenizers-files");
    let texts: Vec<Vec<u8>> = random_texts().into_iter().take(40).collect();
    for &tokenizer in Tokenizer::ALL {
        let name = tokenizer.name();
        let bytes = tokenizer.kind == TokenizerKind::Bytes;
        let tokens = vocabulary();
        let mut all = tensors(3, Sizes { embedding_dim: 3, hidden_size: 4, classes: 2 });
        all.retain(|tensor| !tensor.name.starts_with("vocab."));
        if !bytes {
            all.extend(Tensor::texts("vocab", tokens.iter().copied()));
        }
        let rows = if bytes { 258 } else { tokens.len() + 2 };
        for tensor in
            all.iter_mut().filter(|tensor| ["embedding.weight", "embedding.multiplier"].contains(&&*tensor.name))
        {
            let wanted = rows * tensor.data.len() / tensor.shape[0];
            tensor.data = tensor.data.iter().copied().cycle().take(wanted).collect();
            tensor.shape[0] = rows;
        }
        let vocabulary = if bytes { "bytes" } else { "sorted" };
        let words = with(&[("tern.tokenizer", name), ("tern.vocabulary", vocabulary)]);
        let Some(seen) = compare(&folder, &to_bytes(&words, all), &texts) else { return };
        let unknown: u64 = seen.iter().filter_map(|text| text["unknown"].as_u64()).sum();
        let count: u64 = seen.iter().filter_map(|text| text["tokens"].as_u64()).sum();
        assert!(count > 100 && (unknown > 0) != bytes && unknown < count, "{name}: {unknown} of {count} unknown");
    }
}

#[test]
fn the_error_names_an_unknown_tokenizer() {
    let all = tensors(3, Sizes { embedding_dim: 3, hidden_size: 4, classes: 2 });
    let file = Aligned::new(&to_bytes(&with(&[("tern.tokenizer", "syllables")]), all));
    let error = Model::from_bytes(&file).unwrap_err().to_string();
    assert!(error.starts_with("`tern.tokenizer` is `syllables`, expected whitespace, "), "{error}");
}
