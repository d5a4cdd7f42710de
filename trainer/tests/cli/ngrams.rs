//! Text classifiers with an n-gram branch: trained, evaluated, asked for predictions, compared.

use crate::folder::{Folder, number, parse};

const OPTIONS: &str = "--ngram-buckets 256 --ngram-rank 4 --epochs 6 --learning-rate 0.02 --threads 1 --no-baselines";

#[test]
fn ngram_branch_classifies_alone_and_beside_recurrent_layers() {
    let folder = Folder::with_messages();
    let split = "--valid-fraction 0.1";
    for (model, layers) in [("alone", "--num-layers 0"), ("both", "--embedding-dim 4 --hidden-size 6")] {
        let line = format!("train messages.csv -o {model} {OPTIONS} {split} {layers} --json");
        let printed = folder.run(&line);
        assert!(printed.stderr.contains("an n-gram branch of 256 buckets, rank 4"), "{}", printed.stderr);
        let figures = parse(&printed.stdout);
        assert!(number(&figures["validation"], "accuracy") > 0.9, "{figures}");
        let branch = parse(&folder.text(&format!("{model}/config.json")))["ngrams"].clone();
        assert_eq!((&branch["buckets"], &branch["words"], &branch["bits"]), (&256.into(), &2.into(), &4.into()));
        assert!(number(&branch, "step") > 0.0, "{branch}");

        let evaluation = folder.json(&format!("eval {model} --data {model}/validation.csv --json"));
        for key in ["examples", "accuracy", "loss", "macro_f1"] {
            assert_eq!(evaluation[key], figures["validation"][key], "{key}");
        }
        let prediction = folder.json(&format!("predict {model} --json --trace 'FREE prize qwerty'"));
        let unknown = if model == "alone" { 0 } else { 1 };
        assert_eq!((&prediction["tokens"], &prediction["unknown"]), (&3.into(), &unknown.into()));
        assert_eq!(prediction["trace"][2]["probability"], prediction["probability"]);
        assert!(folder.text(&format!("{model}/report.html")).contains("Influential words by label"));

        // The same recipe gives the same bytes.
        folder.run(&format!("train {model}/recipe.toml -o again/{model} --threads 2 --no-baselines"));
        for file in ["model.safetensors", "config.json", "metrics.json"] {
            assert!(
                folder.bytes(&format!("{model}/{file}")) == folder.bytes(&format!("again/{model}/{file}")),
                "{file}"
            );
        }
    }
    // With fingerprints: the device file counts the n-grams that the float model counts.
    let options = "--num-layers 0 --ngram-fingerprints";
    let printed = folder.run(&format!("train messages.csv -o own {OPTIONS} {split} {options} --json"));
    let figures = parse(&printed.stdout);
    assert!(number(&figures["validation"], "accuracy") > 0.9, "{figures}");
    let branch = parse(&folder.text("own/config.json"))["ngrams"].clone();
    assert_eq!(branch["fingerprints"].as_str().map(str::len), Some(344), "256 bytes in base64: {branch}");
    let exported = folder.json("export own -o own.safetensors --json");
    assert_eq!(folder.json("inspect own.safetensors --json")["ngrams"]["fingerprints"], true, "{exported}");
    let prediction = folder.json("predict own.safetensors --json --trace 'FREE prize qwerty'");
    let mut steps = prediction["trace"].as_array().unwrap().iter();
    assert!(prediction["unknown"] == 0 && steps.all(|step| step["known"] == true), "{prediction}");
    for part in exported["quantised_alone"].as_array().unwrap() {
        assert!(number(part, "rms_difference") < 0.1, "{part}");
    }
    let compared = folder.json("compare own own.safetensors --data own/validation.csv --json");
    let [float, integer] = ["a", "b"].map(|model| number(&compared[model], "accuracy"));
    assert!((float - integer).abs() < 0.01, "{compared}");

    let compared = folder.json("compare alone both --data both/validation.csv --json");
    assert!(number(&compared["a"], "accuracy") > 0.9, "{compared}");
}

#[test]
fn small_data_is_cross_validated_with_an_ngram_branch_and_class_weights() {
    let folder = Folder::with_messages();
    let table: String = folder.text("messages.csv").split_inclusive('\n').take(61).collect();
    folder.write("few.csv", table);
    let figures =
        folder.json(&format!("train few.csv -o few {OPTIONS} --num-layers 0 --class-weights balanced --json"));
    assert_eq!(figures["validation"]["folds"], 5);
    assert!(number(&figures["validation"], "accuracy") > 0.7, "{figures}");
    assert!(folder.path("few/cross_validation.jsonl").is_file());
}

#[test]
fn ngram_options_that_do_not_fit_are_refused() {
    let folder = Folder::with_messages();
    for (options, expected) in [
        ("--ngram-buckets 100", "--ngram-buckets is 100, expected 0, or a power of 2 from 16"),
        ("--num-layers 0 --ngram-buckets 0", "--num-layers is 0, expected 1 to 4, or 0 with an n-gram branch"),
        ("--ngram-fingerprints --folds 3", "--ngram-fingerprints is true, expected false with a cross-validation"),
        ("--ngram-buckets 64 --input values", "--ngram-buckets is 64, expected 0 here: an n-gram branch reads text"),
        ("--ngram-buckets 64 --ngram-words 0 --ngram-max-chars 0", "n-grams must have words or characters"),
    ] {
        folder.fails(&format!("train messages.csv -o m {options}"), 2, expected);
    }
}
