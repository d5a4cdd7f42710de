//! The list of tokens of an imported model, and the order of the rows of its embedding: in Tern, the padding token
//! (PAD) has the id 0 and the unknown token (UNK) the id 1.

use super::settings::{Settings, Token};
use super::tensors::zeros;
use crate::display::quoted;
use crate::file_error::FileError;
use crate::tokenizer_json::{self, in_order_of_ids};
use crate::vocabulary::{self, PAD_TOKEN, RESERVED_IDS, UNK_TOKEN, Vocabulary};
use crate::weights::Array;
use serde_json::Value;
use std::path::Path;
use tern_runtime::text::{Tokenizer, TokenizerKind};

/// Usual names of the padding token.
const PADS: [&str; 5] = ["[PAD]", "<pad>", "<PAD>", "[pad]", "pad_token"];
/// Usual names of the unknown token.
const UNKS: [&str; 6] = ["[UNK]", "<unk>", "<UNK>", "[unk]", "<oov>", "<OOV>"];

/// The vocabulary of an imported model, and the row of the file's embedding for each of its ids. Ids and rows differ,
/// because PAD and UNK have the ids 0 and 1.
#[derive(Debug)]
pub struct Tokens {
    /// The tokens in the order of Tern's ids.
    pub vocabulary: Vocabulary,
    /// The row of the file's embedding for each id. `None` for PAD or UNK if the file lacks this token: its vector is
    /// zero.
    rows_of_ids: Vec<Option<usize>>,
}

impl Tokens {
    /// Returns the rows of the file's embedding, `[tokens, embedding_dim]`, in the order of the vocabulary's ids.
    pub fn reordered(&self, file_embedding: &Array) -> Array {
        let width = file_embedding.shape[1];
        let mut ordered = zeros(&[self.rows_of_ids.len(), width]);
        for (vector, row) in ordered.data.chunks_exact_mut(width).zip(&self.rows_of_ids) {
            if let Some(row) = row {
                vector.copy_from_slice(&file_embedding.data[row * width..][..width]);
            }
        }
        ordered
    }

    /// Returns the vocabulary's id of each row of the file's embedding. A row that the padding and unknown words share
    /// gets the id of UNK.
    pub fn ids_of_rows(&self) -> Vec<u32> {
        let rows = self.rows_of_ids.iter().flatten().max().map_or(0, |last| last + 1);
        let mut ids = vec![0; rows];
        for (id, row) in (0..).zip(&self.rows_of_ids) {
            if let Some(row) = *row {
                ids[row] = id;
            }
        }
        ids
    }
}

/// Reads the list of tokens in the file `path`: one token on each line, or JSON. `rows`: the number of rows of the
/// embedding in the file `weights`. Adds to `notes` if a special token is missing, or the tokenizer never produces some
/// tokens. Fails if the file cannot be read, the number of tokens differs from `rows`, or the settings name a special
/// token or a tokenizer that does not fit.
pub fn read(
    path: &Path,
    settings: &Settings,
    rows: usize,
    weights: &Path,
    notes: &mut Vec<String>,
) -> Result<Tokens, FileError> {
    let text = std::fs::read_to_string(path).map_err(FileError::at(path))?;
    let wrong = |problem: String| FileError::new(path, problem);
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let set_by_user = settings.tokenizer.as_deref().and_then(Tokenizer::from_name);
    let TokenList { tokens, unk: unk_of_file, tokenizer } = if is_json {
        parse_json(&text, set_by_user).map_err(wrong)?
    } else {
        TokenList::new(lines(&text), set_by_user)
    };
    if tokens.len() != rows || settings.vocab_size.is_some_and(|wanted| wanted != rows) {
        return Err(wrong(format!(
            "{} tokens{}, expected {rows}, one for each row of the embedding in {}; write the special tokens (padding, \
             unknown) where the embedding has them",
            tokens.len(),
            settings.vocab_size.map_or_else(String::new, |size| format!(" (vocab_size is {size})")),
            weights.display()
        )));
    }
    let pad = special_row(&tokens, settings.pad.as_ref(), &PADS, "pad").map_err(wrong)?;
    let given_unk = settings.unk.clone().or(unk_of_file.map(Token::Text));
    let unk = special_row(&tokens, given_unk.as_ref(), &UNKS, "unk").map_err(wrong)?;
    note_special_tokens(pad, unk, notes);
    let (tokens, rows_of_ids) = with_special_tokens_first(tokens, pad, unk);
    let unreachable: Vec<String> =
        tokens[RESERVED_IDS..].iter().filter(|token| !is_one_token(tokenizer, token)).cloned().collect();
    if !unreachable.is_empty() {
        notes.push(format!(
            "the tokenizer {1:?} never produces {0} of the tokens: {2}; set `tokenizer` to the one that the model was \
             trained with",
            unreachable.len(),
            tokenizer.name(),
            quoted(&unreachable)
        ));
    }
    let vocabulary = Vocabulary::from_tokens(tokenizer, tokens).map_err(wrong)?;
    Ok(Tokens { vocabulary, rows_of_ids })
}

/// Adds to `notes` that the embedding has no row for the padding or for unknown words, or one row for both. `pad`,
/// `unk`: the rows.
fn note_special_tokens(pad: Option<usize>, unk: Option<usize>, notes: &mut Vec<String>) {
    if pad.is_none() {
        notes.push(
            "no token for padding: a row of zeros was added, which no text uses; the setting `pad` names a token"
                .to_owned(),
        );
    }
    match unk {
        Some(row) if pad == unk => {
            notes.push(format!("unknown words share row {row} of the embedding with the padding"))
        }
        Some(_) => {}
        None => notes.push(
            "no token for unknown words: a row of zeros was added, which they read; `unk` names another, and a program \
             that skips unknown words has other logits for such texts"
                .to_owned(),
        ),
    }
}

/// Puts PAD and UNK first, which have the ids 0 and 1; the other tokens keep their order. `pad`, `unk`: their rows in
/// the embedding. Returns the tokens, and the row of the embedding for each of them.
fn with_special_tokens_first(
    tokens: Vec<String>,
    pad: Option<usize>,
    unk: Option<usize>,
) -> (Vec<String>, Vec<Option<usize>>) {
    let special = [(PAD_TOKEN.to_owned(), pad), (UNK_TOKEN.to_owned(), unk)];
    // Every other token has a row; PAD or UNK has none if the file lacks it.
    let others = tokens.into_iter().zip((0..).map(Some)).filter(|(_, row)| ![pad, unk].contains(row));
    special.into_iter().chain(others).unzip()
}

/// Splits a text file into tokens, one on each line, without a byte order mark at its beginning.
fn lines(text: &str) -> Vec<String> {
    text.strip_prefix('\u{feff}').unwrap_or(text).lines().map(str::to_owned).collect()
}

/// The tokens of a file in the order of their ids.
struct TokenList {
    tokens: Vec<String>,
    /// The unknown token, if the file names it.
    unk: Option<String>,
    tokenizer: Tokenizer,
}

impl TokenList {
    /// Creates the list of a file that names no unknown token. Without a tokenizer the tokens are words.
    fn new(tokens: Vec<String>, tokenizer: Option<Tokenizer>) -> Self {
        TokenList { tokens, unk: None, tokenizer: tokenizer.unwrap_or(Tokenizer::WORDS) }
    }
}

/// Parses a `tokenizer.json`, or a JSON object of tokens and ids. Fails if a `tokenizer.json` splits text like none of
/// Tern's tokenizers, or not like the one that the user set.
fn parse_json(text: &str, set_by_user: Option<Tokenizer>) -> Result<TokenList, String> {
    let root: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let Some(object) = root.as_object() else {
        return Err("the JSON value is not an object, expected a tokenizer.json or {\"token\": 0, …}".to_owned());
    };
    // In a plain object of tokens and ids, "model" may be a token, whose value is a number.
    if !object.contains_key("model") || root["model"].is_u64() {
        return Ok(TokenList::new(in_order_of_ids(object)?, set_by_user));
    }
    let splits_alike = |tokenizer: &Tokenizer| parts_of(*tokenizer).is_some_and(|parts| parts == parts_in(&root));
    let found = match set_by_user {
        Some(tokenizer) => Some(tokenizer).filter(splits_alike),
        None => Tokenizer::ALL.iter().copied().find(splits_alike),
    };
    let Some(tokenizer) = found else {
        let [normalizer, pre_tokenizer, model] = parts_in(&root);
        return Err(format!(
            "normalizer {normalizer}, pre_tokenizer {pre_tokenizer}, model.type {model}: none of Tern's tokenizers{} \
             splits text like this, expected for \"words\" Lowercase, Whitespace and WordLevel; to use the setting \
             `tokenizer` all the same, give the tokens as a text file",
            set_by_user.map_or_else(String::new, |tokenizer| format!(" (`tokenizer` is {:?})", tokenizer.name()))
        ));
    };
    let unk = root.pointer("/model/unk_token").and_then(Value::as_str).map(str::to_owned);
    let vocab = root.pointer("/model/vocab").and_then(Value::as_object);
    let vocab = vocab.ok_or("model.vocab is missing, expected tokens and ids")?;
    Ok(TokenList { tokens: in_order_of_ids(vocab)?, unk, tokenizer })
}

/// Returns the parts of a `tokenizer.json` that determine how text is split: normalizer, pre-tokenizer and type of the
/// model.
fn parts_in(root: &Value) -> [Value; 3] {
    ["/normalizer", "/pre_tokenizer", "/model/type"].map(|part| root.pointer(part).cloned().unwrap_or_default())
}

/// Returns the same parts as [`parts_in`] from the `tokenizer.json` that Tern writes for a tokenizer; `None` if it
/// cannot be written.
fn parts_of(tokenizer: Tokenizer) -> Option<[Value; 3]> {
    // The parts do not depend on the tokens, so one token suffices.
    let vocabulary = Vocabulary::build_for(tokenizer, std::iter::once("a"), 1, None);
    let json: Value = serde_json::from_str(&tokenizer_json::write(&vocabulary).ok()?).ok()?;
    Some(parts_in(&json))
}

/// Returns the row of a special token: the one that the settings or the file name (`given`), or if they name none, the
/// row of the first token with a usual name; `None` if there is none. `key`: the setting, for error messages. Fails if
/// `given` is not a token or a row.
fn special_row(tokens: &[String], given: Option<&Token>, usual: &[&str], key: &str) -> Result<Option<usize>, String> {
    match given {
        None => Ok(tokens.iter().position(|token| usual.contains(&token.as_str()))),
        Some(Token::Id(row)) if *row < tokens.len() => Ok(Some(*row)),
        Some(Token::Id(row)) => Err(format!("`{key}` is row {row}, expected one below {}", tokens.len())),
        Some(Token::Text(text)) => match tokens.iter().position(|token| token == text) {
            Some(row) => Ok(Some(row)),
            None => Err(format!(
                "`{key}` is {text:?}, which is none of the {} tokens; expected a token or its row",
                tokens.len()
            )),
        },
    }
}

/// Returns true if the tokenizer can produce this token. Always true for WordPiece and bytes, whose tokens are not
/// whole words of a text.
fn is_one_token(tokenizer: Tokenizer, token: &str) -> bool {
    matches!(tokenizer.kind, TokenizerKind::WordPiece | TokenizerKind::Bytes)
        || vocabulary::tokens(tokenizer, token) == [token]
}
