//! The `tern` command as a process: exit statuses, streams, files.

mod compare;
mod fit;
mod folder;
mod lessons;
mod ngrams;
mod refusal;
#[cfg(unix)]
mod resume;
mod signed;
mod tables;
mod tasks;
mod teachers;

use folder::{Folder, Printed, number, parse};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

/// Options of a quick training with a validation split.
const SMALL: &str =
    "--embedding-dim 4 --hidden-size 6 --epochs 6 --learning-rate 0.02 --threads 1 --valid-fraction 0.1";

/// Trains `models/spam`.
fn train(folder: &Folder, more: &str) -> Printed {
    folder.run(&format!("train messages.csv -o models/spam {SMALL} {more}"))
}

#[test]
fn train_eval_predict() {
    let folder = Folder::with_messages();
    let printed = train(&folder, "--json");
    let figures = parse(&printed.stdout);
    assert!(number(&figures["validation"], "accuracy") > 0.9, "{figures}");
    let files = "README.md calibration.csv config.json metrics.json model.safetensors recipe.toml report.html \
                 tokenizer.json tokenizer_config.json validation.csv";
    for file in files.split_whitespace() {
        assert!(folder.path("models/spam").join(file).is_file(), "{file} is missing");
    }
    for name in ["linear_ngrams", "bag_of_embeddings"] {
        assert!(number(&figures["baselines"][name], "accuracy") > 0.9, "{figures}");
    }
    for line in [
        "* marks the best epoch so far by accuracy\n",
        "epoch   1/6",
        &format!("best epoch {} of 6 by accuracy, ", figures["best_epoch"]),
        "always the most frequent label ",
        "linear, tf-idf of words and pairs of words ",
        "bag of embeddings, ",
        "this model ",
    ] {
        assert!(printed.stderr.contains(&format!("\n{line}")), "{line}: {}", printed.stderr);
    }

    let evaluation = folder.json("eval models/spam --data models/spam/validation.csv --json");
    for key in ["examples", "accuracy", "loss", "macro_f1"] {
        assert_eq!(evaluation[key], figures["validation"][key], "{key}");
    }
    assert!(evaluation["per_class"]["spam"]["precision"].is_number());

    let prediction = folder.json("predict models/spam --json --trace 'FREE prize qwerty'");
    assert_eq!((&prediction["tokens"], &prediction["unknown"]), (&3.into(), &1.into()));
    assert_eq!(prediction["logits"].as_array().unwrap().len(), 2);
    assert_eq!(prediction["trace"][0]["token"], "free");
    assert_eq!(prediction["trace"][2]["probability"], prediction["probability"]);
}

#[test]
fn the_same_recipe_gives_the_same_bytes() {
    let folder = Folder::with_messages();
    train(&folder, "");
    folder.run("train models/spam/recipe.toml -o again/spam --threads 2");
    for name in folder.names("models/spam").iter().filter(|name| *name != "recipe.toml") {
        let [first, again] = ["models/spam", "again/spam"].map(|model| folder.bytes(&format!("{model}/{name}")));
        assert!(first == again, "{name} differs");
    }
}

#[test]
fn data_is_shown_converted_and_split() {
    let folder = Folder::with_messages();
    let data = |line: &str| folder.json(&format!("data {line} --json"));
    folder.write("more.tsv", "text\tlabel\r\nsee you at lunch, table 1\tspam\r\nnew\tham\r\n \tham\r\n");
    let shown = data("messages.csv more.tsv");
    assert_eq!(shown["sources"][0]["classes"], json!({"ham": 30, "spam": 30}));
    assert_eq!(shown["sources"][0]["length"]["max"], 7);
    assert_eq!(shown["sources"][1]["empty"], 1);
    assert_eq!(shown["sources"][1]["encoding"], "ASCII, lines end in CR LF");
    assert_eq!(shown["overlap"][0]["texts"], 1);
    let text = folder.run("data messages.csv").stdout;
    assert!(text.starts_with("messages.csv: 60 rows of 2 classes, ASCII\n  ham       30  50.0 %  █"), "{text}");

    // Both files together: one text then has two labels.
    data("messages.csv more.tsv -o all.jsonl");
    let all = data("all.jsonl");
    assert_eq!((&all["sources"][0]["rows"], &all["sources"][0]["conflicting"]), (&63.into(), &1.into()));
    let split = "messages.csv -o parts/m.csv --split 0.8,0.1,0.1 --stratify --seed 7";
    assert_eq!(data(split)["written"][2], json!({"path": "parts/m.test.csv", "rows": 6}));
    let parts = ["parts/m.train.csv", "parts/m.valid.csv", "parts/m.test.csv"];
    let first = parts.map(|part| folder.bytes(part));
    data(split);
    assert_eq!(first, parts.map(|part| folder.bytes(part)));
    let shown = data(&parts.join(" "));
    assert_eq!(shown["sources"][1]["classes"], json!({"ham": 3, "spam": 3}));
    assert!(shown["overlap"].as_array().unwrap().iter().all(|overlap| overlap["texts"] == 0), "{shown}");
    assert_eq!(folder.names("parts").len(), 3, "temporary files are left");
}

#[test]
fn the_encoding_is_that_of_a_file_and_a_folder_has_none() {
    let folder = Folder::new();
    for label in ["good", "bad"] {
        fs::create_dir_all(folder.path("texts").join(label)).unwrap();
        folder.write(&format!("texts/{label}/1.txt"), "größer");
    }
    let text = folder.run("data texts").stdout;
    assert!(text.starts_with("texts: 2 rows of 2 classes\n"), "{text}");
    assert!(folder.json("data texts --json")["sources"][0]["encoding"].is_null());
}

#[test]
fn plain_text_is_shown_and_split_in_its_order() {
    let folder = Folder::with_messages();
    let text: String = (0..40).map(|line| format!("line {line} é\n")).collect();
    folder.write("novel.txt", &text);
    let shown = folder.json("data novel.txt -o parts/n.txt --split 0.7,0.2,0.1 --json");
    let source = &shown["sources"][0];
    for (key, expected) in [("words", 120), ("distinct_words", 42), ("vocabulary", 4), ("bytes", text.len())] {
        assert_eq!(source[key], expected, "{key}");
    }
    assert_eq!(source["lines"]["max"], 9);
    assert_eq!((source["covered"].as_f64(), &source["encoding"]), (Some(80.0 / 120.0), &"UTF-8".into()));
    let parts = ["train", "valid", "test"].map(|part| folder.text(&format!("parts/n.{part}.txt")));
    assert_eq!(parts.concat(), text);
    for (index, part) in parts.iter().enumerate() {
        assert!(part.ends_with('\n'));
        assert_eq!(shown["written"][index]["lines"], part.lines().count());
    }
    let text = folder.run("data novel.txt").stdout;
    assert!(text.contains("120 words, 42 distinct\n  66.67 % of the words are in a vocabulary of 4\n"), "{text}");
    folder.fails("data novel.txt messages.csv", 2, "1 of 2 sources are plain text");
    folder.fails("data novel.txt -o n.txt --split 0.5,0.5 --stratify", 1, "are for rows with labels");
}

#[test]
fn sequences_of_numbers_are_shown_and_split() {
    let folder = Folder::with_messages();
    folder.write("m.csv", "sequence,label,x,y\n1,a,-0.9,0.5\n1,a,0,N/A\n2,b,0.25,1e-3\n");
    let shown = folder.json("data m.csv -o h.csv --split 0.5,0.5 --json");
    assert_eq!(shown["sources"][0]["rows"], 2);
    assert_eq!(shown["sources"][0]["length"]["unit"], "steps");
    assert_eq!(shown["written"][1]["rows"], 1);
    folder.run("data m.csv -o again.csv");
    let expected = "sequence,label,x,y\n1,a,-0.9,0.5\n1,a,0,NA\n2,b,0.25,0.001\n";
    assert_eq!(folder.text("again.csv"), expected);
    folder.fails("data m.csv messages.csv -o all.csv", 1, "the sources have different columns");
}

#[test]
fn a_split_that_cannot_be_is_refused() {
    let folder = Folder::with_messages();
    let expected = "expected two or three shares above 0 that add up to 1";
    folder.fails("data messages.csv -o x.csv --split 0.8,0.1", 2, expected);
    folder.fails("data messages.csv --split 0.8,0.2", 2, "--output");
    folder.fails("data messages.csv -o .", 1, ": a directory, expected a name for a file");
}

#[test]
fn a_state_dict_of_pytorch_becomes_a_model() {
    let folder = Folder::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/import/golden");
    folder.write("w.safetensors", fs::read(golden.join("plain.safetensors")).unwrap());
    let models = parse(&fs::read_to_string(golden.join("models.json")).unwrap());
    let vocab: Vec<&str> = models["vocab"].as_array().unwrap().iter().map(|token| token.as_str().unwrap()).collect();
    folder.write("vocab.txt", vocab.join("\n"));
    folder.write("c.toml", "name = 'plain'\nlabels = ['a', 'b', 'c']\n");
    folder.write("rows.jsonl", "{\"text\": \"see you\", \"label\": \"a\"}\n");
    let import = "import w.safetensors --config c.toml --vocab vocab.txt -o m --valid rows.jsonl";
    let Printed { stdout, stderr } = folder.run(import);
    assert!(stdout.starts_with("10 tokens, embedding 4, one LSTM layer of 5 cells, 3 labels, "), "{stdout}");
    assert!(stdout.contains("\naccuracy 1.0000 on 1 validation rows\n"), "{stdout}");
    let warning = "warning: without --data the model has no calibration set";
    assert!(stderr.contains(warning), "{stderr}");
    assert!(!folder.run(&format!("{import} --data rows.jsonl")).stderr.contains(warning));
    let prediction = folder.json(&format!("predict m --json '{}'", models["texts"][0].as_str().unwrap()));
    let expected = models["models"][0]["logits"][0].as_array().unwrap();
    for (found, expected) in prediction["logits"].as_array().unwrap().iter().zip(expected) {
        assert!((found.as_f64().unwrap() - expected.as_f64().unwrap()).abs() < 1e-5, "{prediction}");
    }
    folder.run("export m -o d.safetensors --json");
    folder.run("eval d.safetensors --data rows.jsonl --json");

    folder.write("c.toml", "labels = ['a', 'b']\n");
    folder.fails(import, 1, "tensor `fc.weight` is [3, 5], expected [2, 5]");
    // The former model is still there.
    folder.run("eval m --data rows.jsonl");
}

#[test]
fn a_training_without_baselines_and_with_empty_texts() {
    let folder = Folder::new();
    let line = |index: usize| {
        let (text, label) = [("free prize", 1), ("see you", 0), ("", 0), ("  ", 1)][index % 4];
        let text = if text.trim().is_empty() { text.to_owned() } else { format!("{text} {index}") };
        json!({ "text": text, "label": label }).to_string() + "\n"
    };
    folder.write("m.jsonl", (0..40).map(line).collect::<String>());
    let printed = folder.run(&format!("train m.jsonl -o m --no-baselines --json {SMALL}"));
    assert!(printed.stderr.contains("texts are empty"), "{}", printed.stderr);
    assert!(!printed.stderr.contains("bag of embeddings"), "{}", printed.stderr);
    assert!(parse(&printed.stdout).get("baselines").is_none(), "{}", printed.stdout);
    assert_eq!(folder.json("eval m --data m.jsonl --json")["examples"], 40);
}

#[test]
fn predict_reads_lines() {
    let folder = Folder::with_messages();
    train(&folder, "");
    let mut child = folder.tern("predict models/spam").stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"free prize now\r\n\nlunch \xff at the table").unwrap();
    let printed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("spam ") && lines[0].ends_with("free prize now"), "{lines:?}");
    assert!(lines[2].starts_with("ham "), "{lines:?}");
}

#[test]
fn a_wrong_command_line_is_status_2() {
    let folder = Folder::with_messages();
    for (line, expected) in [
        ("train", "DATA.csv|RECIPE.toml"),
        ("train messages.csv --cell elman", "lstm, gru, rnn, rnn_relu"),
        ("train messages.csv --num-layers 5", "--num-layers is 5, expected 0 to 4"),
        ("train messages.csv --merge sum", "--merge is sum, expected concat"),
        ("train messages.csv --hidden-size 0", "--hidden-size is 0, expected 1 to 4096"),
        ("train messages.csv --dropout nan", "--dropout is NaN"),
        ("train messages.csv --delimiter ab", "expected one ASCII character"),
        ("fly", "unrecognized subcommand"),
    ] {
        folder.fails(line, 2, expected);
    }
}

#[test]
fn failed_work_is_status_1() {
    let folder = Folder::with_messages();
    folder.write("bad.toml", "[data]\ntrain = 'messages.csv'\n[model]\ncell = 'elman'\n");
    folder.write("wide.toml", "[data]\ntrain = 'messages.csv'\n[model]\nhidden_size = 0\n");
    folder.write("one.csv", "text,label\nx,a\ny,a\n");
    fs::create_dir(folder.path("precious")).unwrap();
    folder.write("precious/file", "");
    for (line, expected) in [
        ("train none.csv", "none.csv"),
        ("train bad.toml", "bad.toml: line 4: [model] cell is \"elman\", expected lstm, gru"),
        ("train wide.toml", "wide.toml: line 4: [model] hidden_size is 0"),
        ("train one.csv", "every label is \"a\""),
        ("train messages.csv --label-column class", "line 1 has the columns \"text\", \"label\""),
        ("train messages.csv -o precious", "not a Tern model directory"),
        ("eval precious --data messages.csv", "expected a model directory"),
        ("predict precious x", "expected a model directory"),
    ] {
        let message = folder.fails(line, 1, expected);
        assert!(message.starts_with("error: "), "{line}: {message}");
    }
    assert_eq!(folder.names("precious"), ["file"]);
}

#[test]
fn a_stack_that_reads_both_ways_is_trained_and_exported() {
    let folder = Folder::with_messages();
    let network = "--cell gru --num-layers 2 --bidirectional --merge mean --pooling mean_max --json";
    let Printed { stdout, stderr } = train(&folder, network);
    assert!(stderr.contains("2 bidirectional GRU layers of 6 cells each way"), "{stderr}");
    let figures = parse(&stdout);
    assert!(number(&figures["validation"], "accuracy") > 0.9, "{figures}");

    let evaluation = folder.json("eval models/spam --data models/spam/validation.csv --json");
    assert_eq!(evaluation["accuracy"], figures["validation"]["accuracy"]);
    let prediction = folder.json("predict models/spam --json --trace 'FREE prize qwerty'");
    assert_eq!(prediction["trace"][2]["probability"], prediction["probability"]);

    let export = folder.json("export models/spam -o spam.safetensors --json");
    assert_eq!(export["float_accuracy"], figures["validation"]["accuracy"]);
    assert!((number(&export, "float_accuracy") - number(&export, "integer_accuracy")).abs() < 0.02, "{export}");
    let integers = folder.json("predict spam.safetensors --json 'FREE prize qwerty'");
    assert_eq!(integers["label"], prediction["label"]);
}

#[test]
fn shells_complete_commands_and_the_manual_has_a_page_for_each() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = folder.run(&format!("completions {shell}")).stdout;
        assert!(
            ["train", "--flash", "--c-array"].iter().all(|word| script.contains(word.trim_start_matches('-'))),
            "{shell}"
        );
    }
    folder.run("man pages");
    let pages = folder.names("pages");
    assert!(
        ["tern.1", "tern-train.1", "tern-fit.1"].iter().all(|name| pages.iter().any(|page| page == name)),
        "{pages:?}"
    );
    let page = folder.text("pages/tern-fit.1");
    assert!(page.contains("\\-\\-flash") && page.contains("messages.csv"), "{page}");
}

#[test]
fn an_export_can_store_fingerprints_in_place_of_tokens() {
    let folder = Folder::with_messages();
    train(&folder, "");
    let texts = folder.json("export models/spam -o texts.safetensors --json");
    let short = folder.json("export models/spam -o short.safetensors --token-fingerprints --json");
    let vocabulary = |export: &serde_json::Value| number(&export["parts"], "vocabulary");
    assert!(2.0 * vocabulary(&short) < vocabulary(&texts), "{texts} {short}");
    assert_eq!(short["integer_accuracy"], texts["integer_accuracy"]);
    let [expected, found] = ["texts", "short"].map(|model| {
        let predicted = folder.json(&format!("predict {model}.safetensors --json --trace 'FREE prize qwerty'"));
        let evaluated = folder.json(&format!("eval {model}.safetensors --data models/spam/validation.csv --json"));
        (predicted, evaluated["accuracy"].clone(), evaluated["loss"].clone())
    });
    assert_eq!(found, expected);
    assert!(folder.run("inspect short.safetensors").stdout.contains("fingerprints of the tokens, not their texts"));
    assert_eq!(folder.json("inspect short.safetensors --json")["metadata"]["tern.vocabulary"], "fingerprints");
    // The key of the recipe does the same.
    let recipe = folder.text("models/spam/recipe.toml");
    folder.write("models/spam/recipe.toml", recipe.replace("token_fingerprints = false", "token_fingerprints = true"));
    folder.run("export models/spam -o again.safetensors");
    assert!(folder.bytes("again.safetensors") == folder.bytes("short.safetensors"));

    folder.run(&format!("train messages.csv -o models/bytes --tokenizer bytes {SMALL}"));
    let expected = "expected a tokenizer of words or characters, but this model has `bytes`; leave it out";
    folder.fails("export models/bytes -o bytes.safetensors --token-fingerprints", 1, expected);
}

#[test]
fn an_export_can_also_be_an_array_in_c() {
    let folder = Folder::with_messages();
    train(&folder, "");
    let export = folder.json("export models/spam -o spam.safetensors --c-array spam.h --json");
    let header = folder.text("spam.h");
    let words = header.split_whitespace().filter_map(|word| word.strip_prefix("0x")?.strip_suffix("u,"));
    let bytes: Vec<u8> = words.flat_map(|word| u64::from_str_radix(word, 16).unwrap().to_le_bytes()).collect();
    let file = folder.bytes("spam.safetensors");
    assert!(bytes[..file.len()] == file && bytes.len() < file.len() + 8);
    let scratch_words = number(&export, "scratch_bytes") / 4.0;
    assert!(header.contains(&format!("#define SPAM_SCRATCH_WORDS {scratch_words}\n")), "{}", &header[..800]);
    // Again over its own header, but over nothing else.
    folder.run("export models/spam -o spam.safetensors --c-array spam.h");
    folder.write("mine.h", "#define MINE\n");
    folder.fails("export models/spam -o spam.safetensors --c-array mine.h", 1, "was not written by `tern export`");
    assert_eq!(folder.text("mine.h"), "#define MINE\n");
}

#[test]
fn a_failed_training_leaves_nothing_behind() {
    let folder = Folder::with_messages();
    folder.fails("train messages.csv -o m --text-column body", 1, "error: ");
    assert_eq!(folder.names("."), ["messages.csv"]);
}
