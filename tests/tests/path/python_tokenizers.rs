//! `tokenizer.json` in Python's `tokenizers` package, which most people install. It runs regular expressions by
//! Oniguruma, unlike the Rust crate that the trainer uses.

use std::fs;

use tern_runtime::text::{Tokenizer, TokenizerKind};
use tern_tests::{folder, python};
use tern_trainer::{tokenizer_json, vocabulary::Vocabulary};

use crate::tokenizers::{TEXTS, random_texts};

/// Reads a JSON list of texts and prints the ids of each as a JSON list.
const SCRIPT: &str = r#"
import json, sys
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(sys.argv[1])
for text in json.load(open(sys.argv[2], encoding="utf-8")):
    print(json.dumps(tokenizer.encode(text).ids))
"#;

/// Texts that regular expression engines split differently: joined emoji, superscripts, fractions, digits of other
/// scripts.
const HARD: [&str; 6] = [
    "ride 👩\u{200d}👩\u{200d}👧 home",
    "love ❤\u{fe0f}\u{200d}🔥 it :D",
    "area 20 m² ok, add 3¼ cups",
    "①②③ Ⅳ ⅳ ٣٤ १२ x\u{200c}y _a_ a\u{301}",
    "line\nbreak\r\n\u{2028}end\u{85}x",
    ":Dx :D. <3y <3",
];

#[test]
fn the_python_package_gives_the_same_ids_as_the_trainer() {
    let folder = folder("python-tokenizers");
    let mut texts: Vec<String> = TEXTS.iter().chain(&HARD).map(ToString::to_string).collect();
    texts.extend(random_texts().into_iter().filter_map(|bytes| String::from_utf8(bytes).ok()));
    let ordinary = texts.len();
    // Each character of the first three planes between letters. Changes of case differ between Unicode versions, so
    // lower-casing tokenizers do not read these.
    let characters: Vec<char> = ('\u{20}'..'\u{3_2000}').collect();
    texts.extend(characters.chunks(512).map(|chunk| chunk.iter().map(|c| format!("a{c}b {c} ")).collect()));
    for &tokenizer in Tokenizer::ALL {
        let name = tokenizer.name();
        let count = if tokenizer.lowercase || tokenizer.kind == TokenizerKind::Bytes { ordinary } else { texts.len() };
        let texts = &texts[..count];
        let vocabulary = Vocabulary::build_for(tokenizer, texts.iter().map(String::as_str), 1, None);
        let (model, list) = (folder.join(format!("{name}.json")), folder.join("texts.json"));
        fs::write(&model, tokenizer_json::write(&vocabulary).unwrap()).unwrap();
        fs::write(&list, serde_json::to_string(texts).unwrap()).unwrap();
        let Some(stdout) = python(SCRIPT, &[&model, &list]) else { return };
        assert_eq!(stdout.lines().count(), count, "{name}");
        for (line, text) in stdout.lines().zip(texts) {
            let ids: Vec<u32> = serde_json::from_str(line).unwrap();
            assert!(ids == vocabulary.encode(text), "{name}: {text:?}");
        }
    }
}
