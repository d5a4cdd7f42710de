//! `tern inspect`: prints the contents of a device file and the cost of running it. The facts are collected as a JSON
//! object, from which the lines for a person are formatted.

use super::{key, print};
use crate::checksum::crc32_hex;
use crate::core_time;
use crate::device_file::DeviceFile;
use crate::display::visible;
use crate::package::Package;
use anyhow::Context;
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Options of `tern inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern inspect spam.safetensors
  tern inspect spam.safetensors --clock 64000000     time of a token at 64 MHz
  tern inspect spam.tern --key tern.pub              check who signed the file
  tern inspect spam.safetensors --json | jq .parts")]
pub struct Args {
    /// Device file, signed or not
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Clock frequency of the core in Hz, for the time of a token
    #[arg(long, value_name = "HZ", default_value = "48000000", value_parser = parse_clock)]
    pub clock: f64,
    /// Check the signature with this public key (the .pub file of `tern key new`)
    #[arg(long, value_name = "FILE.pub")]
    pub key: Option<PathBuf>,
    /// Print everything as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Parses a clock frequency in Hz.
fn parse_clock(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(hertz) if hertz > 0.0 && f64::is_finite(hertz) => Ok(hertz),
        _ => Err("expected a frequency in Hz above 0, such as 48000000".to_owned()),
    }
}

/// Prints the contents and the cost of a device file, and runs its self-test. Fails if the signature does not match
/// `--key`, or if a golden example does not give its stored logits.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let path = args.file.display();
    let bytes = std::fs::read(&args.file).with_context(|| path.to_string())?;
    let package = Package::read(&bytes).with_context(|| path.to_string())?;
    if let Some(key) = &args.key {
        package.check_signature(&key::read_public(key)?).with_context(|| path.to_string())?;
    }
    let file = DeviceFile::from_bytes(package.device_file).with_context(|| path.to_string())?;
    let mut facts = facts(&file, args.clock)?;
    if let Some(signed) = package.signed {
        facts["signed"] =
            json!({ "version": signed.version, "key_id": signed.key_id(), "checked": args.key.is_some() });
    }
    if args.json {
        print(&facts)?;
    } else {
        to_text(&facts).iter().try_for_each(print)?;
    }
    let (passed, total) = (&facts["golden"]["passed"], &facts["golden"]["total"]);
    anyhow::ensure!(
        passed == total,
        "{path}: {passed} of {total} golden examples give their stored logits; another version of tern exported the \
         file: export the model again"
    );
    Ok(())
}

/// Returns everything that is printed as one JSON object. Its key `signed` is null: [`run`] sets it for a signed file.
/// `clock`: the clock frequency in Hz.
fn facts(file: &DeviceFile, clock: f64) -> anyhow::Result<Value> {
    let model = file.model();
    let config = model.config();
    let (_, header) = SafeTensors::read_metadata(file.bytes())?;
    // Sorted by key, so that the same file gives the same output.
    let metadata: BTreeMap<_, _> = header.metadata().iter().flatten().collect();
    let tensors = tensor_facts(file)?;
    let ngrams = config.ngrams.map(|tern_runtime::Ngrams { words, min_chars, max_chars }| {
        let table = tensors.iter().find(|tensor| tensor["name"] == "ngrams.weight");
        json!({
            // The rows and the columns of the table.
            "buckets": table.map(|table| &table["shape"][0]), "rank": config.ngram_rank,
            "words": words, "min_chars": min_chars, "max_chars": max_chars,
            "fingerprints": model.has_ngram_fingerprints(),
        })
    });
    let mut scratch = vec![0; model.scratch_len()];
    let self_test = model.self_test(&mut scratch)?;
    let (calibration, cost) = (model.calibration(), model.cost());
    // Pre-activations are in Q16, cell states in Q20.
    let largest_pre_activation = f64::from(calibration.largest_z) / f64::from(1 << 16);
    let largest_cell_state = f64::from(calibration.largest_c) / f64::from(1 << 20);
    let (version, features) = (env!("CARGO_PKG_VERSION"), model.needed_features().collect::<Vec<&str>>());
    let dependency =
        format!("tern-runtime = {{ version = \"{version}\", default-features = false, features = {features:?} }}");
    Ok(json!({
        "name": model.name(),
        "format": tern_runtime::FORMAT,
        "crc32": crc32_hex(file.bytes()),
        "signed": null,
        "metadata": metadata,
        "labels": file.config.labels,
        "refusal": file.config.refusal.as_ref().map(|refusal| {
            json!({ "below": refusal.below, "probability": refusal.probability(), "label": refusal.label })
        }),
        "vocab_size": config.vocab_size,
        "embedding_dim": config.embedding_dim,
        "hidden_size": config.hidden_size,
        "ngrams": ngrams,
        "embedding_scale": f32::from_bits(model.embedding_scale_bits()),
        "file_bytes": file.bytes().len(),
        "parts": file.bytes_by_content(),
        "scratch_bytes": file.scratch_bytes(),
        "macs_per_token": cost.macs_per_token,
        "macs_per_folded_token": cost.macs_per_folded_token,
        "folded_tokens": cost.folded_tokens,
        "macs_per_answer": cost.macs_per_answer,
        "scratch_bytes_per_token": cost.scratch_bytes_per_token,
        "stack_bytes": cost.stack_bytes,
        "clock": clock,
        "time": core_time::by_core(model, clock),
        "calibration": {
            "texts": calibration.texts,
            "tokens": calibration.tokens,
            "largest_pre_activation": largest_pre_activation,
            "largest_cell_state": largest_cell_state,
        },
        "golden": { "passed": self_test.passed, "total": self_test.total },
        "cargo": dependency,
        "runtime_features": features,
        "tensors": tensors,
    }))
}

/// Returns the name, the type, the shape and the bytes of each tensor, in the order of the file.
fn tensor_facts(file: &DeviceFile) -> anyhow::Result<Vec<Value>> {
    let tensors = SafeTensors::deserialize(file.bytes())?;
    // The tensors are slices of the file, so their addresses have the order of the file.
    let mut in_file_order: Vec<_> = tensors.iter().collect();
    in_file_order.sort_by_key(|(_, tensor)| tensor.data().as_ptr().addr());
    let facts = in_file_order.iter().map(|(name, tensor)| {
        let bytes = tensor.data().len();
        json!({ "name": name, "dtype": tensor.dtype().to_string(), "shape": tensor.shape(), "bytes": bytes })
    });
    Ok(facts.collect())
}

/// Formats the object of [`facts`] as lines for a person. They fit 80 columns, except for the dependency for Cargo.toml
/// and for long names or many labels.
fn to_text(facts: &Value) -> Vec<String> {
    let mut lines = model_lines(facts);
    lines.extend(cost_lines(facts));
    let (calibration, golden) = (&facts["calibration"], &facts["golden"]);
    let [pre_activation, cell_state] =
        ["largest_pre_activation", "largest_cell_state"].map(|key| number(&calibration[key]));
    lines.extend([
        format!("calibration  {} training texts, {} tokens: inputs of", calibration["texts"], calibration["tokens"]),
        format!("             sigmoid and tanh up to {pre_activation:.2}, cell states up to {cell_state:.2}"),
        format!("self-test    {} of {} golden examples exact: training texts in", golden["passed"], golden["total"]),
        "             the file with the logits that every device must give".to_owned(),
        "Cargo.toml   the dependency with only the features that this file needs:".to_owned(),
        text(&facts["cargo"]),
        "tensors".to_owned(),
    ]);
    for tensor in facts["tensors"].as_array().into_iter().flatten() {
        let (name, dtype, shape) = (text(&tensor["name"]), text(&tensor["dtype"]), list(&tensor["shape"]));
        lines.push(format!("  {name:22} {dtype:4} {:>9}  [{shape}]", tensor["bytes"].to_string()));
    }
    lines
}

/// Formats the name, the signature, the network, the labels and the refusal rule of the model.
fn model_lines(facts: &Value) -> Vec<String> {
    let fact = |key: &str| text(&facts[key]);
    let metadata = |key: &str| text(&facts["metadata"][key]);
    let signed = &facts["signed"];
    let mut lines = vec![format!("model        {} (format {}, crc32 {})", fact("name"), fact("format"), fact("crc32"))];
    if signed.is_object() {
        let key = text(&signed["key_id"]);
        lines.push(format!("signature    version {}, signed with key {key}", signed["version"]));
        let checked = if signed["checked"] == true { "correct" } else { "not checked; --key FILE.pub checks it" };
        lines.push(format!("             signature {checked}"));
    }
    let (tokens, embedding_dim, hidden_size) = (fact("vocab_size"), fact("embedding_dim"), fact("hidden_size"));
    // The number of rows of a tensor; null if the file does not have it.
    let rows_of = |name: &str| {
        let mut tensors = facts["tensors"].as_array().into_iter().flatten();
        tensors.find(|tensor| tensor["name"] == name).map_or(Value::Null, |tensor| tensor["shape"][0].clone())
    };
    let (cell, outputs) = (metadata("tern.cell"), rows_of("fc.bias"));
    // A model that has only the n-gram branch does not state a cell.
    let is_recurrent = facts["metadata"]["tern.cell"].is_string();
    let recurrent_layers = match (is_recurrent, metadata("tern.input").as_str()) {
        (false, _) => String::new(),
        (true, "values") => format!("{} channels, {cell} {hidden_size}, ", rows_of("input.offset")),
        (true, _) => format!("embedding {tokens} × {embedding_dim}, {cell} {hidden_size}, "),
    };
    let ngrams = &facts["ngrams"];
    let ngram_table = match ngrams.is_object() {
        true => format!("n-grams {} × {}, ", ngrams["buckets"], ngrams["rank"]),
        false => String::new(),
    };
    lines.push(format!("layers       {recurrent_layers}{ngram_table}linear {outputs}"));
    if facts["metadata"]["tern.vocabulary"] == "fingerprints" {
        lines.push("vocabulary   fingerprints of the tokens, not their texts".to_owned());
    }
    if ngrams.is_object() {
        let (words, shortest, longest) = (&ngrams["words"], &ngrams["min_chars"], &ngrams["max_chars"]);
        lines.push(format!("n-grams      of up to {words} words and of {shortest} to {longest} characters"));
        if ngrams["fingerprints"] == true {
            lines.push("             one for each row of the table, by fingerprints".to_owned());
        }
    }
    lines.push(match metadata("tern.packing").as_str() {
        "paired16" => "packing      paired16: weights in the order for Cortex-M4, M7 and M33".to_owned(),
        "rows" => "packing      rows: weights of 4 or 16 bits".to_owned(),
        _ if !is_recurrent => "packing      none: for any core".to_owned(),
        packing => format!("packing      {packing}: weights in the order for any core"),
    });
    lines.push(format!("labels       {}", list(&facts["labels"])));
    if facts["refusal"].is_object() {
        let percent = 100.0 * number(&facts["refusal"]["probability"]);
        lines.push(format!("refuses      if no label reaches {percent:.1} %"));
        if facts["refusal"]["label"].is_string() {
            lines.push(format!("             if the label is {}", text(&facts["refusal"]["label"])));
        }
    }
    lines
}

/// Formats the bytes of the file and of its parts, the memory, and the estimated time of a token on each core.
fn cost_lines(facts: &Value) -> Vec<String> {
    let fact = |key: &str| text(&facts[key]);
    let mut lines = vec![format!("file         {} bytes", fact("file_bytes"))];
    for (part, bytes) in facts["parts"].as_object().into_iter().flatten() {
        lines.push(format!("  {part:10} {:>9}", bytes.to_string()));
    }
    lines
        .push(format!("RAM          {} bytes of scratch, the buffer that the caller provides;", fact("scratch_bytes")));
    lines.push(format!("             at most {} bytes of stack in a step", fact("stack_bytes")));
    lines.push(format!("cost         {} multiply-accumulates a token,", fact("macs_per_token")));
    if facts["folded_tokens"] != 0 {
        let (macs, tokens) = (fact("macs_per_folded_token"), fact("folded_tokens"));
        lines.push(format!("             {macs} for each of {tokens} folded tokens (input products stored),"));
    }
    lines.push(format!("             {} an answer", fact("macs_per_answer")));
    for core in facts["time"].as_array().into_iter().flatten() {
        let (instructions, milliseconds) = (core["instructions_per_token"].to_string(), number(&core["ms_per_token"]));
        let name = text(&core["core"]);
        lines.push(format!("  {name:13} {instructions:>9} instructions a token, {milliseconds:.3} ms"));
    }
    lines.push(format!("             at {:.1} MHz and one instruction a cycle", number(&facts["clock"]) / 1e6));
    lines
}

/// Returns a JSON value as text. Control characters in strings are escaped.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), visible)
}

/// Returns the values of a JSON array, separated by commas.
fn list(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ")
}

/// Returns a JSON number as `f64`, or 0 if the value is not a number.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tern_runtime::testing::{Sizes, random_file};

    #[test]
    fn a_small_lstm_needs_its_packing_only() {
        let bytes = random_file(1, Sizes { embedding_dim: 5, hidden_size: 7, classes: 3 }, "2");
        let facts = facts(&DeviceFile::from_bytes(&bytes).unwrap(), 48e6).unwrap();
        assert_eq!(facts["runtime_features"], json!(["interleaved4"]));
        let line = facts["cargo"].as_str().unwrap();
        let dependency: toml::Table = line.parse().unwrap();
        assert_eq!(dependency["tern-runtime"]["features"].as_array().unwrap().len(), 1, "{line}");
    }

    #[test]
    fn the_lines_fit_80_columns() {
        let bytes = random_file(1, Sizes { embedding_dim: 20, hidden_size: 64, classes: 2 }, "0");
        let mut facts = facts(&DeviceFile::from_bytes(&bytes).unwrap(), 48e6).unwrap();
        facts["signed"] = json!({ "version": 4_000_000_000_u32, "key_id": "0011223344556677", "checked": false });
        let lines = to_text(&facts);
        for line in lines.iter().filter(|line| !line.starts_with("tern-runtime = ")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(lines.iter().any(|line| line.contains("signed with key 0011223344556677")));
        assert!(lines.contains(&facts["cargo"].as_str().unwrap().to_owned()));
    }
}
