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
    ] {
        let found = error("t.csv", csv);
        assert!(found.contains(expected), "{csv:?}: {found}");
    }
    assert!(error("t.csv", b"text,label\nx,a\ncaf\xe9,b\n").contains("line 3: not UTF-8"));
    let missing = read(Path::new("no/such.csv"), &Columns::default()).unwrap_err().to_string();
    assert!(missing.contains("no/such.csv"), "{missing}");
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

#[test]
fn every_class_is_held_out_in_its_share() {
    let (examples, labels) = examples(&[100, 30, 2]);
    let parts = split(examples.clone(), &labels, 0.1, 7).unwrap();
    assert_eq!([0, 1, 2].map(|label| count(&parts.valid, label)), [10, 3, 1]);
    assert_eq!(parts.train.len() + parts.valid.len(), 132);
    assert_eq!(parts, split(examples.clone(), &labels, 0.1, 7).unwrap());
    assert_ne!(parts, split(examples, &labels, 0.1, 8).unwrap());
}

#[test]
fn equal_texts_stay_on_one_side() {
    let (mut examples, labels) = examples(&[40, 40]);
    examples.extend(examples.clone());
    let parts = split(examples, &labels, 0.25, 1).unwrap();
    assert_eq!(parts.valid.len(), 40);
    assert!(parts.valid.iter().all(|v| parts.train.iter().all(|t| t.text != v.text)));
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
}
