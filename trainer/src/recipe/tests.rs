use super::*;
use std::fs;

fn read(text: &str) -> Result<Recipe, RecipeError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recipe.toml");
    fs::write(&path, text).unwrap();
    let recipe = Recipe::read(&path)?;
    recipe.check()?;
    Ok(recipe)
}

#[test]
fn all_but_the_data_has_defaults() {
    let recipe = read("[data]\ntrain = 'a.csv'\n[model]\nhidden = 32").unwrap();
    let expected = Recipe::for_data(&recipe.data.train);
    assert_eq!(recipe.model, Model { hidden: 32, ..Model::default() });
    assert_eq!((recipe.training, recipe.data), (expected.training, expected.data));
}

#[test]
fn the_defaults_are_allowed() {
    Recipe::for_data(Path::new("a.csv")).check().unwrap();
}

#[test]
fn every_network_has_its_keys() {
    let recipe = read(
        "[data]\ntrain = 'a'\n[model]\ncell = 'rnn_relu'\nlayers = 3\nbidirectional = true\nmerge = 'product'\npooling = 'mean_max'",
    )
    .unwrap();
    let recurrent = Recurrent {
        cell: Cell::RnnRelu,
        layers: 3,
        bidirectional: true,
        merge: Merge::Product,
        pooling: Pooling::MeanMax,
    };
    assert_eq!(recipe.model.architecture(10, 2).recurrent, recurrent);
}

#[test]
fn the_learning_rates_default_is_the_optimizers() {
    let rate = |text: &str| read(&format!("[data]\ntrain = 'a'\n[training]\n{text}")).unwrap().learning_rate();
    assert_eq!([rate(""), rate("optimizer = 'sgd'"), rate("learning_rate = 0.5")], [3e-3, 0.1, 0.5]);
}

#[test]
fn an_epoch_of_little_data_has_steps_enough() {
    let [texts, language] = [Task::Classify, Task::LanguageModel].map(|task| Recipe::for_task(Path::new("a"), task));
    assert_eq!([10, 400, 100_000].map(|count| texts.batch_size(count)), [4, 8, 32]);
    assert_eq!([400, 8_000, 100_000].map(|windows| language.batch_size(windows)), [4, 8, 32]);
    assert_eq!(language.learning_rate(), 5e-3);
}

#[test]
fn paths_start_at_the_recipes_folder() {
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
    let recipe = Recipe::for_data(Path::new("a.csv"));
    let text = recipe.to_toml(Path::new(""));
    for key in [
        "text_column",
        "min_count",
        "kind",
        "lowercase",
        "freeze_embeddings",
        "cell",
        "layers",
        "bidirectional",
        "merge",
        "pooling",
        "layer_dropout",
        "weight_averaging",
        "seed",
        "batch_tokens",
    ] {
        assert!(text.contains(&format!("{key} = ")), "{key} is missing in\n{text}");
    }
    let back: Recipe = toml::from_str(&text).unwrap();
    // What follows from other settings is written out.
    let mut complete = recipe;
    complete.tokenizer.lowercase = Some(true);
    assert_eq!(back, complete);
}

#[test]
fn bad_recipes_are_refused_with_the_place() {
    for (text, expected) in [
        ("[model]", "missing field `data`"),
        ("[data]\nvalid = 'b.csv'", "missing field `train`"),
        (
            "[data]\ntrain = 'a'\ntrian = 'b'",
            "recipe.toml: line 3: unknown key `trian` in [data]; did you mean `train`?",
        ),
        ("[data]\ntrain = 'a'\n[modell]", "line 3: unknown section [modell]; did you mean [model]?"),
        ("[data]\ntrain = 'a'\n[plots]", "unknown section [plots]; expected [data], "),
        (
            "[data]\ntrain = 'a'\n[vocabulary]\nmincount = 1",
            "unknown key `mincount` in [vocabulary]; did you mean `min_count`?",
        ),
        ("[data]\ntrain = 'a'\n[tokenizer]\ntype = 'words'", "unknown key `type` in [tokenizer]; expected `kind`"),
        ("[data]\ntrain = 'a'\n[model]\nhiden = 8", "unknown key `hiden` in [model]; did you mean `hidden`?"),
        (
            "[data]\ntrain = 'a'\n[training]\nlearning-rate = 1",
            "unknown key `learning-rate` in [training]; did you mean `learning_rate`?",
        ),
        (
            "[data]\ntrain = 'a'\n[training]\ncolour = 1",
            "unknown key `colour` in [training]; expected `epochs`, `batch_size`, ",
        ),
        ("[data]\ntrain = 'a'\n[model]\nepochs = 8", "unknown key `epochs` in [model]; it belongs in [training]"),
        ("hidden = 8\n[data]\ntrain = 'a'", "line 1: unknown key `hidden`; it belongs in [model]"),
        ("nam = 'x'\n[data]\ntrain = 'a'", "line 1: unknown key `nam`; did you mean `name`?"),
        ("model = 3\n[data]\ntrain = 'a'", "line 1: [model] is 3, expected a section with keys of its own"),
        ("name = 3\n[data]\ntrain = 'a'", "line 1: `name` is 3, expected a text in quotation marks"),
        ("[data]\ntrain = 7", "[data] train is 7, expected a text in quotation marks"),
        ("[data]\ntrain = 'a'\n[model]\nhidden = '8'", "[model] hidden is \"8\", expected a whole number, 0 or more"),
        ("[data]\ntrain = 'a'\n[model]\nhidden = 8.5", "[model] hidden is 8.5, expected a whole number, 0 or more"),
        ("[data]\ntrain = 'a'\n[model]\ndropout = true", "[model] dropout is true, expected a number"),
        (
            "[data]\ntrain = 'a'\n[model]\ncell = 'elman'",
            "line 4: [model] cell is \"elman\", expected lstm, gru, rnn, rnn_relu",
        ),
        ("[data]\ntrain = 'a'\n[model]\ncell = 'LSMT'", "expected lstm, gru, rnn, rnn_relu; did you mean lstm?"),
        ("[data]\ntrain = 'a'\n[model]\npooling = 'min'", "expected last, mean, max, mean_max"),
        ("[data]\ntrain = 'a'\n[model]\nlayers = 5", "[model] layers is 5, expected 1 to 4"),
        ("[data]\ntrain = 'a'\n[model]\nlayer_dropout = 1.0", "[model] layer_dropout is 1, expected 0 to 0.95"),
        ("[data]\ntrain = 'a'\n[model]\nmerge = 'sum'", "[model] merge is sum, expected concat where bidirectional"),
        ("[data]\ntrain = 'a'\n[model]\nbidirectional = 1", "[model] bidirectional is 1, expected true or false"),
        ("[data]\ntrain = 'a'\n[model]\nhidden = -1", "[model] hidden is -1, expected a whole number, 0 or more"),
        ("[data]\ntrain = 'a'\n[model]\nhidden = 0", "[model] hidden is 0, expected 1 to 4096"),
        ("[data]\ntrain = 'a'\n[model]\ndropout = nan", "[model] dropout is NaN, expected 0 to 0.95"),
        ("[data]\ntrain = 'a'\ndelimiter = '→'", "[data] delimiter is '→'"),
        ("[data]\ntrain = 'a'\n[training]\nschedule = 'step'", "expected one_cycle, constant, cosine, plateau"),
        (
            "[data]\ntrain = 'a'\n[training]\nwarm_up = 0.2",
            "[training] warm_up is 0.2, expected 0 with schedule one_cycle",
        ),
        (
            "[data]\ntrain = 'a'\n[training]\nnesterov = true",
            "[training] nesterov is true, expected false without optimizer sgd",
        ),
        (
            "[data]\ntrain = 'a'\n[training]\nplateau_factor = 0",
            "[training] plateau_factor is 0, expected 0.000001 to 1",
        ),
        (
            "[data]\ntrain = 'a'\n[export]\nrecurrent_bit = 16",
            "unknown key `recurrent_bit` in [export]; did you mean `recurrent_bits`?",
        ),
        ("[data]\ntrain = 'a'\n[export]\nembedding_bits = 6", "[export] embedding_bits is 6, expected 4, 8 or 16"),
        ("[data", "recipe.toml"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n{error}");
    }
}

#[test]
fn all_misspelt_keys_are_told_at_once_in_their_order() {
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
fn a_recipe_with_vectors_may_leave_their_width_out() {
    let folder = tempfile::tempdir().unwrap();
    let read = |model: &str| {
        let path = folder.path().join("a.toml");
        std::fs::write(&path, format!("[data]\ntrain = 'a.csv'\n[model]\n{model}")).unwrap();
        Recipe::read(&path).unwrap()
    };
    let recipe = read("embeddings = 'vectors.txt'");
    assert_eq!((recipe.model.embedding, recipe.model.embeddings.clone()), (0, Some(folder.path().join("vectors.txt"))));
    recipe.check().unwrap();
    assert!(recipe.to_toml(folder.path()).contains("embeddings = \"vectors.txt\""));
    assert_eq!(read("embeddings = 'vectors.txt'\nembedding = 50").model.embedding, 50);
    assert_eq!(read("hidden = 8").model.embedding, 32);
    let error = read("freeze_embeddings = true").check().unwrap_err().to_string();
    assert!(error.starts_with("[model] freeze_embeddings is true, expected false where there is no file"), "{error}");
    let error = read("embedding = 0").check().unwrap_err().to_string();
    assert!(error.starts_with("[model] embedding is 0, expected 1 to 4096"), "{error}");
}
