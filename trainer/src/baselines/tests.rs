use super::*;
use crate::data::Example;
use crate::vocabulary::Vocabulary;

fn prepared(train: &[(&str, usize)], valid: &[(&str, usize)], labels: &[&str]) -> Prepared {
    let examples = |rows: &[(&str, usize)]| -> Vec<Example> {
        rows.iter().map(|(text, label)| Example { text: (*text).into(), label: *label }).collect()
    };
    let vocabulary = Vocabulary::build(train.iter().map(|(text, _)| *text), 1, None);
    let labels = labels.iter().map(|label| label.to_string()).collect();
    Prepared {
        labels,
        vocabulary,
        train: examples(train),
        valid: examples(valid),
        folds: Vec::new(),
        leaked: 0,
        duplicates: 0,
        places: Vec::new(),
    }
}

/// Accuracy of the linear model and of the bag.
fn accuracies(data: &Prepared) -> [f64; 2] {
    let baselines = measure(data, Metric::Accuracy, 1);
    assert_eq!(
        baselines.iter().map(|baseline| baseline.name).collect::<Vec<_>>(),
        ["linear_ngrams", "bag_of_embeddings"]
    );
    [0, 1].map(|index| baselines[index].evaluation.accuracy())
}

#[test]
fn predictive_words_are_learnt_by_both_baselines() {
    let train: Vec<(String, usize)> = (0..120)
        .map(|index| (format!("{} w{} w{}", ["red", "green", "blue"][index % 3], index % 7, index % 11), index % 3))
        .collect();
    let train: Vec<(&str, usize)> = train.iter().map(|(text, label)| (text.as_str(), *label)).collect();
    let valid = [("w1 blue w2", 2), ("green w3 w9", 1), ("w5 w5 red", 0), ("w5 unseen blue", 2)];
    let data = prepared(&train, &valid, &["red", "green", "blue"]);
    assert_eq!(accuracies(&data), [1.0, 1.0]);
    assert_eq!(accuracies(&prepared(&train, &train, &["red", "green", "blue"])), [1.0, 1.0]);
}

#[test]
fn the_linear_model_reads_pairs_of_words_and_the_bag_does_not() {
    let rows: Vec<(&str, usize)> = [("x not good y", 0), ("x good not y", 1)].repeat(20);
    assert_eq!(accuracies(&prepared(&rows, &rows, &["bad", "good"])), [1.0, 0.5]);
}

#[test]
fn single_words_are_classified_by_their_characters() {
    let train = [
        ("Ivanov", 0),
        ("Petrov", 0),
        ("Smirnov", 0),
        ("Popov", 0),
        ("Rossi", 1),
        ("Bianchi", 1),
        ("Ricci", 1),
        ("Conti", 1),
    ];
    let data = prepared(&train, &[("Kuznetsov", 0), ("Moretti", 1)], &["ru", "it"]);
    let baselines = measure(&data, Metric::Accuracy, 1);
    assert_eq!(baselines[0].evaluation.accuracy(), 1.0);
    assert_eq!(baselines[0].title, "linear, tf-idf of 1 to 4 characters");
}

#[test]
fn the_same_figures_with_any_number_of_threads() {
    let train: Vec<(String, usize)> =
        (0..3000).map(|i| (format!("a{} b{} c{}", i % 13, i % 29, i % 3 * i % 17), i % 5)).collect();
    let train: Vec<(&str, usize)> = train.iter().map(|(text, label)| (text.as_str(), *label)).collect();
    let data = prepared(&train, &train[..500], &["a", "b", "c", "d", "e"]);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| measure(&data, Metric::Accuracy, 3))
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn the_metric_chooses_the_epoch_of_the_bag() {
    // One text in ten is of the rare label, which only some of its words tell.
    let row = |index: usize| {
        let label = usize::from(index.is_multiple_of(10));
        (format!("w{} v{} {}", index % 7, index % 5, ["common", "rare"][label * (index / 10 % 2)]), label)
    };
    let rows: Vec<(String, usize)> = (0..200).map(row).collect();
    let rows: Vec<(&str, usize)> = rows.iter().map(|(text, label)| (text.as_str(), *label)).collect();
    let data = prepared(&rows[..100], &rows[100..], &["often", "seldom"]);
    let [accuracy, macro_f1, loss] =
        [Metric::Accuracy, Metric::MacroF1, Metric::Loss].map(|metric| measure(&data, metric, 1).remove(1).evaluation);
    assert!(macro_f1.macro_f1() >= accuracy.macro_f1() && macro_f1.macro_f1() >= loss.macro_f1());
    assert!(accuracy.accuracy() >= macro_f1.accuracy() && accuracy.accuracy() >= loss.accuracy());
    assert!(loss.loss() < accuracy.loss().min(macro_f1.loss()) + 1e-12);
}

#[test]
fn texts_without_a_token_are_accepted() {
    let rows = [("", 0), ("  ", 0), ("word", 1), ("", 1)];
    for baseline in measure(&prepared(&rows, &rows, &["a", "b"]), Metric::Accuracy, 1) {
        assert_eq!(baseline.evaluation.examples(), 4);
        assert!(baseline.evaluation.loss().is_finite());
    }
}

#[test]
fn the_table_lists_baselines_and_the_model() {
    let data = prepared(&[("a a a", 0), ("b b b", 1)], &[("a a b", 0), ("b b c", 1)], &["x", "y"]);
    let baselines = measure(&data, Metric::Accuracy, 1);
    let lines = to_text(&baselines, &baselines[1].evaluation, 123);
    assert_eq!(lines.len(), 5);
    assert!(lines[1].starts_with("always the most frequent label") && lines[1].ends_with("0.5000"), "{lines:#?}");
    assert!(lines[4].starts_with("this model ") && lines[4].ends_with("       123"), "{lines:#?}");
    let json = to_json(&baselines);
    assert_eq!(json["linear_ngrams"]["accuracy"], 1.0);
    assert_eq!(json["bag_of_embeddings"]["parameters"], 32 * (4 + 2) + 2);
    assert_eq!(to_text(&[], &baselines[1].evaluation, 123), Vec::<String>::new());
}
