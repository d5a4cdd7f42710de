//! `[card]`: what a model card says that no figure tells.

use super::RecipeError;
use serde::{Deserialize, Serialize};

/// What goes into the front matter of the model card. All of it may be left out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Card {
    /// The licence of the model, by the Hub's name of it: "mit", "apache-2.0", "cc-by-4.0", "other" ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Languages of the texts: ISO 639 codes such as "en".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub language: Vec<String>,
    /// Data sets on the Hub that the data is of, such as "ucirvine/sms_spam".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<String>,
    /// A sentence or two on what the model is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Card {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Card::default()
    }

    /// Checks the words that the Hub takes only in its own form.
    pub(super) fn check(&self) -> Result<(), RecipeError> {
        let wrong = |key, found: &str, expected: &str| {
            Err(RecipeError::Value { key, found: format!("{found:?}"), expected: expected.to_owned() })
        };
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(license) = &self.license
            && (license.is_empty() || !license.chars().all(|c| lower(c) || matches!(c, '.' | '-')))
        {
            let expected = "the Hub's name of a licence, such as \"mit\", \"apache-2.0\", \"cc-by-4.0\" or \"other\"";
            return wrong("[card] license", license, expected);
        }
        let is_code = |code: &str| (2..=3).contains(&code.len()) && code.chars().all(|c| c.is_ascii_lowercase());
        if let Some(code) = self.language.iter().find(|code| !is_code(code) && *code != "multilingual") {
            return wrong("[card] language", code, "ISO 639 codes such as \"en\", or \"multilingual\"");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let is_name = |name: &str| !name.is_empty() && name.matches('/').count() <= 1 && name.chars().all(allowed);
        if let Some(name) = self.datasets.iter().find(|name| !is_name(name)) {
            return wrong("[card] datasets", name, "names on the Hub such as \"stanfordnlp/imdb\"");
        }
        Ok(())
    }
}
