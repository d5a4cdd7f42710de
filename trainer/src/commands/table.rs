//! The options for the columns and the layout of a table, which the commands that read tables share.

use crate::data::{Columns, Layout};

/// The columns and the layout of a table of labelled texts.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TableArgs {
    /// Column of the texts [default: text]
    #[arg(long, value_name = "NAME")]
    pub text_column: Option<String>,
    /// Column of the labels [default: label]
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// Layout of the file.
    #[command(flatten)]
    pub layout: LayoutArgs,
}

/// The layout of a delimited file.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LayoutArgs {
    /// Separator: one character, or `tab` [default: a tab in .tsv and .tab files, a comma elsewhere]
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub delimiter: Option<char>,
    /// The table has no header: columns are named by their numbers, from 1
    #[arg(long)]
    pub no_header: bool,
    /// Read quotation marks as ordinary characters
    #[arg(long)]
    pub no_quoting: bool,
}

impl TableArgs {
    /// Returns the columns and the layout, with defaults filled in.
    pub fn columns(&self) -> Columns {
        let default = Columns::default();
        Columns {
            text: self.text_column.clone().unwrap_or(default.text),
            label: self.label_column.clone().unwrap_or(default.label),
            layout: self.layout.layout(),
        }
    }
}

impl LayoutArgs {
    /// Returns the layout of the file, with defaults filled in.
    pub fn layout(&self) -> Layout {
        // The option takes ASCII characters only, so the conversion does not fail.
        let delimiter = self.delimiter.and_then(|c| u8::try_from(c).ok());
        Layout { delimiter, header: !self.no_header, quoting: !self.no_quoting }
    }
}

/// Parses a separator of columns: one ASCII character, or a tab as `tab` or `\t`.
pub fn delimiter(text: &str) -> Result<char, String> {
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
