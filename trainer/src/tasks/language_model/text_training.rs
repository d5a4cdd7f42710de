//! The training and validation data of language modelling.
//!
//! The training set consists of windows of one text. At every token of a window the next token is the target. Windows
//! are shuffled, so each is read from the initial state. To build up a state, some tokens of context are read before
//! the window; these have no targets.

use super::surprises::LanguageReport;
use crate::data;
use crate::embeddings;
use crate::float_model::{Config, FloatModel, files};
use crate::recipe::Recipe;
use crate::report::Measurements;
use crate::tasks::descriptions::{describe_embeddings, describe_unknown_tokens};
use crate::tasks::interface::TaskData;
use crate::train::{CrossValidation, NO_TOKEN, Objective, Problem, Sample, Steps, Target, Units};
use crate::vocabulary::{RESERVED_IDS, UNK, Vocabulary};
use crate::weights::Weights;
use anyhow::{Context, bail};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tern_format::Task;

/// Largest number of bytes of the training text that are stored for calibration.
const CALIBRATION_BYTES: usize = 1 << 16;

/// The validation split begins after a line break, unless that place is this number of bytes or more after the exact
/// share.
const FAR_BYTES: usize = 1000;
/// The number of validation tokens below which a warning is shown that the validation figures are uncertain.
const FEW_VALIDATION_TOKENS: usize = 1000;

/// The text of a recipe, split into a training text and a validation text.
#[derive(Clone, Debug)]
pub struct TextCorpus {
    /// The file of the training text.
    path: PathBuf,
    /// The vocabulary of the training text.
    vocabulary: Vocabulary,
    /// The training windows, and the validation text as one sample.
    problem: Problem,
    /// Number of training tokens.
    tokens: usize,
    /// Number of training tokens that are not in the vocabulary.
    unknown: usize,
    /// The training text.
    train: String,
    /// The validation text.
    valid: String,
    /// Number of tokens in a window.
    window: usize,
}

impl TextCorpus {
    /// Reads the recipe's text and builds the vocabulary from the training text. The validation split is the end of the
    /// text, or the recipe's second text. Fails if a file cannot be read, the training or validation text is too short,
    /// or the vocabulary is empty.
    pub fn read(recipe: &mut Recipe) -> anyhow::Result<Self> {
        let data = recipe.data.clone();
        let path = &data.train;
        let mut train = data::read_text(path)?;
        let (valid, valid_path) = match &data.valid {
            Some(valid) => (data::read_text(valid)?, valid),
            None => (train.split_off(split_point(&train, data.valid_fraction)), path),
        };
        recipe.resolve_text_settings([train.as_str()].into_iter(), 0);
        let min_count = recipe.vocabulary.min_count();
        let (tokenizer, max_size) = (recipe.tokenizer.tokenizer(), Some(recipe.vocabulary.max_size()));
        let vocabulary = Vocabulary::build_for(tokenizer, [train.as_str()].into_iter(), min_count, max_size);
        if vocabulary.len() == RESERVED_IDS {
            bail!(
                "{}: no token occurs {min_count} times or more, so the vocabulary would be empty; use --tokenizer chars \
                 or bytes",
                path.display()
            );
        }
        let ids = vocabulary.encode(&train);
        let valid_ids = vocabulary.encode(&valid);
        let window = recipe.language_model.window;
        // The first token of a text is no target, so a window of targets needs one token more.
        for (path, part, found, expected) in
            [(path, "training", ids.len(), window + 1), (valid_path, "validation", valid_ids.len(), 2)]
        {
            if found < expected {
                bail!("{}: {found} {part} tokens, expected {expected} or more", path.display());
            }
        }
        let embeddings = embeddings::of_recipe(recipe, &vocabulary)?;
        if let Some(embeddings) = &embeddings {
            recipe.model.embedding_dim = Some(embeddings.width());
        }
        let architecture = recipe.model.architecture(vocabulary.len(), vocabulary.len());
        let samples = windows(&ids, window, recipe.language_model.context);
        let target = Target::Tokens(valid_ids[1..].to_vec());
        let valid_samples = vec![Sample::new(Steps::Tokens(valid_ids), target)];
        let units = Units { characters: valid.chars().count(), ..Units::default() };
        let problem = Problem::new(architecture, Objective::NextToken, samples, valid_samples);
        let problem = Problem { embeddings, units, ..problem };
        let unknown = ids.iter().filter(|id| **id == UNK).count();
        let (path, tokens) = (path.clone(), ids.len());
        Ok(TextCorpus { path, vocabulary, problem, tokens, unknown, train, valid, window })
    }

    /// Returns the numbers, from 1, of the lines of a window's first token and of its last target. `index`: the index
    /// of the window in the training set.
    fn lines(&self, index: usize) -> (usize, usize) {
        let line_ends: Vec<usize> = self.train.match_indices('\n').map(|(newline, _)| newline + 1).collect();
        // No token spans a line break, so the beginning of a text up to a line break has the same tokens by itself.
        let tokens_before = |end: usize| self.vocabulary.encode(&self.train[..end]).len();
        let line = |token: usize| 1 + line_ends.partition_point(|&end| tokens_before(end) <= token);
        let first_token = index * self.window;
        let last_target = (first_token + self.window).min(self.tokens - 1);
        (line(first_token), line(last_target))
    }
}

/// Returns the byte at which the validation split of a text begins: after the first line break after the exact share
/// or, if that is [`FAR_BYTES`] away or more, after the next white space, or at the exact share if there is none.
/// `fraction`: the share of the validation split.
fn split_point(text: &str, fraction: f64) -> usize {
    let share_end = (text.len() as f64 * (1.0 - fraction)) as usize;
    // A character that spans the exact share belongs to the validation split.
    let exact = (0..=share_end).rev().find(|&byte| text.is_char_boundary(byte)).unwrap_or(0);
    // The search starts at the character before `exact`, since a line may begin at `exact` itself.
    let start = text[..exact].char_indices().next_back().map_or(0, |(byte, _)| byte);
    // Returns the byte after the first character for which `is_end` is true; `None` at the end of the text.
    let byte_after = |is_end: fn(char) -> bool| {
        let (offset, end) = text[start..].char_indices().find(|&(_, c)| is_end(c))?;
        let byte = start + offset + end.len_utf8();
        (byte < text.len()).then_some(byte)
    };
    match byte_after(|c| c == '\n') {
        Some(line) if line - exact < FAR_BYTES => line,
        _ => byte_after(char::is_whitespace).unwrap_or(exact),
    }
}

/// Cuts a text into samples of `window` tokens with targets, the last of which may have fewer. Up to `context` tokens
/// without targets precede those of each sample. Each token of the text except the first is a target once.
fn windows(ids: &[u32], window: usize, context: usize) -> Vec<Sample> {
    // The last token has no next one to be its target, so no window reads it.
    let starts = (0..ids.len() - 1).step_by(window);
    let sample = |start: usize| {
        let end = (start + window).min(ids.len() - 1);
        let context_start = start.saturating_sub(context);
        let mut targets = ids[context_start + 1..=end].to_vec();
        targets[..start - context_start].fill(NO_TOKEN);
        Sample::new(Steps::Tokens(ids[context_start..end].to_vec()), Target::Tokens(targets))
    };
    starts.map(sample).collect()
}

impl TaskData for TextCorpus {
    fn problem(&self) -> &Problem {
        &self.problem
    }

    fn set_cross_validation(&mut self, found: Option<CrossValidation>) {
        self.problem.cross_validation = found;
    }

    fn describe(&self, recipe: &Recipe, note: &dyn Fn(String)) {
        let TextCorpus { tokens, unknown, vocabulary, problem, valid, .. } = self;
        let valid_tokens: usize = problem.valid.iter().map(|sample| sample.steps.len()).sum();
        note(format!(
            "{tokens} training tokens ({unknown} unknown), {valid_tokens} validation tokens ({} characters), vocabulary of {}",
            valid.chars().count(),
            vocabulary.len()
        ));
        if valid_tokens < FEW_VALIDATION_TOKENS {
            note(format!("warning: only {valid_tokens} validation tokens: the validation figures are uncertain"));
        }
        let layers = problem.architecture.recurrent.describe(recipe.model.hidden_size());
        note(format!("embedding {}, {layers}, threads {}", recipe.model.embedding_dim(), recipe.threads()));
        describe_unknown_tokens(problem, note);
        describe_embeddings(recipe, problem, vocabulary, note);
    }

    fn model(&self, name: &str, weights: Weights) -> anyhow::Result<FloatModel> {
        let config = Config::new(name, Task::LanguageModel, &self.problem.architecture);
        Ok(FloatModel::new(config, self.vocabulary.clone(), weights, Vec::new(), Vec::new())?)
    }

    fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let TextCorpus { train, valid, .. } = self;
        // The calibration text ends at the last whole character.
        let end = (0..=train.len().min(CALIBRATION_BYTES)).rev().find(|&end| train.is_char_boundary(end));
        let calibration = &train[..end.unwrap_or(0)];
        for (name, text) in [(files::VALIDATION_TEXT, valid.as_str()), (files::CALIBRATION_TEXT, calibration)] {
            let path = dir.join(name);
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    fn measure(&self, model: &FloatModel) -> anyhow::Result<Measurements> {
        let (figures, report) =
            LanguageReport::new(model, &self.valid).context("the validation split has fewer than two tokens")?;
        Ok(Measurements {
            validation: figures.to_json(),
            train: json!({ "text_tokens": self.tokens, "unknown_tokens": self.unknown }),
            baselines: None,
            lines: figures.lines(),
            report: Arc::new(report),
        })
    }

    fn place(&self, sample: usize) -> String {
        let (first, last) = self.lines(sample);
        format!("{}: lines {first} to {last}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_a_target_once() {
        let ids: Vec<u32> = (2..25).collect();
        let samples = windows(&ids, 5, 3);
        let mut targets = Vec::new();
        for sample in &samples {
            let Target::Tokens(next) = &sample.target else { panic!("tokens") };
            let read = sample.steps.tokens();
            assert_eq!(read.len(), next.len());
            for (&read, &next) in read.iter().zip(next) {
                assert!(next == NO_TOKEN || next == read + 1);
                targets.extend((next != NO_TOKEN).then_some(next));
            }
        }
        assert_eq!(targets, ids[1..]);
        assert_eq!((samples[0].steps.len(), samples[1].steps.len()), (5, 8));
        assert_eq!(samples[1].target.count(), 5);
    }

    /// A text of sixty lines, prepared by a recipe that `set` changes.
    fn prepared(set: impl FnOnce(&mut Recipe, &Path)) -> anyhow::Result<TextCorpus> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("text.txt");
        let line = |index: usize| format!("The <b>{}</b> drinks :-) rain\n", ["cat", "dog", "bird"][index % 3]);
        std::fs::write(&path, (0..60).map(line).collect::<String>()).unwrap();
        let mut recipe = Recipe::for_task(&path, Task::LanguageModel);
        recipe.language_model.window = 8;
        set(&mut recipe, dir.path());
        TextCorpus::read(&mut recipe)
    }

    #[test]
    fn the_recipes_tokenizer_splits_the_text() {
        use crate::recipe::TokenizerKind::{Bytes, Chars, HtmlWords, Whitespace, WordPiece, Words};
        for (kind, name, token) in [
            (Words, "words", "drinks"),
            (Whitespace, "whitespace", "<b>dog</b>"),
            (HtmlWords, "html_words", ":-)"),
            (Chars, "chars", "d"),
            (Bytes, "bytes", "Ġ"),
            (WordPiece, "wordpiece", "drinks"),
        ] {
            let data = prepared(|recipe, _| recipe.tokenizer.kind = Some(kind)).unwrap();
            let tokens = data.vocabulary.tokens();
            assert!(data.vocabulary.tokenizer().name().starts_with(name), "{name}");
            assert!(tokens.iter().any(|known| known == token), "{name}: {tokens:?}");
            let ids = data.vocabulary.encode(&data.train);
            assert_eq!(data.tokens, ids.len());
            assert_eq!(data.problem.train[0].steps.tokens(), &ids[..8]);
            assert_eq!(data.problem.valid[0].steps.tokens(), data.vocabulary.encode(&data.valid));
            assert_eq!(data.problem.architecture.head.outputs, tokens.len());
        }
    }

    #[test]
    fn a_file_of_embeddings_sets_the_width() {
        let with = |width: usize| {
            prepared(|recipe, dir| {
                let path = dir.join("vectors.txt");
                std::fs::write(&path, "dog 1 0 .5\nrain 0 1 0\n").unwrap();
                (recipe.model.embeddings, recipe.model.embedding_dim) = (Some(path), Some(width));
            })
        };
        let data = with(0).unwrap();
        assert_eq!(data.problem.architecture.input.width(), 3);
        assert_eq!(data.problem.embeddings.unwrap().vectors().count(), 2);
        let error = with(64).unwrap_err().to_string();
        assert!(error.contains("vectors of 3 numbers, but [model] embedding_dim is 64"), "{error}");
    }

    #[test]
    fn the_lines_of_a_window_are_found() {
        let data =
            prepared(|recipe, _| recipe.tokenizer.kind = Some(crate::recipe::TokenizerKind::Whitespace)).unwrap();
        // Five tokens a line. The targets of window 2 begin at token 16, those of window 3 at token 24.
        assert_eq!((data.lines(0), data.lines(2), data.lines(3)), ((1, 2), (4, 5), (5, 7)));
    }

    #[test]
    fn the_validation_split_begins_at_a_line() {
        let text = "one two\nthree four\nfive six\nseven eight\n";
        assert_eq!(&text[split_point(text, 0.3)..], "seven eight\n");
        assert_eq!(&"one two three four"[split_point("one two three four", 0.4)..], "four");
        assert_eq!(split_point("ééé", 0.5), 2, "no white space: between characters");
    }
}
