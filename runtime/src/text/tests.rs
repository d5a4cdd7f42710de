//! The splitter against the regular expression that defines it, and its tables against their sources.

use super::*;
use crate::golden::assert_golden;
use proptest::prelude::*;
use std::{fmt::Write, string::String, vec, vec::Vec};

fn tokens<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut done = vec![];
    let mut token = String::new();
    let mut sink = |piece| match piece {
        Piece::Char(c) => token.push(c),
        Piece::End => done.push(core::mem::take(&mut token)),
    };
    let mut splitter = Splitter::new(Tokenizer::Words);
    for chunk in chunks {
        splitter.feed(chunk, &mut sink);
    }
    splitter.finish(&mut sink);
    assert_eq!(splitter, Splitter::new(Tokenizer::Words));
    assert_eq!(token, "", "a token was left open");
    done
}

/// The definition: lossy UTF-8, lower case by character, then the regular expression.
fn defined(bytes: &[u8]) -> Vec<String> {
    let lower: String = String::from_utf8_lossy(bytes).chars().flat_map(char::to_lowercase).collect();
    let regex = regex::Regex::new(r"\w+|[^\w\s]+").unwrap();
    regex.find_iter(&lower).map(|m| m.as_str().into()).collect()
}

#[test]
fn words_of_several_scripts() {
    for text in [
        "Free PRIZE!!! call 0800-123, now :-)",
        "Grüße aus KÖLN, ÇA VA? Œuvre d'art",
        "Привет, МИР! ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ",
        "हिन्दी में क्षत्रिय",
        "今日は、世界。 İstanbul DŽ ẞ",
        "e\u{301}te\u{301} a\u{200d}b 👩\u{200d}👧 \u{2028}x\u{a0}y",
        "",
        " \t\r\n",
    ] {
        assert_eq!(tokens([text.as_bytes()]), defined(text.as_bytes()), "{text}");
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
        assert_eq!(tokens([bytes]), defined(bytes), "{bytes:x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_in_any_chunks(text in "(\\PC|[ a-zA-Z\t\n]|\\p{L}|\\p{M}){0,40}", cuts in prop::collection::vec(1usize..5, 1..8)) {
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
        prop_assert_eq!(tokens(chunks), defined(text.as_bytes()));
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        prop_assert_eq!(tokens(bytes.chunks(1)), defined(&bytes));
    }
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
    }
}

#[test]
fn lower_table() {
    let mut runs: Vec<(u32, u32, u32, i32)> = vec![]; // first, count, stride, delta
    for c in '\u{80}'..=char::MAX {
        let mut lower = c.to_lowercase();
        let (Some(to), None) = (lower.next(), lower.next()) else { continue };
        if to == c {
            continue;
        }
        let (code, delta) = (u32::from(c), to as i32 - c as i32);
        if let Some((first, count, stride, run_delta)) = runs.last_mut()
            && *run_delta == delta
            && *count < 0x400
        {
            let step = code - (*first + (*count - 1) * *stride);
            if step == *stride || (*count == 1 && step <= 2) {
                (*count, *stride) = (*count + 1, step);
                continue;
            }
        }
        runs.push((code, 1, 1, delta));
    }
    let mut made = String::from("// made by the test lower_table from char::to_lowercase; see tests.rs\n[\n");
    for (first, count, stride, delta) in runs {
        writeln!(made, "    (0x{:08x}, {delta}),", first << 11 | (count - 1) << 1 | (stride - 1)).unwrap();
    }
    made.push_str("]\n");
    assert_golden("src/text/tables/lower.in", made.as_bytes());
    for c in '\0'..=char::MAX {
        assert!(lowercase(c).eq(c.to_lowercase()), "{c:?}");
    }
}
