use super::delimited::DelimitedFile;
use super::*;
use std::fs;
use std::path::{Path, PathBuf};

/// Writes a file into a folder that exists as long as the first part of the result.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn rows(name: &str, bytes: impl AsRef<[u8]>) -> Vec<(String, String, u64)> {
    let (_dir, path) = file(name, bytes);
    read(&path, &Columns::default()).unwrap().into_iter().map(owned_row).collect()
}

fn error(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let (_dir, path) = file(name, bytes);
    read(&path, &Columns::default()).unwrap_err().to_string()
}

fn owned_row(row: Row) -> (String, String, u64) {
    owned(&row.text, &row.label, row.line)
}

fn owned(text: &str, label: &str, line: u64) -> (String, String, u64) {
    (text.to_owned(), label.to_owned(), line)
}

#[test]
fn quoted_fields_and_line_breaks_are_read() {
    let csv = "\u{feff}id, label ,text\r\n1,a,\"x, \"\"y\"\"\r\nz\"\r\n2, b ,\r\n";
    assert_eq!(rows("t.csv", csv), [owned("x, \"y\"\r\nz", "a", 2), owned("", "b", 4)]);
}

#[test]
fn the_separator_follows_the_ending_or_the_option() {
    assert_eq!(rows("t.TSV", "text\tlabel\nx, y\ta\n"), [owned("x, y", "a", 2)]);
    let (_dir, path) = file("t.txt", "text;label\nx;a\n");
    let columns = Columns { layout: Layout { delimiter: Some(b';'), ..Layout::default() }, ..Columns::default() };
    assert_eq!(read(&path, &columns).unwrap().len(), 1);
}

#[test]
fn errors_have_the_line_and_what_was_expected() {
    for (csv, expected) in [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("text,label\n", "no row after the header"),
        (
            "body,label\nx,a\n",
            "no column \"text\"; line 1 has the columns \"body\", \"label\". Choose one with --text-column",
        ),
        ("text;label\nx;a\n", "or name the separator with --delimiter"),
        ("text,label\nx,a\ny,b,c\n", "line 3 has 3 fields, expected 2 as in the first line"),
        ("text,label\n\"x\ny\",a\nz, \n", "line 4: the label is empty"),
        (
            "Text,labels\nx,a\n",
            "no column \"text\"; line 1 has the columns \"Text\", \"labels\": did you mean \"Text\"? Choose",
        ),
        (
            "text,lable\nx,a\n",
            "no column \"label\"; line 1 has the columns \"text\", \"lable\": did you mean \"lable\"? Choose",
        ),
        (
            "text,label\nx,a\ny,\"b\nz,a\nw,a\n",
            "line 3: the quotation mark that opens field 2 is never closed, expected another one before the end of the file",
        ),
        (
            "text,label\n\"he\nsaid \"no\"\",a\n",
            "line 3: 'n' follows the closing quotation mark of field 1 (opened in line 2), expected the separator",
        ),
        ("text,label,text\na,x,b\n", "line 1: columns 1 and 3 are both named \"text\""),
        ("text,label\nx,a\ny\0z,b\n", "line 3, byte 2 of the line: a NUL byte, expected text"),
    ] {
        let found = error("t.csv", csv);
        assert!(found.contains(expected), "{csv:?}: {found}");
    }
    let missing = read(Path::new("no/such.csv"), &Columns::default()).unwrap_err().to_string();
    assert!(missing.contains("no/such.csv"), "{missing}");
}

#[test]
fn other_encodings_are_recognised() {
    for (bytes, expected) in [
        (
            &b"text,label\nx,a\nthe caf\xe9s,b\n"[..],
            "line 3, byte 8 of the line: 0xe9 is not UTF-8, expected a UTF-8 file (as latin1 it reads \"cafés\"); \
             convert it: `iconv -f latin1 -t utf-8`",
        ),
        (
            b"text,label\nit\x92s,a\n",
            "(as windows-1252 it reads \"it’s\"); convert it: `iconv -f windows-1252 -t utf-8`",
        ),
        (
            b"text,label\n\xcf\xf0\xe8\xe2\xe5\xf2,a\n",
            "line 2, byte 1 of the line: 0xcf is not UTF-8, expected a UTF-8 file; convert it: `iconv -f ENCODING -t utf-8`",
        ),
        (
            b"\xff\xfet\0e\0x\0t\0",
            "it begins with a byte-order mark: the file is UTF-16, expected UTF-8; convert it: `iconv -f UTF-16",
        ),
        (b"\xff\xfe\0\0t\0\0\0", "the file is UTF-32"),
        (b"t\0e\0x\0t\0,\0l\0a\0b\0", "every other byte is zero: the file is UTF-16LE"),
        (b"\0t\0e\0x\0t\0,\0l\0a\0b", "the file is UTF-16BE"),
    ] {
        let found = error("t.csv", bytes);
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn the_place_of_a_row_is_its_line_or_its_row_in_a_parquet_file() {
    let place = Place { row: 7, line: 3 };
    assert_eq!(place.show(Path::new("no.csv")), "no.csv: line 3");
    assert_eq!(place.show(Path::new("no.parquet")), "no.parquet: row 3");
    assert_eq!(Place { line: 0, ..place }.show(Path::new("no.csv")), "no.csv: row 8");
}

#[test]
fn json_lines_are_read() {
    let lines = "{\"text\": \"a, \\\"b\\\"\\nc\", \"label\": \"x\"}\r\n\n{\"label\": 3, \"text\": \"\", \"id\": 7}\n{\"text\": \"t\", \"label\": true}";
    let expected = [owned("a, \"b\"\nc", "x", 1), owned("", "3", 3), owned("t", "true", 4)];
    assert_eq!(rows("t.jsonl", lines), expected);
    assert_eq!(rows("t.NDJSON", lines), expected);

    let (_dir, path) = file("t.jsonl", "{\"body\": \"a\", \"stars\": 4.5}\n");
    let columns = Columns { text: "body".to_owned(), label: "stars".to_owned(), ..Columns::default() };
    assert_eq!(read(&path, &columns).unwrap()[0].label.as_str(), "4.5");

    const GOOD: &str = "{\"text\": \"a\", \"label\": 1}\n";
    for (line, expected) in [
        (
            "{\"text\": \"a\", \"label\": 1",
            "line 2: an object or array that does not end in its line; write one object a line, for example with `jq -c`, expected",
        ),
        ("{\"text\": 'a'}", "line 2: not JSON at character 10"),
        ("[1, 2]", "line 2: an array; write each of its objects on a line of its own"),
        ("7", "line 2: a value that is not an object"),
        ("{\"text\": 5, \"label\": 1}", "line 2: \"text\" is a number"),
        ("{\"text\": \"a\", \"label\": [1]}", "line 2: \"label\" is an array"),
        ("{\"text\": \"a\", \"label\": null}", "line 2: the label is empty"),
        (
            "{\"text\": \"a\", \"Label\": 1}",
            "no column \"label\"; the object in line 2 has the columns \"Label\": did you mean \"Label\"?",
        ),
    ] {
        let found = error("t.jsonl", format!("{GOOD}{line}\n"));
        assert!(found.contains("t.jsonl: ") && found.contains(expected), "{line}: {found}");
    }
    assert!(error("t.jsonl", "\n").contains("no object in the file"));
}

#[test]
fn a_folder_for_each_label() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = dir.path().join("aclImdb").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (name, text) in [
        ("train/pos/10_9.txt", "good\nfilm\n"),
        ("train/pos/0_9.txt", "great"),
        ("train/neg/1_1.txt", "bad"),
        ("train/neg/notes.md", "no text of the set"),
        ("train/unsup/5_0.txt", "without a label"),
        ("train/labeledBow.feat", "9 0:9"),
        ("test/neg/0_2.txt", "dull"),
    ] {
        write(name, text.as_bytes());
    }
    let root = dir.path().join("aclImdb");
    let rows = read(&root.join("train"), &Columns::default()).unwrap();
    let rows: Vec<_> = rows.into_iter().map(owned_row).collect();
    assert_eq!(rows, [owned("bad", "neg", 0), owned("great", "pos", 0), owned("good\nfilm", "pos", 0)]);

    let error = |path: &Path| read(path, &Columns::default()).unwrap_err().to_string();
    let found = error(&root);
    assert!(
        found.contains(
            "a directory with \"test\", \"train\" and no .txt file there, expected a file, or a folder for each label"
        ),
        "{found}"
    );
    assert!(found.ends_with(&format!("did you mean {}?", root.join("train").display())), "{found}");
    assert!(error(&root.join("train/pos")).contains("a directory without a folder in it"));
    write("train/pos/2_9.txt", b"caf\xe9");
    let found = error(&root.join("train"));
    assert!(found.contains("2_9.txt: line 1, byte 4"), "{found}");
}

#[test]
fn binary_files_are_recognised_whatever_their_ending() {
    for (bytes, expected) in [
        (&b"PK\x03\x04\x14\0"[..], "the file is a ZIP archive or a spreadsheet (.xlsx, .ods), expected UTF-8 text"),
        (b"\x1f\x8b\x08\0", "compressed by gzip, expected UTF-8 text; unpack it with `gunzip`"),
        (b"\xd0\xcf\x11\xe0\xa1", "an old spreadsheet (.xls)"),
        (b"SQLite format 3\0", "an SQLite database"),
    ] {
        for name in ["t.csv", "t.tsv", "t.jsonl"] {
            let found = error(name, bytes);
            assert!(found.contains(expected), "{name}: {found}");
        }
        let (_dir, number_table) = file("t.csv", bytes);
        let found = DelimitedFile::read(&number_table, Layout::default()).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    }
    assert_eq!(Source::of(&file("t.csv", b"PAR1\x15\0").1), Source::Parquet);
    assert_eq!(rows("t.csv", "{\"text\": \"a\", \"label\": 1}\n"), [owned("a", "1", 1)]);
}

#[test]
fn characters_that_cannot_be_read_back_are_refused_with_the_line() {
    const GOOD: &str = "{\"text\": \"a\", \"label\": 1}\n";
    for (line, expected) in [
        (r#"{"text": "a\u0000b", "label": 1}"#, "line 2: a NUL character (\\u0000) in the text, expected text"),
        (r#"{"text": "a", "label": "x\u0000"}"#, "line 2: a NUL character (\\u0000) in the label"),
        (r#"{"text": "a\ud83d", "label": 1}"#, "line 2: half of a surrogate pair"),
        (r#"{"text": "a\ude00", "label": 1}"#, "line 2: half of a surrogate pair"),
    ] {
        let found = error("t.jsonl", format!("{GOOD}{line}\n"));
        assert!(found.contains(expected), "{line}: {found}");
    }
    assert_eq!(rows("t.jsonl", r#"{"text": "\ud83d\ude00", "label": 1}"#), [owned("😀", "1", 1)]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Control characters, line breaks, byte-order marks, quotation marks and separators included.
    #[test]
    fn whatever_is_read_can_be_saved_and_read_back(
        texts in proptest::collection::vec("[\\x00-\\x1f\u{feff}\u{85}\u{2028}\"', a-z]{0,8}", 1..8),
        label in "[\\x00-\\x1f\u{feff}\u{85}\u{2028}\"', a-z]{0,4}",
    ) {
        let lines: String = texts
            .iter()
            .map(|text| serde_json::json!({"text": text, "label": format!("{label}x")}).to_string() + "\n")
            .collect();
        let (_dir, source) = file("t.jsonl", &lines);
        let Ok(rows) = read(&source, &Columns::default()) else { return Ok(()) };
        let labels = distinct_labels(&rows);
        let examples = labels_to_indices(rows, &labels, &source).unwrap();
        let saved = source.with_file_name("saved.csv");
        write(&saved, &examples, &labels).unwrap();
        proptest::prop_assert_eq!(labels_to_indices(read_saved(&saved).unwrap(), &labels, &saved).unwrap(), examples);
    }
}

/// A table in which two stray marks, three rows apart, enclose whole rows.
const STRAY_MARKS: &str = "text\tlabel\nok 1\tneg\n\"nice one\tpos\nok 2\tneg\na screen of 21\"\tneg\nok 3\tpos\n";

#[test]
fn stray_quotation_marks_give_a_warning_with_the_lines() {
    let opened = |name: &str, text: &str| {
        let (_dir, path) = file(name, text);
        DelimitedFile::open(&path, Layout::default()).unwrap().1
    };
    let warning = opened("t.tsv", STRAY_MARKS).unwrap();
    assert!(
        warning.contains(
            "t.tsv: line 3: a quoted field spans 3 lines, each of which would be a row without the quotation"
        ) && warning.ends_with("use --no-quoting"),
        "{warning}"
    );
    let commas = STRAY_MARKS.replace('\t', ",");
    assert!(opened("t.csv", &commas).is_some());
    // A field that encloses the end of a row and the start of the next, but no whole row.
    assert!(opened("t.csv", "a,b,c\n1,\"a,b\n3,d\",e\n").is_some());
    // Line breaks in ordinary texts, with and without separators.
    for text in ["text,label\n\"one\ntwo\nthree\",a\n", "text,label\n\"Dear Sir,\nyes, thank you,\nbye\",a\n"] {
        assert_eq!(opened("t.csv", text), None, "{text}");
    }
}

#[test]
fn a_table_without_quoting_keeps_its_marks_and_all_rows() {
    let (_dir, table) = file("t.tsv", STRAY_MARKS.to_owned() + "\"No way\" he said\tneg\n");
    let columns = Columns { layout: Layout { quoting: false, ..Layout::default() }, ..Columns::default() };
    let rows = read(&table, &columns).unwrap();
    assert_eq!((rows.len(), rows[1].text.as_str(), rows[5].text.as_str()), (6, "\"nice one", "\"No way\" he said"));
    let error = read(&table, &Columns::default()).unwrap_err().to_string();
    assert!(
        error.contains("line 7: ' ' follows the closing quotation mark") && error.contains("--no-quoting"),
        "{error}"
    );
}

#[test]
fn a_first_line_of_data_is_pointed_out_and_can_be_read() {
    let text: String = (0..20).map(|row| format!("{}\tmessage number {row}\n", ["ham", "spam"][row % 2])).collect();
    let found = error("t.tsv", &text);
    assert!(
        found.ends_with(
            "Line 1 looks like data: if the file has no header, use --no-header --text-column 2 --label-column 1"
        ),
        "{found}"
    );
    let (_dir, table) = file("t.tsv", &text);
    let layout = Layout { header: false, ..Layout::default() };
    let columns = Columns { text: "2".to_owned(), label: "1".to_owned(), layout };
    let rows = read(&table, &columns).unwrap();
    assert_eq!((rows.len(), rows[0].text.as_str(), rows[0].line), (20, "message number 0", 1));
    let error = read(&table, &Columns { layout, ..Columns::default() }).unwrap_err().to_string();
    assert!(error.contains("without a header, the file has the columns \"1\", \"2\""), "{error}");
}

#[test]
fn a_sequence_a_line_is_answered_with_the_layout_of_sequences() {
    let text: String = (0..8).map(|row| format!("{}\t0.5\t0.25\t{row}.0\t1.5\n", row % 2)).collect();
    let found = error("t.tsv", text);
    assert!(
        found.contains("a table of sequences has a row for each time step and the columns sequence, label"),
        "{found}"
    );
}

#[test]
fn fast_text_labels_are_read() {
    let text = "__label__ham see you at lunch\n\n__label__spam  free prize \n";
    let expected = [owned("see you at lunch", "ham", 1), owned("free prize", "spam", 3)];
    assert_eq!(rows("t.txt", text), expected);
    assert!(!is_plain_text(&file("t.txt", text).1) && is_plain_text(&file("t.txt", "see you").1));
    for (line, expected) in [
        ("free prize", "line 2: no label, expected one label before the text, such as `__label__spam free prize`"),
        ("__label__a __label__b free", "line 2: more than one label"),
        ("__label__ free", "line 2: a label without a name"),
    ] {
        let found = error("t.txt", format!("__label__a x\n{line}\n"));
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn a_folder_of_a_label_without_texts_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["ham/1.txt", "spam/1.text"] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "see you").unwrap();
    }
    let error = read(dir.path(), &Columns::default()).unwrap_err().to_string();
    assert!(
        error.contains("folder \"spam\" has files such as") && error.contains("1.text and no .txt file"),
        "{error}"
    );
}

#[cfg(not(feature = "hub"))]
#[test]
fn sources_that_need_the_hub_feature_are_refused() {
    for name in ["hf:someone/messages", "t.parquet"] {
        let error = read(Path::new(name), &Columns::default()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("--features hub"), "{error}");
    }
}

fn examples(counts: &[usize]) -> (Vec<Example>, Vec<String>) {
    let examples = counts
        .iter()
        .enumerate()
        .flat_map(|(label, &n)| (0..n).map(move |i| Example { text: format!("{label} {i}").into(), label }))
        .collect();
    (examples, (0..counts.len()).map(|label| label.to_string()).collect())
}

fn count(examples: &[Example], label: usize) -> usize {
    examples.iter().filter(|example| example.label == label).count()
}

/// The examples to learn from and those that are held out.
fn split_examples(
    examples: Vec<Example>,
    labels: &[String],
    fraction: f64,
    seed: u64,
) -> Result<(Vec<Example>, Vec<Example>), String> {
    let (keys, classes): (Vec<String>, Vec<usize>) = examples.iter().map(|e| (e.text.to_string(), e.label)).unzip();
    Ok(partition(examples, &hold_out(&keys, &classes, labels, fraction, seed)?))
}

#[test]
fn every_class_is_held_out_in_its_share() {
    let (examples, labels) = examples(&[100, 30, 2]);
    let parts = split_examples(examples.clone(), &labels, 0.1, 7).unwrap();
    assert_eq!([0, 1, 2].map(|label| count(&parts.1, label)), [10, 3, 1]);
    assert_eq!(parts.0.len() + parts.1.len(), 132);
    assert_eq!(parts, split_examples(examples.clone(), &labels, 0.1, 7).unwrap());
    assert_ne!(parts, split_examples(examples, &labels, 0.1, 8).unwrap());
}

#[test]
fn equal_texts_are_not_split() {
    let (mut examples, labels) = examples(&[40, 40]);
    examples.extend(examples.clone());
    let (train, valid) = split_examples(examples, &labels, 0.25, 1).unwrap();
    assert_eq!(valid.len(), 40);
    assert!(valid.iter().all(|v| train.iter().all(|t| t.text != v.text)));
}

#[test]
fn a_class_with_one_distinct_text_is_trained_on_and_not_held_out() {
    let (rows, labels) = examples(&[5, 1]);
    let (train, valid) = split_examples(rows, &labels, 0.1, 0).unwrap();
    assert_eq!((count(&train, 1), count(&valid, 0), count(&valid, 1)), (1, 1, 0));
    let (rows, labels) = examples(&[1, 1]);
    let error = split_examples(rows, &labels, 0.1, 0).unwrap_err();
    assert!(error.contains("each class has one distinct text (\"0\", \"1\""), "{error}");
}

#[test]
fn samples_keep_the_shares_of_classes() {
    let (examples, _) = examples(&[900, 90, 3]);
    let chosen = sample(&examples, 3, 100, 3);
    assert_eq!(chosen.len(), 100);
    let counts = [0, 1, 2].map(|label| count(&chosen, label));
    assert!(counts[0] >= 88 && counts[1] >= 9 && counts[2] >= 1, "{counts:?}");
    assert_eq!(chosen, sample(&examples, 3, 100, 3));
    assert_ne!(chosen, sample(&examples, 3, 100, 4));
}

#[test]
fn unknown_labels_are_named() {
    let row = |label: &str, line| Row { text: "".into(), label: label.into(), line };
    let labels = ["ham".to_owned(), "spam".to_owned()];
    let numbered = labels_to_indices(vec![row("spam", 2), row("ham", 3)], &labels, Path::new("t.csv")).unwrap();
    assert_eq!(numbered.iter().map(|example| example.label).collect::<Vec<_>>(), [1, 0]);
    let error =
        labels_to_indices(vec![row("ham", 2), row("egg", 5), row("egg", 6)], &labels, Path::new("t.csv")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "t.csv: unknown label \"egg\" (2 rows, the first in line 5); the model has the labels \"ham\", \"spam\""
    );
    let error = labels_to_indices(vec![row("egg", 0)], &labels, Path::new("texts")).unwrap_err();
    assert_eq!(error.to_string(), "texts: unknown label \"egg\" (1 row); the model has the labels \"ham\", \"spam\"");
}
