//! The cargo features of `tern-runtime` that a device file needs.

use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;

/// The features that load and run a file with these `metadata` and `tensors`, in the order of the runtime's
/// `Cargo.toml`.
pub fn needed(metadata: &BTreeMap<&String, &String>, tensors: &SafeTensors<'_>) -> Vec<&'static str> {
    let value = |key: &str| metadata.get(&format!("tern.{key}")).map_or("", |value| value.as_str());
    let has = |prefix: &str| tensors.names().iter().any(|name| name.starts_with(prefix));
    let has_wide_embedding = tensors.tensor("embedding.weight").is_ok_and(|weights| weights.dtype() != Dtype::I8);
    let (packing, tokenizer) = (value("packing"), value("tokenizer"));
    [
        ("interleaved4", packing == "interleaved4"),
        ("paired16", packing == "paired16"),
        ("gru", packing == "interleaved3"),
        ("rnn", packing == "interleaved1"),
        ("widths", packing == "rows" || has_wide_embedding),
        ("stacked", value("layers") != "1"),
        ("bidirectional", value("directions") != "1"),
        ("pooling", value("pooling") != "last"),
        ("hidden", has("hidden.")),
        ("values", value("input") == "values"),
        ("folding", has("folded.")),
        ("html_words", tokenizer.starts_with("html_words")),
        ("wordpiece", tokenizer.starts_with("wordpiece")),
    ]
    .into_iter()
    .filter_map(|(feature, is_needed)| is_needed.then_some(feature))
    .collect()
}

/// The dependency for a `Cargo.toml`.
pub fn cargo_line(features: &[&str]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("tern-runtime = {{ version = \"{version}\", default-features = false, features = {features:?} }}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tern_runtime::testing::{Sizes, random_file};

    #[test]
    fn a_small_lstm_needs_its_packing_only() {
        let bytes = random_file(1, Sizes { embedding_dim: 5, hidden_size: 7, classes: 3 }, "2");
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().iter().flatten().collect();
        let features = needed(&metadata, &SafeTensors::deserialize(&bytes).unwrap());
        assert_eq!(features, ["interleaved4"]);
        let line = cargo_line(&features);
        let dependency: toml::Table = line.parse().unwrap();
        assert_eq!(dependency["tern-runtime"]["features"].as_array().unwrap().len(), 1, "{line}");
    }
}
