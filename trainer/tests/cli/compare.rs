//! `tern compare` on two models of each task; models of different tasks are refused.

use crate::folder::{Folder, novel, number};
use serde_json::Value;

#[test]
fn models_of_a_task_are_compared_and_others_refused() {
    let folder = Folder::new();
    let (mut months, mut ramps) = ("sales\n".to_owned(), "sequence,label,level\n".to_owned());
    for index in 0..240 {
        months += &format!("{}\n", index / 6 + index * 5 % 6);
        let (sequence, step) = (index / 4, index % 4);
        let label = ["flat", "up"][sequence % 2];
        ramps += &format!("s{sequence},{label},{}\n", index / 8 + step * (sequence % 2) * 3);
    }
    folder.write("novel.txt", novel(240));
    folder.write("months.csv", months);
    folder.write("ramps.csv", ramps);
    let train = |task: &str, model: &str| folder.run(&format!("train {task} --hidden-size 8 --threads 1 -o {model}"));
    let compare = |a: &str, b: &str, data: &str| folder.json(&format!("compare {a} {b} --data {data} --json"));
    let refused = |a: &str, b: &str, data: &str, expected: &str| {
        folder.fails(&format!("compare {a} {b} --data {data}"), 1, expected);
    };
    let verdict_begins = |found: &Value, expected: &str| {
        assert!(found["verdict"].as_str().unwrap().starts_with(expected), "{found}");
    };

    let task = "novel.txt --window 16 --embedding-dim 8 --learning-rate 0.02";
    train(task, "good --epochs 8");
    train(task, "poor --epochs 1");
    train(task, "letters --epochs 1 --tokenizer chars");
    let found = compare("good", "poor", "novel.txt");
    assert!(number(&found, "difference") > 0.1, "{found}");
    assert!(found["difference_interval"][0].as_f64().unwrap() > 0.0, "{found}");
    verdict_begins(&found, "A is better than B");
    let evaluation = folder.json("eval good --data novel.txt --json");
    let (loss, expected) = (number(&found["a"], "mean_loss"), number(&evaluation, "loss"));
    assert!((loss - expected).abs() < 1e-9, "{loss}, expected {expected}");
    assert_eq!(found["a"]["bits_per_character"], evaluation["bits_per_character"]);
    let found = compare("good", "good", "novel.txt");
    assert_eq!(number(&found, "difference"), 0.0);
    verdict_begins(&found, "A and B have the same loss");
    // The device file has the same tokens under other ids.
    folder.run("export good -o good.safetensors");
    let found = compare("good", "good.safetensors", "novel.txt");
    assert!(number(&found, "difference").abs() < 0.05, "{found}");
    refused("good", "letters", "novel.txt", "their tokens are not the same");

    let task = "months.csv --task forecast --season 6 --learning-rate 0.02";
    train(task, "year --window 12 --horizon 3 --epochs 20");
    train(task, "short --window 2 --horizon 3 --epochs 1");
    train(task, "one --window 6 --epochs 1");
    let found = compare("year", "short", "months.csv");
    // Both forecast from the twelfth row on.
    assert_eq!((&found["examples"], &found["unit"]), (&226.into(), &"windows".into()));
    verdict_begins(&found, "A is better than B");
    refused("year", "one", "months.csv", "expected the same columns and the same number of rows");

    train("ramps.csv --input values --learning-rate 0.02", "steep --epochs 20");
    let found = compare("steep", "steep", "ramps.csv");
    assert_eq!((&found["examples"], &found["agreements"]), (&60.into(), &60.into()));
    refused("steep", "year", "ramps.csv", "steep is for classify on values and year for forecast on values");
}
