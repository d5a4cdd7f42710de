//! Reads and writes recipe files, and merges defaults, recipe file and command-line options into a [`Recipe`].

use super::check::RecipeError;
use super::schema::Kind;
use super::sections::fields;
use super::settings::Recipe;
use super::spelling;
use crate::data::is_hub;
use crate::file_error::FileError;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;
use tern_format::Task;
use toml::de::DeTable;
use toml::{Table, Value, toml};

/// Returns the defaults of a task where they differ from those of text classifiers.
fn defaults_of(task: Task) -> Table {
    match task {
        Task::Classify => Table::new(),
        Task::LanguageModel => toml! {
            [model]
            embedding_dim = 64
            hidden_size = 128
            dropout = 0.0
            embedding_dropout = 0.0
            word_dropout = 0.0
            [training]
            epochs = 10
        },
        Task::Forecast => toml! {
            [model]
            hidden_size = 32
            dropout = 0.0
            layer_dropout = 0.0
            output = "linear"
        },
    }
}

impl Recipe {
    /// Returns the default recipe for the labelled texts `train`.
    pub fn for_data(train: &Path) -> Self {
        Recipe::for_task(train, Task::Classify)
    }

    /// Returns the default recipe of a task for the training data `train`.
    pub fn for_task(train: &Path, task: Task) -> Self {
        Recipe::with_options(train, task, &Table::new()).expect("the defaults have the types of their keys")
    }

    /// Returns the default recipe of a task with the settings of `options` laid over it. A key `task` in `options` wins
    /// over `task`. Fails if an option is unknown or has a value of the wrong type.
    pub fn with_options(train: &Path, task: Task, options: &Table) -> Result<Self, RecipeError> {
        let data = Table::from_iter([("train".to_owned(), to_toml_string(train))]);
        let base = Table::from_iter([("task".to_owned(), task.name().into()), ("data".to_owned(), Value::Table(data))]);
        Ok(Recipe::from_layers(base, options.clone()).map_err(FileError::at(train))?)
    }

    /// Reads a recipe file. Fails as [`read_with`](Recipe::read_with) does.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        Recipe::read_with(path, &Table::new())
    }

    /// Reads a recipe file and lays the settings of `options` over it. Relative paths in the file become relative to
    /// the working directory. Fails if the file cannot be read, is not TOML, names no training data, or has unknown
    /// keys or values that a key does not take. [`check`](Recipe::check) tests which settings go together.
    pub fn read_with(path: &Path, options: &Table) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path).map_err(FileError::at(path))?;
        let with_positions = DeTable::parse(&text).map_err(FileError::at(path))?;
        let mut file: Table = text.parse().map_err(FileError::at(path))?;
        let faults = spelling::faults(&text, with_positions.get_ref(), &file);
        if !faults.is_empty() {
            // Each line of the message begins with the path.
            return Err(FileError::new(path, faults.join(&format!("\n{}: ", path.display()))).into());
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        change_paths(&mut file, |path| folder.join(path));
        Ok(Recipe::from_layers(file, options.clone()).map_err(FileError::at(path))?)
    }

    /// Merges the defaults of the task, a recipe file and the options of the command line; later layers win.
    fn from_layers(mut file: Table, mut options: Table) -> Result<Self, toml::de::Error> {
        let task: Task = match options.get("task").or(file.get("task")) {
            Some(name) => name.clone().try_into()?,
            None => Task::default(),
        };
        // `--window` sets `window` in the section of every task. Only the section of this task is kept.
        let sections =
            [("sequences", Task::Classify), ("language_model", Task::LanguageModel), ("forecast", Task::Forecast)];
        for (section, task_of_section) in sections {
            if task != task_of_section {
                options.remove(section);
            }
        }
        let mut merged = defaults_of(task);
        for layer in [&mut file, &mut options] {
            complete(layer);
            lay_over(&mut merged, layer);
        }
        let recipe: Recipe = Value::Table(merged).try_into()?;
        if recipe.data.train.as_os_str().is_empty() {
            let message = "[data] train is missing, expected a table, a text, a folder or hf:owner/name";
            return Err(serde::de::Error::custom(message));
        }
        Ok(recipe)
    }

    /// Returns all keys and values as a TOML table.
    pub fn to_table(&self) -> Table {
        Table::try_from(self).expect("strings, numbers and lists are always TOML")
    }

    /// Returns the text of a recipe file for `folder`: the paths in it are relative to that folder.
    pub fn to_toml(&self, folder: &Path) -> String {
        let mut recipe = self.clone();
        let mut paths = vec![&mut recipe.data.train];
        paths.extend(&mut recipe.data.valid);
        paths.extend(&mut recipe.model.embeddings);
        paths.extend(&mut recipe.training.teachers);
        for path in paths {
            if !is_hub(path) {
                *path = relative(path, folder);
            }
        }
        toml::to_string(&recipe).expect("strings, numbers and lists are always TOML")
    }
}

/// Renames former spellings of keys in a layer, and adds the values that follow from other keys of the layer. Without
/// these values, the value of an earlier layer, such as a default, would stay in effect.
fn complete(layer: &mut Table) {
    for field in fields() {
        if let (Some(alias), Some(section)) = (field.alias, field.section_in(layer))
            && let Some(value) = section.remove(alias)
        {
            section.insert(field.key.to_owned(), value);
        }
    }
    // Sets `key` to `value` if the section has one of the keys `causes` and not `key` itself.
    let mut set_if_any = |section: &str, causes: &[&str], key: &str, value: i64| {
        let Some(section) = layer.get_mut(section).and_then(Value::as_table_mut) else { return };
        if causes.iter().any(|cause| section.contains_key(*cause)) && !section.contains_key(key) {
            section.insert(key.to_owned(), Value::Integer(value));
        }
    };
    // The width 0 stands for that of the pretrained vectors, which is read from their file.
    set_if_any("model", &["embeddings"], "embedding_dim", 0);
    // A validation split that the user asks for is not replaced by a cross-validation.
    set_if_any("data", &["valid", "valid_fraction"], "folds", 1);
}

/// Sets a key of a section in the table of a recipe.
pub(crate) fn set(settings: &mut Table, section: &str, key: &str, value: Value) {
    let section = settings.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(key.to_owned(), value);
    }
}

/// Copies all keys of `layer` into `base`, those of nested tables one by one.
pub(crate) fn lay_over(base: &mut Table, layer: &Table) {
    for (key, value) in layer {
        match (base.get_mut(key), value) {
            (Some(Value::Table(base)), Value::Table(layer)) => lay_over(base, layer),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Replaces each path in a recipe's table by the result of `change`, except for names of data sets on the Hub.
fn change_paths(recipe: &mut Table, change: impl Fn(&Path) -> PathBuf) {
    let change_value = |value: &mut Value| {
        let path = PathBuf::from(value.as_str().unwrap_or_default());
        if !is_hub(&path) {
            *value = to_toml_string(&change(&path));
        }
    };
    for field in fields().filter(|field| matches!(field.kind, Kind::Path | Kind::Paths)) {
        match field.section_in(recipe).and_then(|section| section.get_mut(field.key)) {
            Some(Value::Array(paths)) => paths.iter_mut().for_each(change_value),
            Some(path) => change_value(path),
            None => {}
        }
    }
}

/// Returns `file` relative to `folder`, as an absolute path if they have no common root, or unchanged if one of their
/// absolute paths cannot be determined. Neither has to exist.
fn relative(file: &Path, folder: &Path) -> PathBuf {
    let (Some(file), Some(folder)) = (absolute(file), absolute(folder)) else {
        return file.to_owned();
    };
    let (file_parts, folder_parts): (Vec<_>, Vec<_>) = (file.components().collect(), folder.components().collect());
    let common = file_parts.iter().zip(&folder_parts).take_while(|(a, b)| a == b).count();
    if common == 0 {
        return file;
    }
    // One `..` for each folder below the common one, then the way down to the file.
    let up = folder_parts[common..].iter().map(|_| Component::ParentDir);
    up.chain(file_parts[common..].iter().copied()).collect()
}

/// Returns the absolute path, without `.`, `..` and symbolic links in the part that exists; `None` if it cannot be
/// determined.
fn absolute(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let mut existing = path.as_path();
    // The names at the end of the path that do not exist, the last one first.
    let mut missing = Vec::new();
    loop {
        if let Ok(mut canonical) = existing.canonicalize() {
            canonical.extend(missing.iter().rev());
            return Some(canonical);
        }
        missing.push(existing.file_name()?);
        existing = existing.parent()?;
    }
}

/// Returns a path as a TOML string.
fn to_toml_string(path: &Path) -> Value {
    Value::from(path.to_string_lossy().into_owned())
}

/// The default recipe of each task as a table. The first one is that of text classifiers.
pub static DEFAULTS: LazyLock<[(Task, Table); 3]> = LazyLock::new(|| {
    [Task::Classify, Task::LanguageModel, Task::Forecast]
        .map(|task| (task, Recipe::for_task(Path::new("data"), task).to_table()))
});
