//! Tests of vocabularies of every tokenizer.

use super::*;

fn build(min_count: usize, max_size: Option<usize>) -> Vec<String> {
    Vocabulary::build(["b a b", "c! a B"].into_iter(), min_count, max_size).tokens
}

#[test]
fn frequent_tokens_first_then_by_bytes() {
    assert_eq!(build(1, None), ["[PAD]", "[UNK]", "b", "a", "!", "c"]);
    assert_eq!(build(2, None), ["[PAD]", "[UNK]", "b", "a"]);
    assert_eq!(build(1, Some(5)), ["[PAD]", "[UNK]", "b", "a", "!"]);
}

#[test]
fn encodes_known_and_unknown_tokens() {
    let vocabulary = Vocabulary::build(["b a b"].into_iter(), 1, None);
    assert_eq!(vocabulary.encode("A  x,B"), [3, UNK, UNK, 2]);
    assert!(vocabulary.encode(" \t").is_empty());
}

#[test]
fn words_named_like_special_tokens_are_unknown() {
    let vocabulary = Vocabulary::build(["[pad] [unk]"].into_iter(), 1, None);
    assert!(!vocabulary.encode("[PAD]").contains(&PAD));
    assert_eq!(vocabulary.encode("[UNK]"), vocabulary.encode("[unk]"));
}

#[test]
fn invalid_lists_of_tokens_are_refused() {
    let list =
        |tokens: &[&str]| Vocabulary::from_tokens(Tokenizer::WORDS, tokens.iter().map(|t| t.to_string()).collect());
    assert!(list(&["[PAD]", "[UNK]", "a"]).is_ok());
    assert!(list(&["[PAD]"]).unwrap_err().contains("[UNK]"));
    assert!(list(&["[PAD]", "[UNK]", "a", "a"]).unwrap_err().contains("two ids"));
}

fn tokenizer(name: &str) -> Tokenizer {
    Tokenizer::from_name(name).unwrap()
}

fn build_for(name: &str, texts: &[&str], min_count: usize, max_size: Option<usize>) -> Vocabulary {
    Vocabulary::build_for(tokenizer(name), texts.iter().copied(), min_count, max_size)
}

#[test]
fn words_named_like_special_tokens_are_unknown_with_case() {
    let vocabulary = build_for("whitespace_cased", &["[PAD] [UNK] a a"], 1, None);
    assert_eq!(vocabulary.tokens(), ["[PAD]", "[UNK]", "a"]);
    assert_eq!(vocabulary.encode("[PAD] [UNK] a"), [UNK, UNK, 2]);
}

#[test]
fn characters_have_ids_and_white_space_is_one() {
    let vocabulary = build_for("chars_cased", &["aab a"], 1, None);
    assert_eq!(vocabulary.tokens(), ["[PAD]", "[UNK]", "a", " ", "b"]);
    assert_eq!(vocabulary.encode("A b"), [UNK, 3, 4]);
    assert_eq!(build_for("chars", &["AaB"], 1, None).tokens(), ["[PAD]", "[UNK]", "a", "b"]);
}

#[test]
fn a_vocabulary_of_bytes_has_all_bytes() {
    let vocabulary = build_for("bytes", &[], 9, Some(3));
    assert_eq!(vocabulary.len(), 258);
    assert_eq!(vocabulary.encode("a\u{ff}"), [99, 197, 193]);
    assert_eq!(vocabulary.device_order(), (0..258).collect::<Vec<u32>>());
    let mut swapped = vocabulary.tokens().to_vec();
    swapped.swap(5, 6);
    assert!(Vocabulary::from_tokens(tokenizer("bytes"), swapped).unwrap_err().contains("256 bytes"));
}

const WORDS: [&str; 2] = ["cold colder coldest told tolder", "hold holder holding hold fold Folding, q"];

#[test]
fn pieces_fit_the_maximum_size_and_all_occur() {
    let texts = WORDS.map(|text| text.repeat(3));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for size in [30, 40, 60] {
        let vocabulary = build_for("wordpiece", &texts, 2, Some(size));
        assert!(vocabulary.len() <= size, "{size}: {:?}", vocabulary.tokens());
        let mut unused: Vec<u32> = (2..vocabulary.len() as u32).collect();
        let mut count = vec![0; vocabulary.len()];
        for id in texts.iter().flat_map(|text| vocabulary.encode(text)) {
            unused.retain(|&other| other != id);
            count[id as usize] += 1;
        }
        assert_eq!(unused, [0; 0], "{:?}", vocabulary.tokens());
        assert!(count[2..].is_sorted_by(|a, b| a >= b), "{count:?}");
        // Of 15 letters the least frequent is one too many for half of 28 places.
        assert_eq!(count[UNK as usize], if size == 30 { 3 } else { 0 });
    }
    let vocabulary = build_for("wordpiece", &texts, 2, Some(60));
    assert!(vocabulary.tokens().iter().any(|token| token == "##old"), "{:?}", vocabulary.tokens());
    assert_eq!(vocabulary.decode(&vocabulary.encode("fold molder q")), "fold [UNK] q");
    assert!(!vocabulary.encode("boldest").contains(&PAD));
}

#[test]
fn the_suggested_tokenizer_follows_the_script_and_the_length_of_texts() {
    for (texts, expected) in [
        (&["see you at lunch", "free prize now"][..], TokenizerKind::Words),
        (&["Увидимся за обедом", "한국어 텍스트 입니다"], TokenizerKind::Words),
        (&["房间干净服务很好", "早餐难吃 not good"], TokenizerKind::Chars),
        (&["อาหารอร่อยมาก ชอบมาก", "บริการดี"], TokenizerKind::Chars),
        (&["きょうは天気がいい"], TokenizerKind::Chars),
        (&["Ivanov", "Rossi", "O'Brien", "van Dyke"], TokenizerKind::Chars),
        (&["", "  ", "two words"], TokenizerKind::Words),
        (&[], TokenizerKind::Words),
    ] {
        assert_eq!(suggested_tokenizer(texts.iter().copied()), expected, "{texts:?}");
    }
}

#[test]
fn rare_letters_have_no_piece() {
    let vocabulary = build_for("wordpiece", &["aa aa aa x"], 2, None);
    assert_eq!(vocabulary.encode("aa x"), [2, UNK]);
    // Half of the room is for letters: of four the two most frequent.
    let vocabulary = build_for("wordpiece", &["a a a a b b b c c d d"], 1, Some(6));
    assert_eq!(vocabulary.tokens(), ["[PAD]", "[UNK]", "a", "b"]);
}

#[test]
fn each_token_is_spelt_as_in_the_text() {
    let spellings = |name: &str, texts: &[&str], text: &str| -> Vec<String> {
        let vocabulary = build_for(name, texts, 1, Some(60));
        let mut spellings = Spellings::new(vocabulary.tokenizer(), text);
        let mut next = |id| spellings.next((id != UNK).then(|| vocabulary.tokens()[id as usize].as_str()));
        vocabulary.encode(text).into_iter().map(&mut next).collect()
    };
    assert_eq!(spellings("words", &["free prize"], "FREE lunch!!"), ["free", "lunch", "!!"]);
    assert_eq!(spellings("chars_cased", &["free"], "fx e"), ["f", "x", " ", "e"]);
    assert_eq!(spellings("bytes", &[], "a é"), ["a", "Ġ", "Ã", "©"]);
    let pieces = spellings("wordpiece", &WORDS, "Colder xyz holding, bold cold");
    assert_eq!(pieces.join(" ").replace(" ##", ""), "colder xyz holding , bold cold");
    assert!(pieces.contains(&"xyz".to_owned()) && pieces.contains(&"bold".to_owned()), "{pieces:?}");
}

#[test]
fn names_of_bytes_are_those_of_the_library() {
    let names: std::collections::HashSet<char> = (0..=255).map(byte_name).collect();
    assert_eq!(names, tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect());
    assert_eq!([b' ', b'\n', b'a', 0xad, 0x7f].map(byte_name), ['Ġ', 'Ċ', 'a', 'Ń', 'ġ']);
}
