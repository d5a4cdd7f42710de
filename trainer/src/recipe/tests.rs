//! Tests of reading, layering, checking and writing recipes.

use super::*;
use crate::architecture::Recurrent;
use std::fs;
use std::path::Path;
use tern_runtime::text;
use toml::toml;

/// Reads and checks a recipe that names its training data and then has the keys `rest`.
fn with_data(rest: &str) -> Result<Recipe, RecipeError> {
    read(&format!("[data]\ntrain = 'a'\n{rest}"))
}

fn read(text: &str) -> Result<Recipe, RecipeError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recipe.toml");
    fs::write(&path, text).unwrap();
    let recipe = Recipe::read(&path)?;
    recipe.check()?;
    Ok(recipe)
}

#[test]
fn every_key_but_the_training_data_has_a_default() {
    let recipe = read("[data]\ntrain = 'a.csv'\n[model]\nhidden_size = 32").unwrap();
    let expected = Recipe::for_data(&recipe.data.train);
    assert_eq!(recipe.model, Model { hidden_size: Some(32), ..Model::default() });
    assert_eq!((recipe.training, recipe.data), (expected.training, expected.data));
}

#[test]
fn the_old_spellings_of_sizes_are_read() {
    let recipe = with_data("[model]\nhidden = 20\nlayers = 2\nembedding = 12").unwrap();
    let Model { hidden_size, num_layers, embedding_dim, .. } = recipe.model;
    assert_eq!((hidden_size, num_layers, embedding_dim), (Some(20), 2, Some(12)));
}

#[test]
fn the_defaults_pass_the_check() {
    Recipe::for_data(Path::new("a.csv")).check().unwrap();
}

#[test]
fn recipe_keys_describe_the_recurrent_layers() {
    let keys = "cell = 'rnn_relu'\nnum_layers = 3\nbidirectional = true\nmerge = 'product'\npooling = 'mean_max'";
    let recipe = with_data(&format!("[model]\n{keys}")).unwrap();
    let recurrent = Recurrent {
        cell: Cell::RnnRelu,
        num_layers: 3,
        bidirectional: true,
        merge: Merge::Product,
        pooling: Pooling::MeanMax,
        ..Recurrent::default()
    };
    assert_eq!(recipe.model.architecture(10, 2).recurrent, recurrent);
}

#[test]
fn the_default_learning_rate_depends_on_the_optimizer() {
    let rate = |text: &str| with_data(&format!("[training]\n{text}")).unwrap().learning_rate();
    assert_eq!([rate(""), rate("optimizer = 'sgd'"), rate("learning_rate = 0.5")], [3e-3, 0.1, 0.5]);
}

#[test]
fn batches_are_small_for_few_training_rows() {
    let [texts, language] = [Task::Classify, Task::LanguageModel].map(|task| Recipe::for_task(Path::new("a"), task));
    assert_eq!([10, 400, 100_000].map(|count| texts.batch_size(count)), [4, 8, 32]);
    assert_eq!([400, 8_000, 100_000].map(|windows| language.batch_size(windows)), [4, 8, 32]);
    assert_eq!(language.learning_rate(), 5e-3);
}

#[test]
fn paths_are_relative_to_the_recipes_folder() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["recipes", "models/spam"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    let path = dir.path().join("recipes/r.toml");
    fs::write(&path, "[data]\ntrain = '../data/a.csv'\nvalid = 'b.csv'").unwrap();
    let recipe = Recipe::read(&path).unwrap();
    assert_eq!(recipe.data.train, dir.path().join("recipes/../data/a.csv"));

    let target = dir.path().join("models/spam");
    fs::create_dir(dir.path().join("data")).unwrap();
    let text = recipe.to_toml(&target);
    assert!(text.contains("train = \"../../data/a.csv\""), "{text}");
    assert!(text.contains("valid = \"../../recipes/b.csv\""), "{text}");

    fs::write(&path, "[data]\ntrain = 'hf:someone/messages'").unwrap();
    let recipe = Recipe::read(&path).unwrap();
    assert_eq!(recipe.data.train, Path::new("hf:someone/messages"));
    assert!(recipe.to_toml(&target).contains("train = \"hf:someone/messages\""));
}

#[test]
fn a_written_recipe_is_complete_and_reads_the_same() {
    let mut recipe = Recipe::for_data(Path::new("a.csv"));
    recipe.resolve();
    let text = recipe.to_toml(Path::new(""));
    let keys = "text_column min_count kind lowercase freeze_embeddings cell num_layers bidirectional merge pooling \
                layer_dropout weight_averaging seed batch_tokens";
    for key in keys.split_whitespace() {
        assert!(text.contains(&format!("{key} = ")), "{key} is missing in\n{text}");
    }
    let back: Recipe = toml::from_str(&text).unwrap();
    assert_eq!(back, recipe);
}

#[test]
fn bad_recipes_are_refused_with_line_and_key() {
    for (text, expected) in [
        ("[model]", "[data] train is missing, expected a table"),
        ("[data]\nvalid = 'b.csv'", "[data] train is missing, expected a table"),
        ("hidden_size = 8\n[data]\ntrain = 'a'", "line 1: unknown key `hidden_size`; it belongs in [model]"),
        ("nam = 'x'\n[data]\ntrain = 'a'", "line 1: unknown key `nam`; did you mean `name`?"),
        ("model = 3\n[data]\ntrain = 'a'", "line 1: [model] is not a table, expected a section with keys"),
        ("name = 3\n[data]\ntrain = 'a'", "line 1: `name` is 3, expected a text in quotation marks"),
        ("[data]\ntrain = 7", "[data] train is 7, expected a text in quotation marks"),
        ("[data", "recipe.toml"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n{error}");
    }
    // After the two lines of [data].
    for (rest, expected) in [
        ("trian = 'b'", "recipe.toml: line 3: unknown key `trian` in [data]; did you mean `train`?"),
        ("[modell]", "line 3: unknown section [modell]; did you mean [model]?"),
        ("[plots]", "unknown section [plots]; expected [data], "),
        ("[vocabulary]\nmincount = 1", "unknown key `mincount` in [vocabulary]; did you mean `min_count`?"),
        ("[tokenizer]\ntype = 'words'", "unknown key `type` in [tokenizer]; expected `kind`"),
        ("[model]\nhiden_size = 8", "unknown key `hiden_size` in [model]; did you mean `hidden_size`?"),
        ("[training]\nlearning-rate = 1", "unknown key `learning-rate` in [training]; did you mean `learning_rate`?"),
        ("[training]\ncolour = 1", "unknown key `colour` in [training]; expected `epochs`, `patience`, "),
        ("[model]\nepochs = 8", "unknown key `epochs` in [model]; it belongs in [training]"),
        ("[model]\nhidden_size = '8'", "[model] hidden_size is \"8\", expected a whole number"),
        ("[model]\nhidden_size = 8.5", "[model] hidden_size is 8.5, expected a whole number"),
        ("[model]\ndropout = true", "[model] dropout is true, expected a number"),
        ("[model]\ncell = 'elman'", "line 4: [model] cell is \"elman\", expected lstm, gru, rnn, rnn_relu"),
        ("[model]\ncell = 'LSMT'", "expected lstm, gru, rnn, rnn_relu; did you mean lstm?"),
        ("[model]\npooling = 'min'", "expected last, mean, max, mean_max"),
        ("[model]\nnum_layers = 5", "[model] num_layers is 5, expected 0 to 4"),
        (
            "[model]\nnum_layers = 0\nngram_buckets = 0",
            "[model] num_layers is 0, expected 1 to 4, or 0 with an n-gram branch",
        ),
        ("[model]\nngram_buckets = 1000", "[model] ngram_buckets is 1000, expected 0, or a power of 2 from 16"),
        ("[model]\nngram_buckets = 64\nngram_rank = 3", "[model] ngram_rank is 3, expected a power of 2"),
        ("[model]\nngram_buckets = 64\nngram_bits = 6", "[model] ngram_bits is 6, expected 4 or 8"),
        ("[model]\nngram_buckets = 64\nngram_rank = 1", "[model] ngram_rank is 1, expected a power of 2 to 256, and 2"),
        ("[model]\nngram_buckets = 64\nngram_words = 0\nngram_max_chars = 0", "n-grams must have words or characters"),
        ("[tokenizer]\nkind = 'chars'\n[model]\nngram_buckets = 64\nngram_words = 1", "need a tokenizer of words"),
        ("[model]\nlayer_dropout = 1.0", "[model] layer_dropout is 1, expected 0 to 0.95"),
        ("[model]\nmerge = 'sum'", "[model] merge is sum, expected concat where bidirectional"),
        ("[model]\nbidirectional = 1", "[model] bidirectional is 1, expected true or false"),
        ("[model]\nhidden_size = -1", "[model] hidden_size is -1, expected 1 to 4096"),
        ("[model]\nhidden_size = 0", "[model] hidden_size is 0, expected 1 to 4096"),
        ("[model]\ndropout = nan", "[model] dropout is NaN, expected 0 to 0.95"),
        ("delimiter = '→'", "[data] delimiter is \"→\""),
        ("[training]\nschedule = 'step'", "expected one_cycle, constant, cosine, plateau"),
        ("[training]\nwarm_up = 0.2", "[training] warm_up is 0.2, expected 0 with schedule one_cycle"),
        ("[training]\nnesterov = true", "[training] nesterov is true, expected false without optimizer sgd"),
        (
            "[model]\nngram_buckets = 0\n[training]\nbranch_loss = 0.5",
            "[training] branch_loss is 0.5, expected 0 without both recurrent layers",
        ),
        ("[training]\nplateau_factor = 0", "[training] plateau_factor is 0, expected 0.000001 to 1"),
        ("[export]\nrecurrent_bit = 16", "unknown key `recurrent_bit` in [export]; did you mean `recurrent_bits`?"),
        ("[export]\nembedding_bits = 6", "[export] embedding_bits is 6, expected 4, 8 or 16"),
    ] {
        let error = with_data(rest).unwrap_err().to_string();
        assert!(error.contains(expected), "{rest}\n{error}");
    }
}

#[test]
fn all_misspelt_keys_are_reported_at_once_in_the_order_of_the_lines() {
    let error =
        read("[training]\nepoch = 1\n[data]\ntrain = 'a'\ntekst_column = 'x'\n[model]\ncell = 'gro'").unwrap_err();
    let error = error.to_string();
    let lines: Vec<&str> = error.lines().map(|line| line.split_once("recipe.toml: ").unwrap().1).collect();
    assert_eq!(
        lines,
        [
            "line 2: unknown key `epoch` in [training]; did you mean `epochs`?",
            "line 5: unknown key `tekst_column` in [data]; did you mean `text_column`?",
            "line 7: [model] cell is \"gro\", expected lstm, gru, rnn, rnn_relu; did you mean gru?",
        ]
    );
}

#[test]
fn the_embedding_width_may_be_omitted_with_pretrained_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let read = |model: &str| {
        let path = folder.path().join("a.toml");
        std::fs::write(&path, format!("[data]\ntrain = 'a.csv'\n[model]\n{model}")).unwrap();
        Recipe::read(&path).unwrap()
    };
    let recipe = read("embeddings = 'vectors.txt'");
    assert_eq!(
        (recipe.model.embedding_dim, recipe.model.embeddings.clone()),
        (Some(0), Some(folder.path().join("vectors.txt")))
    );
    recipe.check().unwrap();
    assert!(recipe.to_toml(folder.path()).contains("embeddings = \"vectors.txt\""));
    assert_eq!(read("embeddings = 'vectors.txt'\nembedding_dim = 50").model.embedding_dim(), 50);
    assert_eq!(read("hidden_size = 8").model.embedding_dim(), 32);
    let error = read("freeze_embeddings = true").check().unwrap_err().to_string();
    assert!(error.starts_with("[model] freeze_embeddings is true, expected false without a file"), "{error}");
    let error = read("embedding_dim = 0").check().unwrap_err().to_string();
    assert!(error.starts_with("[model] embedding_dim is 0, expected 1 to 4096"), "{error}");
}

#[test]
fn later_layers_win_over_earlier_ones() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recipe.toml");
    fs::write(&path, "[data]\ntrain = 'a.csv'\n[model]\nhidden_size = 20\nnum_layers = 2\n").unwrap();
    let options = toml! {
        task = "language-model"
        [model]
        hidden_size = 24
        [language_model]
        window = 16
        [forecast]
        window = 16
    };
    let recipe = Recipe::read_with(&path, &options).unwrap();
    let Model { hidden_size, num_layers, embedding_dim, .. } = recipe.model;
    // From the options, the file, and the defaults of the task.
    assert_eq!((hidden_size, num_layers, embedding_dim), (Some(24), 2, Some(64)));
    assert_eq!((recipe.language_model.window, recipe.forecast.window), (16, 24));
}

#[test]
fn cross_validation_replaces_the_validation_split_of_small_data_only_by_default() {
    let folds = |text: &str, rows| with_data(text).unwrap().folds(rows);
    assert_eq!([folds("", 299), folds("", 300), folds("folds = 3", 1000)], [5, 1, 3]);
    assert_eq!([folds("valid_fraction = 0.2", 50), folds("valid = 'b'", 50), folds("folds = 1", 50)], [1, 1, 1]);
    assert_eq!(folds("valid_fraction = 0.2\nfolds = 4", 50), 4);
}

#[test]
fn a_token_of_small_data_needs_one_occurrence_unless_the_recipe_sets_a_number() {
    let min_count = |text: &str, rows: usize| {
        let mut recipe = with_data(&format!("[vocabulary]\n{text}")).unwrap();
        recipe.resolve_text_settings(vec!["some words"; rows].into_iter(), 2);
        (recipe.vocabulary.min_count, recipe.tokenizer.kind, recipe.tokenizer.lowercase)
    };
    for (text, rows, expected) in [("", 299, 1), ("", 300, 2), ("min_count = 3", 6, 3)] {
        assert_eq!(min_count(text, rows), (Some(expected), Some(TokenizerKind::Words), Some(true)));
    }
}

#[test]
fn the_default_metric_depends_on_task_and_class_weights() {
    let metric = |text: &str| read(&format!("{text}[data]\ntrain = 'a'\n[training]\n")).unwrap().metric();
    assert_eq!(metric(""), Metric::Accuracy);
    assert_eq!(metric("task = 'language-model'\n"), Metric::Loss);
    assert_eq!(metric("task = 'forecast'\n"), Metric::Loss);
    let with = |text: &str| with_data(&format!("[training]\n{text}"));
    assert_eq!(with("class_weights = 'balanced'").unwrap().metric(), Metric::MacroF1);
    assert_eq!(with("class_weights = 'balanced'\nmetric = 'loss'").unwrap().metric(), Metric::Loss);
    let error = read("task = 'forecast'\n[data]\ntrain = 'a'\n[training]\nmetric = 'accuracy'").unwrap_err();
    assert_eq!(error.to_string(), "[training] metric is accuracy, expected loss where task is forecast");
}

#[test]
fn ngram_branch_is_for_classifiers_of_texts() {
    let model = "[model]\nngram_buckets = 64";
    for rest in ["input = 'values'\n", "[forecast]\n"] {
        let task = if rest.starts_with("input") { "" } else { "task = 'forecast'\n" };
        let error = read(&format!("{task}[data]\ntrain = 'a'\n{rest}{model}")).unwrap_err().to_string();
        assert!(error.ends_with("expected 0 here: an n-gram branch reads text for a classifier"), "{error}");
    }
    let error = with_data("input = 'values'\n[model]\nnum_layers = 0").unwrap_err().to_string();
    assert!(error.starts_with("[model] num_layers is 0, expected 1 to 4 here"), "{error}");
    let error = read(&format!("task = 'language-model'\n[data]\ntrain = 'a'\n{model}")).unwrap_err().to_string();
    assert!(error.starts_with("[model] ngram_buckets is 64, expected 0 here"), "{error}");
}

#[test]
fn default_ngrams_depend_on_the_tokenizer() {
    let ngrams = |keys: &str, text: &str| {
        let mut recipe = with_data(&format!("[model]\nngram_buckets = 64\n{keys}")).unwrap();
        recipe.resolve_text_settings(vec![text; 300].into_iter(), 2);
        let Model { ngram_words, ngram_min_chars, ngram_max_chars, .. } = recipe.model;
        recipe.check().unwrap();
        [ngram_words, ngram_min_chars, ngram_max_chars].map(Option::unwrap)
    };
    assert_eq!(ngrams("", "several words here"), [2, 3, 5]);
    assert_eq!(ngrams("", "name"), [0, 1, 4]);
    assert_eq!(ngrams("ngram_max_chars = 2", "several words here"), [2, 2, 2]);
    assert_eq!(ngrams("ngram_min_chars = 6", "several words here"), [2, 6, 6]);
    assert_eq!(ngrams("ngram_min_chars = 0\nngram_words = 1", "several words here"), [1, 0, 0]);
}

#[test]
fn default_ngram_branch_and_directions_depend_on_the_data() {
    let table = |keys: &str, text: &str, labels: usize| {
        let mut recipe = with_data(&format!("[model]\n{keys}")).unwrap();
        recipe.resolve_text_settings(vec![text; 1_000].into_iter(), labels);
        recipe.check().unwrap();
        let table = recipe.model.ngram_table().map(|table| (table.buckets, table.rank));
        (table, recipe.model.ngram_max_chars)
    };
    let long = "a word ".repeat(100);
    assert_eq!(table("", "several words here", 7), (Some((4_096, 8)), Some(5)));
    assert_eq!(table("", "several words here", 150), (Some((4_096, 32)), Some(5)));
    assert_eq!(table("", &long, 2), (Some((32_768, 2)), Some(0)));
    assert_eq!(table("num_layers = 0", &long, 2), (Some((32_768, 2)), Some(0)));
    assert_eq!(table("ngram_buckets = 64", &long, 2), (Some((64, 2)), Some(0)));
    assert_eq!(table("ngram_buckets = 64\nngram_min_chars = 3", &long, 2), (Some((64, 2)), Some(5)));
    let mut recipe = with_data("").unwrap();
    recipe.resolve_text_settings(vec!["several words here"; 200_001].into_iter(), 2);
    assert_eq!((recipe.model.ngram_buckets, recipe.model.ngram_max_chars), (Some(16_384), Some(0)));
    assert_eq!(table("ngram_rank = 16\nngram_buckets = 64", "name", 2), (Some((64, 16)), Some(4)));
    assert_eq!(table("ngram_buckets = 0", "several words here", 2), (None, None));
    let directions = |keys: &str, text: &str| {
        let mut recipe = with_data(keys).unwrap();
        recipe.resolve_text_settings(vec![text; 1_000].into_iter(), 2);
        (recipe.model.bidirectional, recipe.training.branch_loss)
    };
    assert_eq!(directions("", "name"), (Some(true), Some(0.5)));
    assert_eq!(directions("[model]\nbidirectional = false\nngram_buckets = 0", "name"), (Some(false), Some(0.0)));
    assert_eq!(directions("[model]\nnum_layers = 0", "name"), (Some(false), Some(0.0)));
    assert_eq!(directions("[tokenizer]\nkind = 'chars'", "several words in a text"), (Some(false), Some(0.5)));
    assert_eq!(directions("", "several words in a text"), (Some(false), Some(0.0)));
    assert_eq!(table("num_layers = 0\nngram_words = 0", &long, 2), (Some((32_768, 2)), Some(5)));
    assert_eq!(directions("", &long), (Some(false), Some(0.0)));
    assert_eq!(directions("folds = 5", &long), (Some(false), Some(0.5)));
    assert_eq!(directions("[model]\nngram_buckets = 0", &long), (Some(false), Some(0.0)));
    // Few words: n-grams of characters too, and small layers with and without fingerprints.
    for (folds, buckets, bits) in [(1, 8_192, Some(8)), (5, 65_536, None)] {
        let mut recipe = with_data(&format!("folds = {folds}")).unwrap();
        recipe.resolve_text_settings(vec![long.as_str(); 300].into_iter(), 2);
        recipe.check().unwrap();
        let model = &recipe.model;
        assert_eq!((model.ngram_buckets, model.ngram_max_chars, model.ngram_bits), (Some(buckets), Some(5), bits));
        assert_eq!((model.ngram_dropout, model.hidden_size), (Some(0.2), Some(32)));
        assert_eq!((recipe.vocabulary.max_size, recipe.training.branch_loss), (Some(4_000), Some(0.0)));
    }
    // More than two million words.
    let with_fingerprints =
        [(2, 131_072), (20, 16_384), (150, 8_192)].map(|(labels, buckets)| (1, labels, buckets, 0.5));
    let without = [(2, 131_072), (20, 16_384), (150, 8_192)].map(|(labels, buckets)| (5, labels, buckets, 0.7));
    for (folds, labels, buckets, dropout) in with_fingerprints.into_iter().chain(without) {
        let mut recipe = with_data(&format!("folds = {folds}")).unwrap();
        recipe.resolve_text_settings(vec![long.as_str(); 12_000].into_iter(), labels);
        assert_eq!((recipe.model.ngram_buckets, recipe.training.epochs), (Some(buckets), Some(8)));
        assert_eq!(
            (recipe.model.ngram_dropout, recipe.training.branch_loss),
            (Some(dropout), Some(if folds == 1 { 0.0 } else { 0.5 }))
        );
        assert_eq!(recipe.model.ngram_fingerprints, Some(folds == 1));
        assert_eq!(recipe.model.pooling(), Pooling::MeanMax);
        assert_eq!((recipe.learning_rate(), recipe.weight_averaging()), (4e-3, 0.995));
    }
    let mut recipe = with_data("[training]\nepochs = 3\n[model]\nngram_buckets = 0").unwrap();
    recipe.resolve_text_settings(vec![long.as_str(); 12_000].into_iter(), 2);
    assert_eq!((recipe.model.ngram_table(), recipe.training.epochs), (None, Some(3)));
    // A language model has none.
    let mut recipe = read("task = 'language-model'\n[data]\ntrain = 'a'").unwrap();
    recipe.resolve_text_settings(["some words"].into_iter(), 0);
    assert_eq!(recipe.model.ngram_table(), None);
}

#[test]
fn long_texts_with_fingerprints_have_small_layers_and_much_dropout() {
    let settings = |keys: &str, text: &str| {
        let mut recipe = with_data(keys).unwrap();
        recipe.resolve_text_settings(vec![text; 1_000].into_iter(), 2);
        recipe.resolve();
        let Model { embedding_dim, hidden_size, dropout, word_dropout, ngram_bits, .. } = recipe.model;
        let sizes = [recipe.vocabulary.max_size, embedding_dim, hidden_size].map(Option::unwrap);
        (sizes, [dropout, word_dropout].map(Option::unwrap), ngram_bits.unwrap())
    };
    let long = "a word ".repeat(100);
    assert_eq!(settings("", "several words here"), ([10_000, 32, 64], [0.3, 0.1], 4));
    assert_eq!(settings("", &long), ([4_000, 16, 32], [0.5, 0.3], 8));
    for without_fingerprints in ["folds = 5", "[model]\nngram_buckets = 0", "[model]\nngram_fingerprints = false"] {
        assert_eq!(settings(without_fingerprints, &long), ([10_000, 32, 64], [0.3, 0.1], 4));
    }
    let keys = "[model]\nhidden_size = 64\ndropout = 0.0\nngram_bits = 4\n[vocabulary]\nmax_size = 9";
    assert_eq!(settings(keys, &long), ([9, 16, 64], [0.0, 0.3], 4));
}

fn tokenizer(keys: &str) -> Result<Recipe, RecipeError> {
    with_data(&format!("[tokenizer]\n{keys}"))
}

#[test]
fn a_recipe_can_name_every_tokenizer_of_the_runtime() {
    let mut names = Vec::new();
    for kind in ["whitespace", "words", "html_words", "chars", "bytes", "wordpiece"] {
        for lowercase in ["lowercase = true", "lowercase = false"] {
            if let Ok(recipe) = tokenizer(&format!("kind = \"{kind}\"\n{lowercase}")) {
                names.push(recipe.tokenizer.tokenizer().name());
            }
        }
    }
    let mut all: Vec<&str> = text::Tokenizer::ALL.iter().map(|tokenizer| tokenizer.name()).collect();
    names.sort_unstable();
    all.sort_unstable();
    assert_eq!(names, all);
}

#[test]
fn words_are_converted_to_lower_case_by_default_and_characters_are_not() {
    let name = |keys: &str| tokenizer(keys).unwrap().tokenizer.tokenizer().name();
    assert_eq!(name(""), "words");
    assert_eq!(name("kind = \"wordpiece\""), "wordpiece");
    assert_eq!(name("kind = \"chars\""), "chars_cased");
    assert_eq!(name("kind = \"bytes\""), "bytes");
    assert_eq!(name("lowercase = false"), "words_cased");
}

#[test]
fn lowercase_is_refused_for_bytes() {
    let error = tokenizer("kind = \"bytes\"\nlowercase = true").unwrap_err().to_string();
    assert!(error.starts_with("[tokenizer] lowercase is true, expected false or nothing"), "{error}");
}
