//! `tern inspect`

mod time;

use super::{Failure, print, visible};
use crate::classifier::Classifier;
use crate::device_file::DeviceFile;
use safetensors::SafeTensors;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Options of `tern inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern inspect spam.safetensors
  tern inspect spam.safetensors --clock 64000000     how long a token takes at 64 MHz
  tern inspect spam.safetensors --json | jq .parts")]
pub struct Args {
    /// Device file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Clock of the core in Hz, to say how long a token takes
    #[arg(long, value_name = "HZ", default_value = "48000000", value_parser = clock)]
    pub clock: f64,
    /// Print everything as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

fn clock(text: &str) -> Result<f64, String> {
    let hertz = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if hertz > 0.0 && f64::is_finite(hertz) {
        Ok(hertz)
    } else {
        Err(format!("{hertz} Hz is no clock; give more than 0"))
    }
}

/// Prints what a device file holds and what it costs to run, after its own test.
///
/// # Errors
///
/// Where the file cannot be read, is refused, or fails its own test.
pub fn run(args: &Args) -> Result<(), Failure> {
    Ok(work(args)?)
}

fn work(args: &Args) -> anyhow::Result<()> {
    let file = DeviceFile::open(&args.file)?;
    let facts = facts(&file, args.clock)?;
    if args.json {
        print(&facts)?;
    } else {
        to_text(&facts).iter().try_for_each(print)?;
    }
    let (passed, total) = (&facts["golden"]["passed"], &facts["golden"]["total"]);
    if passed != total {
        anyhow::bail!(
            "{}: {passed} of {total} golden texts give their logits; this version computes something else: export the model again",
            args.file.display()
        );
    }
    Ok(())
}

fn facts(file: &DeviceFile, clock: f64) -> anyhow::Result<Value> {
    let model = file.model();
    let config = model.config();
    let (_, header) = SafeTensors::read_metadata(file.bytes())?;
    let metadata: BTreeMap<_, _> = header.metadata().iter().flatten().collect();
    let tensors = SafeTensors::deserialize(file.bytes())?;
    let mut rows: Vec<_> = tensors.iter().collect();
    rows.sort_by_key(|(_, tensor)| tensor.data().as_ptr().addr());
    let rows: Vec<Value> = rows
        .iter()
        .map(|(name, tensor)| {
            let bytes = tensor.data().len();
            json!({ "name": name, "dtype": tensor.dtype().to_string(), "shape": tensor.shape(), "bytes": bytes })
        })
        .collect();
    let mut scratch = vec![0; model.scratch_len()];
    let test = model.self_test(&mut scratch)?;
    let (calibration, cost) = (model.calibration(), model.cost());
    Ok(json!({
        "name": model.name(),
        "format": tern_runtime::FORMAT,
        "crc32": format!("{:08x}", crc32fast::hash(file.bytes())),
        "metadata": metadata,
        "labels": file.labels(),
        "vocab_size": config.vocab_size,
        "embedding_dim": config.embedding_dim,
        "hidden_size": config.hidden_size,
        "embedding_scale": f32::from_bits(model.embedding_scale_bits()),
        "file_bytes": file.bytes().len(),
        "parts": file.parts(),
        "scratch_bytes": file.scratch_bytes(),
        "macs_per_token": cost.macs_per_token,
        "macs_per_folded_token": cost.macs_per_folded_token,
        "folded_tokens": cost.folded_tokens,
        "macs_per_answer": cost.macs_per_answer,
        "scratch_bytes_per_token": cost.scratch_bytes_per_token,
        "stack_bytes": cost.stack_bytes,
        "clock": clock,
        "time": time::by_core(model, clock),
        "calibration": {
            "texts": calibration.texts,
            "tokens": calibration.tokens,
            "largest_pre_activation": f64::from(calibration.largest_z) / f64::from(1 << 16),
            "largest_cell_state": f64::from(calibration.largest_c) / f64::from(1 << 20),
        },
        "golden": { "passed": test.passed, "total": test.total },
        "tensors": rows,
    }))
}

fn to_text(facts: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), visible);
    let of = |key: &str| text(&facts[key]);
    let list = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ");
    let (calibration, golden) = (&facts["calibration"], &facts["golden"]);
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let mut lines = vec![
        format!("model        {} (format {}, crc32 {})", of("name"), of("format"), of("crc32")),
        format!(
            "layers       embedding {} × {}, {} {}, linear {}",
            of("vocab_size"),
            of("embedding_dim"),
            text(&facts["metadata"]["tern.cell"]),
            of("hidden_size"),
            facts["labels"].as_array().map_or(0, Vec::len),
        ),
        format!("labels       {}", list(&facts["labels"])),
        format!("file         {} bytes", of("file_bytes")),
    ];
    for (part, bytes) in facts["parts"].as_object().into_iter().flatten() {
        lines.push(format!("  {part:10} {:>9}", bytes.to_string()));
    }
    lines.extend([
        format!("RAM          {} bytes of scratch, at most {} of stack a step", of("scratch_bytes"), of("stack_bytes")),
        format!(
            "cost         {} multiply-accumulates a token, {} an answer",
            of("macs_per_token"),
            of("macs_per_answer")
        ),
    ]);
    for core in facts["time"].as_array().into_iter().flatten() {
        lines.push(format!(
            "  {:13} {:>9} instructions a token, {:.3} ms at {:.1} MHz and one a cycle",
            text(&core["core"]),
            core["instructions_per_token"].to_string(),
            number(&core["ms_per_token"]),
            number(&facts["clock"]) / 1e6,
        ));
    }
    lines.extend([
        format!(
            "calibration  {} texts, {} tokens; largest pre-activation {:.2}, cell state {:.2}",
            calibration["texts"],
            calibration["tokens"],
            number(&calibration["largest_pre_activation"]),
            number(&calibration["largest_cell_state"]),
        ),
        format!("self-test    {} of {} golden texts exact", golden["passed"], golden["total"]),
        "tensors".to_owned(),
    ]);
    for tensor in facts["tensors"].as_array().into_iter().flatten() {
        lines.push(format!(
            "  {:22} {:4} {:>9}  [{}]",
            text(&tensor["name"]),
            text(&tensor["dtype"]),
            tensor["bytes"].to_string(),
            list(&tensor["shape"])
        ));
    }
    lines
}
