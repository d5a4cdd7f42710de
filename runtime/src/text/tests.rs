//! Tests of the splitter against the regular expressions that define it, and of its tables against their sources.

use super::*;
use crate::golden::assert_golden;
use proptest::prelude::*;
use std::{collections::HashMap, fmt::Write, string::String, sync::LazyLock, vec, vec::Vec};

fn tokens<'a>(tokenizer: Tokenizer, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut done = vec![];
    let mut token = String::new();
    let mut sink = |piece| match piece {
        Piece::Char(c) => token.push(c),
        Piece::End => done.push(core::mem::take(&mut token)),
    };
    let mut buffer = vec![-1; crate::text::buffer_len(tokenizer)];
    let mut splitter = Splitter::new(tokenizer, &mut buffer);
    for chunk in chunks {
        splitter.feed(chunk, &mut sink);
    }
    splitter.finish(&mut sink);
    // The splitter is at the beginning again: nothing of this text shows in another.
    splitter.finish(&mut sink);
    assert_eq!(token, "", "a token was left open");
    done
}

#[test]
fn a_table_without_texts_takes_no_bytes_of_a_file() {
    assert_eq!(texts::Texts::EMPTY.byte_len(), 0);
    assert_eq!(texts::Texts::new(&[0, 2, 2], b"ab").unwrap().byte_len(), 3 * 4 + 2);
}

const EMOTICON: &str = r"[:;=]-?[()\[\]{}|*]|[:;=]-[/\\]|[:;=]-?[DPOdpo](?!\w)|<3(?!\w)";
const TAG: &str = "</?[A-Za-z!][^<>]{0,125}>";

/// The regular expression of a kind's tokens.
fn source(kind: TokenizerKind) -> String {
    match kind {
        TokenizerKind::Whitespace => r"\S+".into(),
        TokenizerKind::Words | TokenizerKind::WordPiece => r"\w+|[^\w\s]+".into(),
        TokenizerKind::Chars => "(?s).".into(),
        TokenizerKind::HtmlWords => std::format!(r"(?:{EMOTICON})|\w+|(?:(?!{EMOTICON})[^\w\s])+"),
        TokenizerKind::Bytes => "".into(),
    }
}

static REGEXES: LazyLock<HashMap<TokenizerKind, fancy_regex::Regex>> = LazyLock::new(|| {
    all().map(|tokenizer| (tokenizer.kind, fancy_regex::Regex::new(&source(tokenizer.kind)).unwrap())).collect()
});
static TAGS: LazyLock<regex::Regex> = LazyLock::new(|| regex::Regex::new(TAG).unwrap());

/// The definition, as docs/format.md gives it.
fn defined(tokenizer: Tokenizer, bytes: &[u8]) -> Vec<String> {
    if tokenizer.kind == TokenizerKind::Bytes {
        return bytes.iter().map(|&byte| char::from(byte).into()).collect();
    }
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if tokenizer.kind == TokenizerKind::HtmlWords {
        text = TAGS.replace_all(&text, " ").into_owned();
        let entities = [("lt", "<"), ("gt", ">"), ("quot", "\""), ("apos", "'"), ("#39", "'"), ("nbsp", "\u{a0}")];
        for (name, to) in entities.into_iter().chain([("amp", "&")]) {
            text = text.replace(&std::format!("&{name};"), to);
        }
    }
    if tokenizer.lowercase {
        text = text.chars().flat_map(char::to_lowercase).collect();
    }
    REGEXES[&tokenizer.kind].find_iter(&text).map(|m| m.unwrap().as_str().into()).collect()
}

fn all() -> impl Iterator<Item = Tokenizer> {
    Tokenizer::ALL.iter().copied()
}

fn named(name: &str) -> Tokenizer {
    Tokenizer::from_name(name).unwrap()
}

#[test]
fn every_tokenizer_is_its_definition_in_many_scripts() {
    for tokenizer in all() {
        for text in SCRIPTS.iter().chain(&HTML) {
            let expected = defined(tokenizer, text.as_bytes());
            assert_eq!(tokens(tokenizer, [text.as_bytes()]), expected, "{} {text}", tokenizer.name());
            assert_eq!(tokens(tokenizer, text.as_bytes().chunks(1)), expected, "{} {text}", tokenizer.name());
        }
    }
}

const SCRIPTS: [&str; 12] = [
    "Free PRIZE!!! call 0800-123, now :-)",
    "Grüße aus KÖLN, ÇA VA? Œuvre d'art; STRASSE straße ẞ",
    "Привет, МИР! ЁЖИК ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ",
    "हिन्दी में क्षत्रिय",
    "今日は、世界。 東京タワー 한국어 İstanbul'da DİYARBAKIR ILIK ılık DŽ ẞ",
    "مرحبا بالعالم، كيف الحال؟",
    "e\u{301}te\u{301} a\u{200d}b 👩\u{200d}👧 👍🏽 🇫🇷 \u{2028}x\u{a0}y",
    "\u{1c}a\u{85}b\u{200b}c\u{feff}d\u{0}e",
    "[PAD] [UNK] [pad] ##ing a##b",
    "",
    " \t\r\n",
    "\u{10ffff}\u{fffd}",
];

const HTML: [&str; 20] = [
    "Great film :-) I <b>loved</b> it!!! :-( <br /><br />See you;) :D",
    "a<br>b</p><!-- note --><!DOCTYPE html> c < d > e <> </> </ b> < b>",
    "<<b>i> <b<i>x <a href=\"x.html?a=1&amp;b=2\" title='ünï'>link</a> unclosed <b and more",
    "Tom &amp; Jerry &lt;3 &quot;q&quot; it&#39;s it&apos;s a&nbsp;b &copy; &amp;lt; &&amp; &am<b>p; &amp &#3 &#39",
    ":) :( :] :[ :} :{ :| :* ;-) =) =( :-/ :-\\ :/ :\\ http://x.org",
    ":d :D :p :P ;o :O :pizza :-D :-dx =p= :d:d :-:-) ::-) :--) :-",
    "<3 <3! x<3y <33 I<3you <",
    "!!!:-)))",
    "(:-)(:",
    ":",
    ":d",
    ":-d",
    "<",
    "<3",
    "<b",
    "</",
    "<b>",
    "&",
    "&lt",
    "&lt;b&gt;",
];

#[test]
fn html_words_by_example() {
    let tokenizer = named("html_words");
    for (text, expected) in [
        ("Great :-) I <b>LOVED</b> it<br />all", "great|:-)|i|loved|it|all"),
        ("wow!!!:-))) :D", "wow|!!!|:-)|))|:d"),
        ("1 < 2 and <unclosed", "1|<|2|and|<|unclosed"),
        ("Tom &amp; Jerry&nbsp;&lt;b&gt; &amp;lt; &#39;", "tom|&|jerry|<|b|>|&|lt|;|'"),
        ("I <3 http://x.org :pizza", "i|<3|http|://|x|.|org|:|pizza"),
    ] {
        assert_eq!(tokens(tokenizer, [text.as_bytes()]).join("|"), expected, "{text}");
    }
    assert_eq!(tokens(named("html_words_cased"), [&b"GREAT :D :-P"[..]]), ["GREAT", ":D", ":-P"]);
}

#[test]
fn the_longest_tag_has_the_length_in_the_format() {
    let tokenizer = named("html_words");
    for (length, stripped) in [(125, true), (126, false)] {
        for open in ["<b", "</b", "<!"] {
            for filling in ["x", "é"] {
                let text = std::format!("1{open}{}>2", filling.repeat(length));
                let found = tokens(tokenizer, text.as_bytes().chunks(3));
                assert_eq!(found, defined(tokenizer, text.as_bytes()));
                assert_eq!(found == ["1", "2"], stripped, "{found:?}");
            }
        }
    }
}

#[test]
fn broken_utf8_is_the_replacement_character() {
    for bytes in [
        &b"a\xffb"[..],
        b"\xc3",
        b"\xe2\x82",
        b"\xe2\x82x",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98",
        b"\xf4\x90\x80\x80",
        b"\xc0\x80\xe0\x80\x80\xf8\x88",
    ] {
        for tokenizer in all() {
            assert_eq!(tokens(tokenizer, [bytes]), defined(tokenizer, bytes), "{} {bytes:x?}", tokenizer.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_text_in_any_chunks(text in "(\\PC|[ a-zA-Z\t\n]|\\p{L}|\\p{M}){0,40}", cuts in prop::collection::vec(1usize..5, 1..8)) {
        for tokenizer in all() {
            prop_assert_eq!(tokens(tokenizer, chunks(&text, &cuts)), defined(tokenizer, text.as_bytes()), "{}", tokenizer.name());
        }
    }

    /// Text of little else than tags, entities and emoticons, whole and broken.
    #[test]
    fn any_html_in_any_chunks(
        text in "(</?[a-z!]|<|>|/|&(amp|lt|gt|quot|apos|nbsp|#39|am|#3)?;?|[:;=]|-|[)(|*]|[dpo3DPO]| |!|\u{e9}|[x-z]){0,30}",
        cuts in prop::collection::vec(1usize..5, 1..8),
    ) {
        for tokenizer in ["html_words", "html_words_cased"].map(named) {
            prop_assert_eq!(tokens(tokenizer, chunks(&text, &cuts)), defined(tokenizer, text.as_bytes()), "{}", tokenizer.name());
        }
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for tokenizer in all() {
            prop_assert_eq!(tokens(tokenizer, bytes.chunks(1)), defined(tokenizer, &bytes), "{}", tokenizer.name());
        }
    }
}

/// A text cut into chunks of these lengths, over and over.
fn chunks<'t>(text: &'t str, cuts: &[usize]) -> Vec<&'t [u8]> {
    let mut chunks = vec![];
    let mut rest = text.as_bytes();
    for &cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at(cut.min(rest.len()));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

#[test]
fn word_table() {
    let regex = regex::Regex::new(r"^\w$").unwrap();
    let mut ranges: Vec<(u32, u32)> = vec![];
    let mut buffer = [0; 4];
    for c in '\u{80}'..=char::MAX {
        if regex.is_match(c.encode_utf8(&mut buffer)) {
            let code = u32::from(c);
            match ranges.last_mut() {
                Some((first, length)) if *first + *length == code && *length < 0x800 => *length += 1,
                _ => ranges.push((code, 1)),
            }
        }
    }
    let mut made = String::from("// made by the test word_table from the regex crate's \\w; see tests.rs\n[\n");
    for (first, length) in ranges {
        writeln!(made, "    0x{:08x},", first << 11 | (length - 1)).unwrap();
    }
    made.push_str("]\n");
    assert_golden("src/text/tables/word.in", made.as_bytes());
    for c in '\0'..=char::MAX {
        assert_eq!(is_word(c), regex.is_match(c.encode_utf8(&mut buffer)), "{c:?}");
        assert_eq!(characters::is_space(c), c.is_whitespace(), "{c:?}");
    }
}

#[test]
fn lower_table() {
    let mut runs: Vec<(u32, u32, i32)> = vec![]; // first, count, delta
    for c in '\u{80}'..=char::MAX {
        let mut lower = c.to_lowercase();
        let (Some(to), None) = (lower.next(), lower.next()) else { continue };
        if to == c {
            continue;
        }
        let (code, delta) = (u32::from(c), to as i32 - c as i32);
        // The character after one that becomes the next has no other lower case.
        let stride = if delta == 1 { 2 } else { 1 };
        match runs.last_mut() {
            Some((first, count, of_run)) if *of_run == delta && code == *first + *count * stride => *count += 1,
            _ => runs.push((code, 1, delta)),
        }
    }
    let mut made = String::from("// made by the test lower_table from char::to_lowercase; see tests.rs\n[\n");
    for (first, count, delta) in runs {
        writeln!(made, "    (0x{:08x}, {delta}),", first << 11 | (count - 1)).unwrap();
    }
    made.push_str("]\n");
    assert_golden("src/text/tables/lower.in", made.as_bytes());
    for c in '\0'..=char::MAX {
        assert!(lowercase(c).eq(c.to_lowercase()), "{c:?}");
    }
}
