//! Tests of tables of numbers.

use super::*;

fn table(text: &str, selection: &ColumnSelection<'_>) -> Result<Table, FileError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    std::fs::write(&path, text).unwrap();
    read(&path, selection)
}

fn all(text: &str) -> Result<Table, FileError> {
    table(text, &ColumnSelection::default())
}

fn error(text: &str) -> String {
    all(text).unwrap_err().to_string()
}

#[test]
fn all_columns_of_numbers_are_read_and_missing_numbers_are_nan() {
    let read = all("\"Month\",a, b\n1949-01,1,NA\n1949-02,-2.5e1,3\n1949-03,,?\n").unwrap();
    assert_eq!(read.names, ["a", "b"]);
    assert_eq!(read.lines, [2, 3, 4]);
    assert_eq!(read.rows[1], [-25.0, 3.0]);
    let missing: Vec<bool> = read.rows.concat().iter().map(|number| number.is_nan()).collect();
    assert_eq!(missing, [false, true, false, false, true, true]);
}

#[test]
fn the_usual_signs_of_missing_numbers_are_read_as_missing() {
    for sign in ["N/A", "NA", "NULL", "None", "n/a", "nan", "NAN", "NaN", "#N/A", "<NA>", "-", "null", "?", ""] {
        let read = all(&format!("day,sold\n1st,3\n2nd,{sign}\n3rd,7\n")).unwrap();
        assert_eq!(read.names, ["sold"], "{sign}");
        assert!(read.rows[1][0].is_nan(), "{sign}");
    }
}

#[test]
fn text_among_numbers_is_refused_with_line_and_column() {
    for field in ["inf", "-inf", "x", "12 kg"] {
        let error = error(&format!("day,sold,warm\na,1,5\nb,2,6\nc,{field},7\nd,4,9\n"));
        let expected = format!("t.csv: line 4: {field:?} in column \"sold\" is not a number");
        assert!(error.contains(&expected), "{error}");
    }
    let layout = Layout { delimiter: Some(b';'), ..Layout::default() };
    let selection = ColumnSelection { layout, ..ColumnSelection::default() };
    let error = table("day;sold\na;1,5\nb;2,25\n", &selection).unwrap_err().to_string();
    assert!(error.contains("line 2: \"1,5\" in column \"sold\"") && error.contains("write a decimal point"), "{error}");
}

#[test]
fn lines_are_counted_after_blank_lines_and_line_breaks_of_windows() {
    for text in ["day,y\r\na,5\r\nb,6\r\nc,x\r\n", "day,y\na,5\n\nb,x\nc,6\nd,7\n"] {
        assert!(error(text).contains("line 4: \"x\" in column \"y\""), "{}", error(text));
    }
    assert_eq!(all("day,y\r\na,5\r\n\r\n\r\nb,6\r\n").unwrap().lines, [2, 5]);
}

#[test]
fn number_tables_have_the_checks_of_text_tables() {
    let dir = tempfile::tempdir().unwrap();
    for (bytes, expected) in [
        (
            &b"day,y\na,5\ncaf\xe9,6\n"[..],
            "line 3, byte 4 of the line: 0xe9 is not UTF-8, expected a UTF-8 file (as latin1",
        ),
        (b"\xff\xfed\0a\0", "the file is UTF-16"),
        (b"PK\x03\x04", "a ZIP archive or a spreadsheet"),
        (b"day,y\n\"a,5\nb,6\n", "line 2: the quotation mark that opens field 1 is never closed"),
        (b"a,y,y\n1,3,4\n", "columns 2 and 3 are both named \"y\""),
        (b"a;b\n1;x\n", "or name the separator with --delimiter ';'"),
        (b"", "the file is empty"),
        (b"a,y\n", "no row after the header"),
        (b"a,y\n1,2,3\n", "line 2 has 3 fields, expected 2"),
    ] {
        let path = dir.path().join("t.csv");
        std::fs::write(&path, bytes).unwrap();
        let error = read(&path, &ColumnSelection::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn columns_that_count_rows_are_left_out_unless_selected() {
    let text = "year,back,spots,\n1800,9,50,0\n1801,8,72,1\n1802,7,86,2\n1803,6,90,3\n";
    assert_eq!(all(text).unwrap().names, ["spots"]);
    let (names, required) = (["year".to_owned(), "spots".to_owned()], ["back".to_owned()]);
    let named = ColumnSelection { numbers: &names, ..ColumnSelection::default() };
    assert_eq!(table(text, &named).unwrap().names, names);
    let required = ColumnSelection { required: &required, ..ColumnSelection::default() };
    assert_eq!(table(text, &required).unwrap().names, ["back", "spots"]);
    let only = all("year\n1800\n1801\n1802\n").unwrap();
    assert_eq!(only.names, ["year"], "the only column of numbers is read");
    // A counter that begins again with each sequence, and a column without a name.
    let text = ",sequence,step,x\n0,a,0,3\n1,a,1,5\n2,a,2,5\n3,b,0,1\n4,b,1,2\n5,b,2,9\n";
    let sequences =
        ColumnSelection { texts: &[("sequence", "sequence_column in [data]")], ..ColumnSelection::default() };
    assert_eq!(table(text, &sequences).unwrap().names, ["x"]);
}

#[test]
fn a_first_line_of_numbers_is_pointed_out_and_can_be_read() {
    let text = "5,7\n6,3\n1,2\n";
    assert!(error(text).contains("line 1 holds the numbers \"5\", \"7\", expected the names"), "{}", error(text));
    let layout = Layout { header: false, ..Layout::default() };
    let read = table(text, &ColumnSelection { layout, ..ColumnSelection::default() }).unwrap();
    assert_eq!((read.names, read.rows[0].clone()), (vec!["1".to_owned(), "2".to_owned()], vec![5.0, 7.0]));
}

#[test]
fn a_saved_table_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    let selection = ColumnSelection { texts: &[("label", "label_column in [data]")], ..ColumnSelection::default() };
    let first = table("a,label,b\n0.1,x,2\n1e-7,y,NA\n1000000001.5,z,4\n", &selection).unwrap();
    first.write(&path, &["label"], 0..3).unwrap();
    let back = read(&path, &selection).unwrap();
    assert_eq!((&back.texts[0], &back.rows[0]), (&first.texts[0], &first.rows[0]));
    assert!(back.rows[1][0] == 1e-7 && back.rows[1][1].is_nan() && back.rows[2][0] == 1_000_000_001.5);
    let text = "id,y,label\na,x,1\na,x,3\nb,z,1\n";
    let texts = [("id", "sequence_column in [data]"), ("y", "label_column in [data]")];
    let error = table(text, &ColumnSelection { texts: &texts, ..ColumnSelection::default() }).unwrap_err().to_string();
    assert!(error.contains("column \"label\" cannot be read as numbers"), "{error}");
}

#[test]
fn selected_columns_must_exist_and_hold_numbers() {
    let columns = ["a".to_owned(), "c".to_owned()];
    let selection = ColumnSelection { numbers: &columns, ..ColumnSelection::default() };
    for (text, expected) in [
        ("a,b\n1,x\n2,y\n", "no column \"c\"; line 1 has the columns \"a\", \"b\""),
        ("a,c\n1,2\n1,x\n", "line 3: \"x\" in column \"c\" is not a number"),
        ("a,c\n1,inf\n", "\"inf\" in column \"c\" is not a number"),
    ] {
        let error = table(text, &selection).unwrap_err().to_string();
        assert!(error.contains("t.csv") && error.contains(expected), "{error}");
    }
    let none = error("a,c\nx,\ny,NA\n");
    assert!(
        none.contains("no column of numbers: \"a\": text such as \"x\" in line 2; \"c\": all fields are empty"),
        "{none}"
    );
}
