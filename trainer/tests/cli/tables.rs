//! Tables as users have them: missing numbers, row numbers, no header, no quoting, no spaces between words.

use super::{stderr, tern};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Output;

fn write(dir: &Path, name: &str, text: impl AsRef<[u8]>) {
    fs::write(dir.join(name), text).unwrap();
}

/// Trains a tiny network with further options.
fn train(dir: &Path, data: &str, more: &[&str]) -> Output {
    let small = ["-o", "m", "--json", "--hidden", "4", "--epochs", "1", "--threads", "1", "--no-baselines"];
    tern(dir, &[&["train", data][..], &small, more].concat())
}

fn figures(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn config(dir: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(dir.join("m/config.json")).unwrap()).unwrap()
}

/// 120 rows of a day, a number with a season of seven rows, and another number. Row 60 has `field` in place of the
/// first number.
fn sales(field: &str) -> String {
    let mut table = "day,sold,warm\n".to_owned();
    for row in 0..120 {
        let sold = if row == 60 { field.to_owned() } else { (row % 7).to_string() };
        writeln!(table, "2024-{row},{sold},{}.5", row * row % 11).unwrap();
    }
    table
}

#[test]
fn a_missing_number_keeps_its_column_and_columns_left_out_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    for sign in ["N/A", "NULL", "None", "-"] {
        write(dir, "sales.csv", sales(sign));
        let output = train(dir, "sales.csv", &["--task", "forecast"]);
        figures(&output);
        assert_eq!(config(dir)["forecast"]["targets"][0], "sold", "{sign}");
        let printed = stderr(&output);
        assert!(
            printed.contains("columns left out") && printed.contains("\"day\": text such as \"2024-0\" in line 2"),
            "{printed}"
        );
    }
    for (field, expected) in
        [("inf", "line 62: \"inf\" in column \"sold\""), ("few", "line 62: \"few\" in column \"sold\"")]
    {
        write(dir, "sales.csv", sales(field));
        let output = train(dir, "sales.csv", &["--task", "forecast", "--targets", "sold"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    let output = train(dir, "sales.csv", &["--task", "forecast", "--targets", "day"]);
    assert!(stderr(&output).contains("line 2: \"2024-0\" in column \"day\" is not a number"), "{}", stderr(&output));
}

#[test]
fn numbers_far_from_zero_are_forecast_as_well_as_small_ones() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let rmse = |offset: u64| {
        let rows: String = (0..300).map(|row| format!("d{row},{}\n", offset + row % 7)).collect();
        write(dir, "meter.csv", format!("day,kwh\n{rows}"));
        let figures = figures(&train(dir, "meter.csv", &["--task", "forecast"]));
        ["rmse", "naive_rmse"].map(|key| figures["validation"][key].as_f64().unwrap())
    };
    let [model, naive] = rmse(0);
    assert!(model > 0.01 && naive > 1.0, "{model} {naive}");
    for offset in [100_000_000, 1_000_000_000] {
        for (found, expected) in rmse(offset).into_iter().zip([model, naive]) {
            assert!((found - expected).abs() < 1e-3 * expected, "{offset}: {found}, expected {expected}");
        }
    }
}

#[test]
fn a_year_is_no_target_and_a_row_number_no_feature() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let rows: String = (0..120).map(|row| format!("{},{}\n", 1800 + row, [50, 72, 86, 90, 61, 20][row % 6])).collect();
    write(dir, "spots.csv", format!("year,spots\n{rows}"));
    let output = train(dir, "spots.csv", &["--task", "forecast"]);
    figures(&output);
    assert_eq!(config(dir)["forecast"]["targets"], serde_json::json!(["spots"]));
    assert!(stderr(&output).contains("\"year\": it rises by 1 from row to row"), "{}", stderr(&output));
    figures(&train(dir, "spots.csv", &["--task", "forecast", "--targets", "year"]));
    assert_eq!(config(dir)["forecast"]["targets"], serde_json::json!(["year"]));

    let rows: String =
        (0..160).map(|row| format!("{row},{},{},{}\n", row / 8, ["a", "b"][row / 8 % 2], row * row % 13)).collect();
    write(dir, "index.csv", format!(",sequence,label,x\n{rows}"));
    let output = train(dir, "index.csv", &["--input", "values"]);
    figures(&output);
    assert_eq!(config(dir)["channels"].as_array().unwrap().len(), 1);
    assert!(stderr(&output).contains("\"column 1\": it rises by 1"), "{}", stderr(&output));
}

/// 60 rows of two classes, without a header.
fn headless() -> String {
    (0..60)
        .map(|row| format!("{}\t{} {row}\n", ["ham", "spam"][row % 2], ["see you at", "free prize"][row % 2]))
        .collect()
}

#[test]
fn a_table_without_a_header_is_trained_on_and_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write(dir, "t.tsv", headless());
    let options = ["--no-header", "--text-column", "2", "--label-column", "1"];
    figures(&train(dir, "t.tsv", &options));
    let evaluation = tern(dir, &[&["eval", "m", "--data", "t.tsv", "--json"][..], &options].concat());
    assert_eq!(figures(&evaluation)["examples"], 60);
    let shown = tern(dir, &[&["data", "t.tsv", "--json"][..], &options].concat());
    assert_eq!(figures(&shown)["sources"][0]["rows"], 60);
    // The recipe holds the layout.
    let again = tern(dir, &["train", "m/recipe.toml", "-o", "again"]);
    assert!(again.status.success(), "{}", stderr(&again));
    let output = tern(dir, &["data", "t.tsv"]);
    assert!(stderr(&output).contains("use --no-header --text-column 2 --label-column 1"), "{}", stderr(&output));
}

#[test]
fn a_table_with_stray_quotation_marks_is_warned_about_and_read_without_quoting() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let mut rows: Vec<String> = headless().lines().map(str::to_owned).collect();
    rows[10] = "ham\t\"nice one".to_owned();
    rows[14] = "ham\ta screen of 21\"".to_owned();
    write(dir, "t.tsv", format!("label\ttext\n{}\n", rows.join("\n")));
    let output = tern(dir, &["data", "t.tsv", "--json"]);
    assert_eq!(figures(&output)["sources"][0]["rows"], 56);
    assert!(stderr(&output).contains("t.tsv: line 12: a quoted field spans 5 lines"), "{}", stderr(&output));
    let output = tern(dir, &["data", "t.tsv", "--no-quoting", "--json"]);
    assert_eq!(figures(&output)["sources"][0]["rows"], 60);
    figures(&train(dir, "t.tsv", &["--no-quoting"]));
    let evaluation = tern(dir, &["eval", "m", "--data", "t.tsv", "--no-quoting", "--json"]);
    assert_eq!(figures(&evaluation)["examples"], 60);
}

#[test]
fn fast_text_files_train_a_classifier() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let rows: String = headless().lines().map(|row| format!("__label__{}\n", row.replacen('\t', " ", 1))).collect();
    write(dir, "labels.txt", rows);
    figures(&train(dir, "labels.txt", &[]));
    assert_eq!(config(dir)["labels"], serde_json::json!(["ham", "spam"]));
    assert_eq!(figures(&tern(dir, &["data", "labels.txt", "--json"]))["sources"][0]["rows"], 60);
}

#[test]
fn a_training_that_accepts_its_data_leaves_a_model_that_every_command_reads() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let line = |row: usize, text: &str| {
        let label = ["x ", "y"][row % 2];
        serde_json::json!({"text": format!("{text} {row}"), "label": label}).to_string() + "\n"
    };
    let odd = ["see you\u{1}", "a\rb", "\u{feff}mark", "two\nlines", "\"quoted\", yes", "\u{85}next\u{2028}"];
    let lines: String = (0..60).map(|row| line(row, odd[row % odd.len()])).collect();
    write(dir, "t.jsonl", &lines);
    figures(&train(dir, "t.jsonl", &[]));
    figures(&tern(dir, &["eval", "m", "--data", "m/validation.csv", "--json"]));
    for arguments in [&["predict", "m", "see you"][..], &["export", "m", "-o", "m.safetensors"], &["report", "m"]] {
        let output = tern(dir, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }
    write(dir, "t.jsonl", lines + &line(60, "a\0b"));
    let output = train(dir, "t.jsonl", &[]);
    assert!(stderr(&output).contains("t.jsonl: line 61: a NUL character"), "{}", stderr(&output));
    write(dir, "novel.txt", "a text\0with a NUL\n");
    let output = train(dir, "novel.txt", &[]);
    assert!(stderr(&output).contains("novel.txt: line 1, byte 7 of the line: a NUL byte"), "{}", stderr(&output));
}

#[test]
fn texts_without_spaces_and_single_words_are_read_by_their_characters() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let chinese =
        |row: usize| format!("{}{row}", [["房间干净", "服务很好"], ["房间很脏", "早餐难吃"]][row % 2][row / 2 % 2]);
    let thai = |row: usize| format!("{}{row}", ["อาหารอร่อยมาก", "ไม่แนะนำเลย"][row % 2]);
    let surname = |row: usize| format!("{}{}", ["Petrov", "Bianchi"][row % 2], row);
    for text in [&chinese as &dyn Fn(usize) -> String, &thai, &surname] {
        let rows: String = (0..80).map(|row| format!("{},{}\n", text(row), ["a", "b"][row % 2])).collect();
        write(dir, "t.csv", format!("text,label\n{rows}"));
        let output = train(dir, "t.csv", &["--folds", "1"]);
        figures(&output);
        let recipe = fs::read_to_string(dir.join("m/recipe.toml")).unwrap();
        assert!(recipe.contains("kind = \"chars\""), "{recipe}");
        let printed = stderr(&output);
        let share = printed.split("% in training, ").nth(1).and_then(|rest| rest.split(" %").next());
        assert!(share.unwrap().parse::<f64>().unwrap() < 10.0, "{printed}");
        let words = train(dir, "t.csv", &["--tokenizer", "words", "--folds", "1"]);
        assert!(stderr(&words).contains("--tokenizer chars"), "{}", stderr(&words));
    }
}
