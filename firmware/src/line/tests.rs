use super::*;
use std::string::String;
use std::vec::Vec;

/// The lines that `bytes` make. An abandoned line is given as `^C`. Every line is added to the history, and TAB is
/// text.
fn lines(bytes: &[u8]) -> Vec<String> {
    let mut editor = Editor::new();
    let mut lines = Vec::new();
    for &byte in bytes {
        match editor.push(byte) {
            Edit::Complete => {
                let line = editor.take().unwrap();
                editor.remember(&line);
                lines.push(String::from_utf8_lossy(&line).into_owned());
            }
            Edit::Abandoned => lines.push("^C".into()),
            Edit::Tab => {
                editor.insert(b'\t');
            }
            _ => (),
        }
    }
    lines
}

#[test]
fn each_line_end_counts_once() {
    assert_eq!(lines(b"a\rb\nc\r\nd\n\re\r\r\nf\n"), ["a", "b", "c", "d", "", "e", "", "f"]);
}

#[test]
fn backspace_removes_a_character() {
    assert_eq!(lines("aé\x08b\r".as_bytes()), ["ab"]);
    assert_eq!(lines("a🦆漢\x7f\x7f\r".as_bytes()), ["a"]);
    assert_eq!(lines(b"ab\x08\x08\x08\x08c\r"), ["c"]);
    // Bytes that are not UTF-8 are removed without their neighbours.
    assert_eq!(lines(b"a\x80\x08b\r"), ["ab"]);
    assert_eq!(lines(b"\x80\x80\x80\x80\x08b\r").len(), 1);
    assert_eq!(lines(b"x\xc3\x08y\r"), ["xy"]);
}

#[test]
fn the_cursor_moves_over_characters() {
    assert_eq!(lines("né\x1b[D\x1b[Dx\x1b[Cy\r".as_bytes()), ["xnyé"]);
    assert_eq!(lines("aß漢\x01<\x05>\x02\x02|\x06!\r".as_bytes()), ["<aß|漢!>"]);
    assert_eq!(lines(b"bc\x1b[Ha\x1b[3~\x1b[Fd\x1b[C\x1b[C\r"), ["acd"]);
    // Several bytes are inserted at the cursor.
    assert_eq!(lines("ab\x1b[D漢é\r".as_bytes()), ["a漢éb"]);
}

#[test]
fn words_and_line_ends_can_be_deleted() {
    assert_eq!(lines(b"free prize  \x17now\r"), ["free now"]);
    assert_eq!(lines(b"free prize\x1b[D\x1b[D\x17x\r"), ["free xze"]);
    assert_eq!(lines(b"free prize\x01\x06\x06\x0b\r"), ["fr"]);
    assert_eq!(lines(b"abc\x15d\r"), ["d"]);
    assert_eq!(lines(b"\x17\x0b\x04\x1b[3~x\r"), ["x"]);
}

#[test]
fn earlier_lines_are_recalled() {
    assert_eq!(lines(b"one\rtwo\r\x1b[A\x1b[A!\r\x10\r"), ["one", "two", "one!", "one!"]);
    assert_eq!(lines(b"one\rdra\x1b[A\x1b[Bft\r"), ["one", "draft"]);
    assert_eq!(lines(b"one\r\x1b[A\x15x\r\x0ey\r"), ["one", "x", "y"]);
}

#[test]
fn unknown_control_keys_are_ignored() {
    assert_eq!(lines(b"abc\x03d\r"), ["^C", "d"]);
    assert_eq!(lines(b"a\x00\x07\x1ab\tc\r"), ["ab\tc"]);
}

#[test]
fn each_key_reports_what_to_show() {
    let mut editor = Editor::new();
    let mut edits = |bytes: &[u8]| bytes.iter().map(|&byte| editor.push(byte)).last().unwrap();
    assert_eq!(edits(b"ab"), Edit::Typed(b'b'));
    assert_eq!(edits(b"\x1b[D"), Edit::Back);
    assert_eq!(edits(b"x"), Edit::Redraw);
    assert_eq!(edits(b"\x1b[C"), Edit::Over(b'b'));
    assert_eq!(edits(b"\x1b[C"), Edit::None);
    assert_eq!(edits(b"\x08"), Edit::Erased);
    assert_eq!(edits("é\x1b[D".as_bytes()), Edit::Redraw);
    assert_eq!(edits(&"ß".as_bytes()[..1]), Edit::None);
    assert_eq!(edits(&"ß".as_bytes()[1..]), Edit::Redraw);
    assert_eq!(edits(b"\t"), Edit::Redraw, "TAB inside the line is text");
    assert_eq!(edits(b"\x05\t"), Edit::Tab);
    assert_eq!(edits(b"\x1b[?1;2c"), Edit::Terminal);
}

#[test]
fn a_long_line_is_counted_to_its_end() {
    let mut editor = Editor::new();
    for _ in 0..LIMIT {
        assert_eq!(editor.push(b'a'), Edit::Typed(b'a'));
    }
    assert_eq!(editor.line().len(), LIMIT);
    for byte in *b"b\x08\x17c\t" {
        assert_eq!(editor.push(byte), Edit::None);
    }
    assert_eq!(editor.push(b'\r'), Edit::Complete);
    assert_eq!(editor.take(), Err(TooLong(LIMIT + 3)));
    assert_eq!(editor.push(b'\n'), Edit::None);
    assert_eq!(editor.push(b'x'), Edit::Typed(b'x'));
    assert_eq!(editor.take().unwrap(), b"x");
}
