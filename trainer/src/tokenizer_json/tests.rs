//! Compares the ids of the `tokenizers` library with those of the runtime, for every tokenizer.

use super::*;
use proptest::prelude::*;
use tern_runtime::text::Tokenizer as Kind;

const TEXTS: [&str; 12] = [
    "WINNER!! You've won £1,000 — call 0800-123 NOW...",
    "Übergröße, STRASSE straße ẞ; naïve café déjà-vu",
    "İstanbul'da ılık bir gün; DİYARBAKIR",
    "Привет, мир! ЁЖИК и Щука",
    "东京タワー、こんにちは世界。 한국어 텍스트",
    "مرحبا بالعالم، كيف الحال؟ हिन्दी में पाठ",
    "👍🏽 emoji 👨‍👩‍👧 flags 🇫🇷 ©®™ a_b snake_case 3.14",
    "ΟΔΥΣΣΕΥΣ Σίσυφος [UNK] [PAD] [unk] <br /><br />",
    "tabs\tand\u{a0}no-break\u{2009}thin\u{200d}joiner\u{ad}soft zero\u{200b}width\r\nline\u{85}",
    "Great :-) I <b>loved</b> it!!!:-(( Tom &amp; Jerry&nbsp;&lt;3 &quot;x&#39; :D :pizza http://x.org",
    "an unclosed <a href and <3 hearts, &copy; &amp;lt; [UNK][PAD] ##ing unaffable unaffordable",
    "cold colder coldest told tolder holding folding scolding",
];

fn vocabulary(kind: Kind, also: &str) -> Vocabulary {
    Vocabulary::build_for(kind, TEXTS.into_iter().chain([also]), 1, Some(400))
}

fn all() -> impl Iterator<Item = Kind> {
    Kind::ALL.iter().copied()
}

fn library(vocabulary: &Vocabulary) -> Tokenizer {
    Tokenizer::from_bytes(write(vocabulary).unwrap()).unwrap()
}

#[test]
fn the_library_gives_the_same_ids() {
    for kind in all() {
        let vocabulary = vocabulary(kind, "");
        let library = library(&vocabulary);
        for text in TEXTS {
            let ids = vocabulary.encode(text);
            assert_eq!(library.encode(text, true).unwrap().get_ids(), ids, "{} {text}", kind.name());
            assert!(!ids.contains(&PAD), "{} {text}", kind.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_library_gives_the_same_ids_on_any_text(text in "\\PC{0,60}|[ -~İßΣς\u{300}-\u{310}\n]{0,60}|.{0,40}") {
        for kind in all() {
            let vocabulary = vocabulary(kind, &text);
            let library = tokenizer(&vocabulary).unwrap();
            let encoding = library.encode(text.as_str(), true).unwrap();
            prop_assert_eq!(encoding.get_ids(), vocabulary.encode(&text), "{}", kind.name());
        }
    }

    #[test]
    fn the_library_gives_the_same_ids_on_html(
        text in "(</?[a-z!]|<|>|/|&(amp|lt|gt|quot|apos|nbsp|#39|am|#3)?;?|[:;=]|-|[)(|*]|[dpo3DPO]| |!|\u{e9}|[x-z]|\\[UNK\\]|\\[PAD\\]){0,40}"
    ) {
        for kind in all() {
            let vocabulary = vocabulary(kind, "");
            let library = tokenizer(&vocabulary).unwrap();
            let encoding = library.encode(text.as_str(), true).unwrap();
            prop_assert_eq!(encoding.get_ids(), vocabulary.encode(&text), "{}", kind.name());
        }
    }
}

#[test]
fn the_library_decodes_to_the_same_text() {
    let decoded = |name: &str, text: &str| {
        let vocabulary = vocabulary(Kind::from_name(name).unwrap(), "");
        let ids = vocabulary.encode(text);
        let ours = vocabulary.decode(&ids);
        assert_eq!(library(&vocabulary).decode(&ids, false).unwrap(), ours, "{name}");
        ours
    };
    assert_eq!(decoded("words", "Call NOW... xyzzy"), "call now ... [UNK]");
    assert_eq!(decoded("chars_cased", "Tom NOW"), "Tom NOW");
    assert_eq!(decoded("bytes", "Grüße\n👍🏽"), "Grüße\n👍🏽");
    assert_eq!(decoded("wordpiece", "Colder holding"), "colder holding");
}

#[test]
fn a_written_file_is_read_back() {
    for kind in all() {
        let vocabulary = vocabulary(kind, "");
        assert_eq!(read(&write(&vocabulary).unwrap(), kind), Ok(vocabulary));
    }
}

#[test]
fn writing_is_deterministic() {
    for kind in all() {
        assert_eq!(write(&vocabulary(kind, "")).unwrap(), write(&vocabulary(kind, "")).unwrap(), "{}", kind.name());
    }
}

#[test]
fn errors_have_what_was_found_and_expected() {
    let good = write(&vocabulary(Kind::WORDS, "")).unwrap();
    for (from, to, expected) in [
        ("\"Lowercase\"", "\"NFC\"", "normalizer is {\"type\":\"NFC\"}, expected {\"type\":\"Lowercase\"}"),
        ("\"WordLevel\"", "\"BPE\"", "model.type is \"BPE\", expected \"WordLevel\" for the tokenizer \"words\""),
        ("\"[UNK]\": 1", "\"[UNK]\": 2", "expected each id below"),
        ("\"vocab\"", "\"words\"", "model.vocab is missing"),
        ("{", "", "not JSON"),
    ] {
        let error = read(&good.replacen(from, to, 1), Kind::WORDS).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    for kind in all() {
        let written = write(&vocabulary(kind, "")).unwrap();
        for other in all().filter(|&other| other != kind) {
            assert!(read(&written, other).is_err(), "{} read as {}", kind.name(), other.name());
        }
    }
}
