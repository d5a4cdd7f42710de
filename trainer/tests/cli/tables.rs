//! Tables as users have them: missing numbers, row numbers, no header, no quoting, no spaces between words.

use crate::folder::{Folder, Printed, number, parse};
use serde_json::{Value, json};

/// Options of a tiny network.
const TINY: &str = "-o m --json --hidden 4 --epochs 1 --threads 1 --no-baselines";

fn train(folder: &Folder, line: &str) -> Printed {
    folder.run(&format!("train {line} {TINY}"))
}

fn train_fails(folder: &Folder, line: &str, expected: &str) {
    folder.fails(&format!("train {line} {TINY}"), 1, expected);
}

fn config(folder: &Folder) -> Value {
    parse(&folder.text("m/config.json"))
}

/// The number of rows that `tern data` counts.
fn rows(folder: &Folder, line: &str) -> f64 {
    number(&folder.json(&format!("data {line} --json"))["sources"][0], "rows")
}

/// 120 rows of a day, a number with a season of seven rows, and another number. Row 60 has `field` in place of the
/// first number.
fn sales(field: &str) -> String {
    let row = |row: usize| {
        let sold = if row == 60 { field.to_owned() } else { (row % 7).to_string() };
        format!("2024-{row},{sold},{}.5\n", row * row % 11)
    };
    (0..120).map(row).fold("day,sold,warm\n".to_owned(), |table, row| table + &row)
}

#[test]
fn a_missing_number_keeps_its_column_and_columns_left_out_are_named() {
    let folder = Folder::new();
    for sign in ["N/A", "NULL", "None", "-"] {
        folder.write("sales.csv", sales(sign));
        let printed = train(&folder, "sales.csv --task forecast").stderr;
        assert_eq!(config(&folder)["forecast"]["targets"][0], "sold", "{sign}");
        let reason = "\"day\": text such as \"2024-0\" in line 2";
        assert!(printed.contains("columns left out") && printed.contains(reason), "{printed}");
    }
    for field in ["inf", "few"] {
        folder.write("sales.csv", sales(field));
        let expected = format!("line 62: {field:?} in column \"sold\"");
        train_fails(&folder, "sales.csv --task forecast --targets sold", &expected);
    }
    let expected = "line 2: \"2024-0\" in column \"day\" is not a number";
    train_fails(&folder, "sales.csv --task forecast --targets day", expected);
}

#[test]
fn too_few_validation_rows_are_blamed_on_the_split_or_on_the_table_for_validation() {
    let folder = Folder::new();
    folder.write("sales.csv", sales("1"));
    folder.write("valid.csv", "sold,warm\n1,2\n3,4\n");
    let task = "sales.csv --task forecast --columns sold,warm --window 4 --horizon 3";
    let expected = "in the validation split; raise valid_fraction in [data] or lower horizon in [forecast]";
    train_fails(&folder, &format!("{task} --valid-fraction 0.01"), expected);
    let expected = "valid.csv; add rows there or lower horizon in [forecast]";
    train_fails(&folder, &format!("{task} --valid valid.csv"), expected);
}

#[test]
fn numbers_far_from_zero_are_forecast_as_well_as_small_ones() {
    let folder = Folder::new();
    let rmse = |offset: u64| {
        let rows: String = (0..300).map(|row| format!("d{row},{}\n", offset + row % 7)).collect();
        folder.write("meter.csv", format!("day,kwh\n{rows}"));
        let figures = parse(&train(&folder, "meter.csv --task forecast").stdout);
        ["rmse", "naive_rmse"].map(|key| number(&figures["validation"], key))
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
    let folder = Folder::new();
    let rows: String = (0..120).map(|row| format!("{},{}\n", 1800 + row, [50, 72, 86, 90, 61, 20][row % 6])).collect();
    folder.write("spots.csv", format!("year,spots\n{rows}"));
    let printed = train(&folder, "spots.csv --task forecast").stderr;
    assert_eq!(config(&folder)["forecast"]["targets"], json!(["spots"]));
    assert!(printed.contains("\"year\": it rises by 1 from row to row"), "{printed}");
    train(&folder, "spots.csv --task forecast --targets year");
    assert_eq!(config(&folder)["forecast"]["targets"], json!(["year"]));

    let row = |row: usize| format!("{row},{},{},{}\n", row / 8, ["a", "b"][row / 8 % 2], row * row % 13);
    let rows: String = (0..160).map(row).collect();
    folder.write("index.csv", format!(",sequence,label,x\n{rows}"));
    let printed = train(&folder, "index.csv --input values").stderr;
    assert_eq!(config(&folder)["channels"].as_array().unwrap().len(), 1);
    assert!(printed.contains("\"column 1\": it rises by 1"), "{printed}");
}

/// 60 rows of two classes, without a header.
fn headless() -> Vec<String> {
    let row = |row: usize| format!("{}\t{} {row}", ["ham", "spam"][row % 2], ["see you at", "free prize"][row % 2]);
    (0..60).map(row).collect()
}

#[test]
fn a_table_without_a_header_is_trained_on_and_evaluated() {
    let folder = Folder::new();
    folder.write("t.tsv", headless().join("\n"));
    let options = "--no-header --text-column 2 --label-column 1";
    train(&folder, &format!("t.tsv {options}"));
    assert_eq!(number(&folder.json(&format!("eval m --data t.tsv --json {options}")), "examples"), 60.0);
    assert_eq!(rows(&folder, &format!("t.tsv {options}")), 60.0);
    // The recipe holds the layout.
    folder.run("train m/recipe.toml -o again");
    folder.fails("data t.tsv", 1, "use --no-header --text-column 2 --label-column 1");
}

#[test]
fn a_table_with_stray_quotation_marks_is_warned_about_and_read_without_quoting() {
    let folder = Folder::new();
    let mut table = headless();
    table[10] = "ham\t\"nice one".to_owned();
    table[14] = "ham\ta screen of 21\"".to_owned();
    folder.write("t.tsv", format!("label\ttext\n{}\n", table.join("\n")));
    assert_eq!(rows(&folder, "t.tsv"), 56.0);
    let printed = folder.run("data t.tsv").stderr;
    assert!(printed.contains("t.tsv: line 12: a quoted field spans 5 lines"), "{printed}");
    assert_eq!(rows(&folder, "t.tsv --no-quoting"), 60.0);
    train(&folder, "t.tsv --no-quoting");
    assert_eq!(number(&folder.json("eval m --data t.tsv --no-quoting --json"), "examples"), 60.0);
}

#[test]
fn fast_text_files_train_a_classifier() {
    let folder = Folder::new();
    let rows_of_file = headless().into_iter().map(|row| format!("__label__{}\n", row.replacen('\t', " ", 1)));
    folder.write("labels.txt", rows_of_file.collect::<String>());
    train(&folder, "labels.txt");
    assert_eq!(config(&folder)["labels"], json!(["ham", "spam"]));
    assert_eq!(rows(&folder, "labels.txt"), 60.0);
}

#[test]
fn a_training_that_accepts_its_data_leaves_a_model_that_every_command_reads() {
    let folder = Folder::new();
    let line = |row: usize, text: &str| {
        let label = ["x ", "y"][row % 2];
        json!({ "text": format!("{text} {row}"), "label": label }).to_string() + "\n"
    };
    let odd = ["see you\u{1}", "a\rb", "\u{feff}mark", "two\nlines", "\"quoted\", yes", "\u{85}next\u{2028}"];
    let lines: String = (0..60).map(|row| line(row, odd[row % odd.len()])).collect();
    folder.write("t.jsonl", &lines);
    train(&folder, "t.jsonl");
    folder.json("eval m --data t.jsonl --json");
    for command in ["predict m 'see you'", "export m -o m.safetensors", "report m"] {
        folder.run(command);
    }
    folder.write("t.jsonl", lines + &line(60, "a\0b"));
    train_fails(&folder, "t.jsonl", "t.jsonl: line 61: a NUL character");
    folder.write("novel.txt", "a text\0with a NUL\n");
    train_fails(&folder, "novel.txt", "novel.txt: line 1, byte 7 of the line: a NUL byte");
}

#[test]
fn texts_without_spaces_and_single_words_are_read_by_their_characters() {
    let folder = Folder::new();
    let chinese =
        |row: usize| format!("{}{row}", [["房间干净", "服务很好"], ["房间很脏", "早餐难吃"]][row % 2][row / 2 % 2]);
    let thai = |row: usize| format!("{}{row}", ["อาหารอร่อยมาก", "ไม่แนะนำเลย"][row % 2]);
    let surname = |row: usize| format!("{}{}", ["Petrov", "Bianchi"][row % 2], row);
    for text in [&chinese as &dyn Fn(usize) -> String, &thai, &surname] {
        let rows: String = (0..80).map(|row| format!("{},{}\n", text(row), ["a", "b"][row % 2])).collect();
        folder.write("t.csv", format!("text,label\n{rows}"));
        let printed = train(&folder, "t.csv --folds 1").stderr;
        let recipe = folder.text("m/recipe.toml");
        assert!(recipe.contains("kind = \"chars\""), "{recipe}");
        let share = printed.split("% in training, ").nth(1).and_then(|rest| rest.split(" %").next());
        assert!(share.unwrap().parse::<f64>().unwrap() < 10.0, "{printed}");
        let printed = train(&folder, "t.csv --tokenizer words --folds 1").stderr;
        assert!(printed.contains("--tokenizer chars"), "{printed}");
    }
}

/// The blocks of shell commands in docs/data.md.
#[cfg(unix)]
#[test]
fn the_forms_of_uci_become_tables() {
    let folder = Folder::new();
    let page = include_str!("../../../docs/data.md");
    let blocks: Vec<&str> = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 2);
    let shell = |script: &str| {
        let mut command = std::process::Command::new("sh");
        let output = command.args(["-ec", script]).current_dir(folder.path(".")).output().unwrap();
        assert!(output.status.success(), "{}", crate::folder::stderr(&output));
    };
    // A file for each sequence.
    folder.write("MovementAAL_target.csv", "#sequence_ID, class_label\r\n1, 1\r\n2,-1\r\n");
    folder.write("MovementAAL_RSS_1.csv", "#RSS_anchor1, RSS_anchor2\n-0.9,-0.4,0.2,0.3\n-0.5,-0.3,0.1,0.3\n");
    folder.write("MovementAAL_RSS_2.csv", "#RSS_anchor1, RSS_anchor2\n0.1,0.2,0.3,0.4\n");
    shell(blocks[0]);
    let expected =
        "sequence,label,rss1,rss2,rss3,rss4\n1,1,-0.9,-0.4,0.2,0.3\n1,1,-0.5,-0.3,0.1,0.3\n2,-1,0.1,0.2,0.3,0.4\n";
    assert_eq!(folder.text("movement.csv"), expected);
    // A line for each window.
    folder.write("y_train.txt", "5\n2\n");
    for (axis, base) in [("x", 1), ("y", 2), ("z", 3)] {
        let line = |window: usize| (0..128).map(|step| format!("  {}.{base}e+00", step + window)).collect::<String>();
        folder.write(&format!("total_acc_{axis}_train.txt"), format!("{}\n{}\n", line(0), line(1000)));
    }
    shell(blocks[1]);
    let table = folder.text("activity.csv");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        (lines.len(), lines[1], lines[256]),
        (257, "1,5,0.1e+00,0.2e+00,0.3e+00", "2,2,1127.1e+00,1127.2e+00,1127.3e+00")
    );
    assert_eq!(rows(&folder, "activity.csv"), 2.0);
}
