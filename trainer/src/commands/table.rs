//! Options that say how a table is laid out.

use crate::data::Columns;

/// How a table is laid out.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TableArgs {
    /// Column of the texts [default: text]
    #[arg(long, value_name = "NAME")]
    pub text_column: Option<String>,
    /// Column of the labels [default: label]
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// Separator: one character, or `tab` [default: a tab in .tsv and .tab files, a comma elsewhere]
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub delimiter: Option<char>,
}

impl TableArgs {
    /// The columns, with defaults filled in.
    pub fn columns(&self) -> Columns {
        let default = Columns::default();
        Columns {
            text: self.text_column.clone().unwrap_or(default.text),
            label: self.label_column.clone().unwrap_or(default.label),
            delimiter: self.delimiter.and_then(|c| u8::try_from(c).ok()),
        }
    }
}

fn delimiter(text: &str) -> Result<char, String> {
    let mut chars = text.chars();
    match (text, chars.next(), chars.next()) {
        ("tab" | "\\t", _, _) => Ok('\t'),
        (_, Some(c), None) if c.is_ascii() && !matches!(c, '"' | '\r' | '\n') => Ok(c),
        _ => Err("expected one ASCII character, such as `;`, or `tab`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn delimiters() {
        assert_eq!(super::delimiter("tab"), Ok('\t'));
        assert_eq!(super::delimiter(";"), Ok(';'));
        for bad in ["", "ab", "→", "\""] {
            assert!(super::delimiter(bad).is_err(), "{bad}");
        }
    }
}
