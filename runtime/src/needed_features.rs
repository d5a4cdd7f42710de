//! The features of this crate that a model needs.

use crate::features::{FOLDING, HIDDEN};
use crate::model::Model;
use tern_format::{Cell, Input, Packing, Pooling, TokenizerKind};

impl Model<'_> {
    /// The features of `tern-runtime` that an image needs to run this model, for its `Cargo.toml`. The image can leave
    /// out all others: `tern-runtime = { version = "…", default-features = false, features = [ … ] }`.
    pub fn needed_features(&self) -> impl Iterator<Item = &'static str> {
        let config = &self.config;
        let reads_text = config.input == Input::Tokens;
        let has_tokenizer = |kind: TokenizerKind| reads_text && config.tokenizer.kind == kind;
        // The features of the packing and of the cell; empty if there is none. `gru` and `rnn` include the plain
        // packings of their cells, `widths` the packing `rows` of all cells.
        let packing = match (self.packing, config.cell) {
            _ if config.layers == 0 => "",
            (Packing::Rows, _) => "",
            (Packing::Paired16, _) => "paired16",
            (_, Cell::Lstm) => "interleaved4",
            _ => "",
        };
        let cell = match config.cell {
            _ if config.layers == 0 || self.packing == Packing::Rows => "",
            Cell::Lstm => "",
            Cell::Gru => "gru",
            Cell::Rnn | Cell::RnnRelu => "rnn",
        };
        let has_4_or_16_bit_weights = self.packing == Packing::Rows
            || self.embedding.weight.is_4_or_16_bit()
            || self.head.linear.weight.is_4_or_16_bit()
            || self.hidden.as_ref().is_some_and(|hidden| hidden.weight.is_4_or_16_bit());
        let needed = [
            (!packing.is_empty(), packing),
            (!cell.is_empty(), cell),
            (has_4_or_16_bit_weights, "widths"),
            (config.layers > 1, "stacked"),
            (config.bidirectional, "bidirectional"),
            (config.pooling != Pooling::Last, "pooling"),
            (HIDDEN && config.head_hidden > 0, "hidden"),
            (!reads_text, "values"),
            (config.counts_ngrams(), "ngrams"),
            (self.vocabulary.has_fingerprints(), "token_fingerprints"),
            (self.refusal().is_some(), "refusal"),
            (FOLDING && self.folded.is_some(), "folding"),
            (has_tokenizer(TokenizerKind::HtmlWords), "html_words"),
            (has_tokenizer(TokenizerKind::WordPiece), "wordpiece"),
        ];
        needed.into_iter().filter(|(is_needed, _)| *is_needed).map(|(_, feature)| feature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::head::Refusal;
    use crate::testing::{Sizes, Spec};
    use std::vec::Vec;
    use tern_format::{Output, Task};

    #[test]
    fn a_model_lists_the_features_that_it_needs() {
        let needed =
            |spec: Spec| -> Vec<&str> { Model::from_bytes(&spec.file(1)).unwrap().needed_features().collect() };
        let plain = Spec::from(Sizes { embedding_dim: 4, hidden_size: 4, classes: 2 });
        assert_eq!(needed(plain), ["interleaved4"]);
        assert_eq!(
            needed(Spec { cell: Cell::Gru, layers: 2, bidirectional: true, ..plain }),
            ["gru", "stacked", "bidirectional"]
        );
        assert_eq!(needed(Spec { bits: [4, 8, 8, 8], ..plain }), ["interleaved4", "widths"]);
        let refusal = Some(Refusal { below: 1, class: None });
        assert_eq!(needed(Spec { refusal, ..plain }), ["interleaved4", "refusal"]);
        assert_eq!(needed(Spec { fingerprints: true, ..plain }), ["interleaved4", "token_fingerprints"]);
        let forecast = Spec { task: Task::Forecast, input: Input::Values, output: Output::Linear, ..plain };
        let forecast = Spec { cell: Cell::RnnRelu, pooling: Pooling::Max, head_hidden: 2, ..forecast };
        assert_eq!(needed(forecast), ["rnn", "pooling", "hidden", "values"]);
    }
}
