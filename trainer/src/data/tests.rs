use super::*;
use std::fs;
use std::path::PathBuf;

struct File {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn file(name: &str, bytes: impl AsRef<[u8]>) -> File {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    File { _dir: dir, path }
}

fn rows(name: &str, bytes: impl AsRef<[u8]>) -> Vec<(String, String, u64)> {
    let file = file(name, bytes);
    read(&file.path, &Columns::default()).unwrap().into_iter().map(|row| (row.text, row.label, row.line)).collect()
}

fn error(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let file = file(name, bytes);
    read(&file.path, &Columns::default()).unwrap_err().to_string()
}

fn owned(text: &str, label: &str, line: u64) -> (String, String, u64) {
    (text.to_owned(), label.to_owned(), line)
}

#[test]
fn reads_rfc_4180() {
    let csv = "\u{feff}id, label ,text\r\n1,a,\"x, \"\"y\"\"\r\nz\"\r\n2, b ,\r\n";
    assert_eq!(rows("t.csv", csv), [owned("x, \"y\"\r\nz", "a", 2), owned("", "b", 4)]);
}

#[test]
fn tabs_by_extension_or_option() {
    assert_eq!(rows("t.TSV", "text\tlabel\nx, y\ta\n"), [owned("x, y", "a", 2)]);
    let file = file("t.txt", "text;label\nx;a\n");
    let columns = Columns { delimiter: Some(b';'), ..Columns::default() };
    assert_eq!(read(&file.path, &columns).unwrap().len(), 1);
}

#[test]
fn errors_say_what_and_where() {
    for (csv, expected) in [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("text,label\n", "no row after the header"),
        (
            "body,label\nx,a\n",
            "no column \"text\"; line 1 has the columns \"body\", \"label\". Choose one with --text-column",
        ),
        ("text;label\nx;a\n", "or name the separator with --delimiter"),
        ("text,label\nx,a\ny,b,c\n", "line 3 has 3 fields, expected 2"),
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
        ("text,label\nx,a\ny\0z,b\n", "line 3, byte 2 of the line: a NUL byte, expected text"),
    ] {
        let found = error("t.csv", csv);
        assert!(found.contains(expected), "{csv:?}: {found}");
    }
    let missing = read(Path::new("no/such.csv"), &Columns::default()).unwrap_err().to_string();
    assert!(missing.contains("no/such.csv"), "{missing}");
}

#[test]
fn other_encodings_are_named() {
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
            "line 2, byte 1 of the line: 0xcf is not UTF-8, expected a UTF-8 file; convert",
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
fn json_lines() {
    let lines = "{\"text\": \"a, \\\"b\\\"\\nc\", \"label\": \"x\"}\r\n\n{\"label\": 3, \"text\": \"\", \"id\": 7}\n{\"text\": \"t\", \"label\": true}";
    let expected = [owned("a, \"b\"\nc", "x", 1), owned("", "3", 3), owned("t", "true", 4)];
    assert_eq!(rows("t.jsonl", lines), expected);
    assert_eq!(rows("t.NDJSON", lines), expected);

    let file = file("t.jsonl", "{\"body\": \"a\", \"stars\": 4.5}\n");
    let columns = Columns { text: "body".to_owned(), label: "stars".to_owned(), delimiter: None };
    assert_eq!(read(&file.path, &columns).unwrap()[0].label, "4.5");

    const GOOD: &str = "{\"text\": \"a\", \"label\": 1}\n";
    for (line, expected) in [
        (
            "{\"text\": \"a\", \"label\": 1",
            "line 2: an object that does not end in its line, expected a JSON object such as",
        ),
        ("{\"text\": 'a'}", "line 2: not JSON at character 10"),
        ("[1, 2]", "line 2: an array; write each of its objects on a line of its own"),
        ("7", "line 2: a value that is no object"),
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
    assert!(error("t.jsonl", "\n").contains("no object in it"));
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
    let rows: Vec<_> = rows.into_iter().map(|row| (row.text, row.label, row.line)).collect();
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

#[cfg(not(feature = "hub"))]
#[test]
fn what_needs_another_build_says_so() {
    for name in ["hf:someone/messages", "t.parquet"] {
        let error = read(Path::new(name), &Columns::default()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("--features hub"), "{error}");
    }
}

use std::path::Path;

fn examples(counts: &[usize]) -> (Vec<Example>, Vec<String>) {
    let examples = counts
        .iter()
        .enumerate()
        .flat_map(|(label, &n)| (0..n).map(move |i| Example { text: format!("{label} {i}"), label }))
        .collect();
    (examples, (0..counts.len()).map(|label| label.to_string()).collect())
}

fn count(examples: &[Example], label: usize) -> usize {
    examples.iter().filter(|example| example.label == label).count()
}

/// The examples to learn from and those that are held out.
fn split(
    examples: Vec<Example>,
    labels: &[String],
    fraction: f64,
    seed: u64,
) -> Result<(Vec<Example>, Vec<Example>), SplitError> {
    let (keys, classes): (Vec<String>, Vec<usize>) = examples.iter().map(|e| (e.text.clone(), e.label)).unzip();
    Ok(parts(examples, &hold_out(&keys, &classes, labels, fraction, seed)?))
}

#[test]
fn every_class_is_held_out_in_its_share() {
    let (examples, labels) = examples(&[100, 30, 2]);
    let parts = split(examples.clone(), &labels, 0.1, 7).unwrap();
    assert_eq!([0, 1, 2].map(|label| count(&parts.1, label)), [10, 3, 1]);
    assert_eq!(parts.0.len() + parts.1.len(), 132);
    assert_eq!(parts, split(examples.clone(), &labels, 0.1, 7).unwrap());
    assert_ne!(parts, split(examples, &labels, 0.1, 8).unwrap());
}

#[test]
fn equal_texts_stay_on_one_side() {
    let (mut examples, labels) = examples(&[40, 40]);
    examples.extend(examples.clone());
    let (train, valid) = split(examples, &labels, 0.25, 1).unwrap();
    assert_eq!(valid.len(), 40);
    assert!(valid.iter().all(|v| train.iter().all(|t| t.text != v.text)));
}

#[test]
fn a_class_of_one_cannot_be_split() {
    let (examples, labels) = examples(&[5, 1]);
    let error = split(examples, &labels, 0.1, 0).unwrap_err();
    assert_eq!((error.label.as_str(), error.rows), ("1", 1));
}

#[test]
fn samples_keep_shares() {
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
    let row = |label: &str, line| Row { text: String::new(), label: label.to_owned(), line };
    let labels = ["ham".to_owned(), "spam".to_owned()];
    let numbered = number(vec![row("spam", 2), row("ham", 3)], &labels, "t.csv").unwrap();
    assert_eq!(numbered.iter().map(|example| example.label).collect::<Vec<_>>(), [1, 0]);
    let error = number(vec![row("ham", 2), row("egg", 5), row("egg", 6)], &labels, "t.csv").unwrap_err();
    assert_eq!(
        error.to_string(),
        "t.csv: unknown label \"egg\" (2 rows, the first in line 5); the model knows \"ham\", \"spam\""
    );
    let error = number(vec![row("egg", 0)], &labels, "texts").unwrap_err();
    assert_eq!(error.to_string(), "texts: unknown label \"egg\" (1 row); the model knows \"ham\", \"spam\"");
}
