//! `tern generate`: generates text with a language model.

use super::{Failure, open_model, print};
use crate::model::Sampling;
use crate::vocabulary::UNK;
use anyhow::bail;
use serde_json::json;
use std::io::{Write, stdout};
use std::path::PathBuf;
use tern_format::Task;
use tern_runtime::text::Detokenizer;

/// Options of `tern generate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tern generate models/novel --prompt \"it was a\" --length 50
  tern generate models/novel --temperature 0.7 --top-k 20 --seed 3
  tern generate models/novel --temperature 0          # always the most probable token
  tern generate novel.safetensors --seed 3            # the same tokens as on the device")]
pub struct Args {
    /// Model directory (floats) or device file (integers) of a language model
    #[arg(value_name = "DIR|FILE")]
    pub model: PathBuf,
    /// Text to continue
    #[arg(long, default_value = "")]
    pub prompt: String,
    /// Divides the logits: below 1 favours probable tokens; 0: always the most probable token
    #[arg(long, value_name = "T", default_value_t = 1.0, allow_negative_numbers = true)]
    pub temperature: f64,
    /// Sample from the K most probable tokens; 0: from all
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub top_k: usize,
    /// Random seed; the same seed gives the same text
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Number of tokens to generate
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub length: usize,
    /// Print the text as one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// Prints the prompt and the generated text, token by token; with `--json` both in one object at the end. Fails if the
/// model is not a language model, or if the prompt has tokens and the vocabulary has none of them.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if !(args.temperature >= 0.0 && args.temperature.is_finite()) {
        bail!(Failure::Usage(format!("--temperature is {}, expected 0 or more", args.temperature)));
    }
    let model = open_model(&args.model)?;
    if model.config().task != Task::LanguageModel {
        let task = model.config().task.name();
        bail!("{}: its task is {task}, expected language-model", args.model.display());
    }
    let prompt = model.vocabulary().encode(&args.prompt);
    if !prompt.is_empty() && prompt.iter().all(|id| *id == UNK) {
        bail!("unknown input: no token of the prompt {:?} is in the vocabulary", args.prompt);
    }
    let sampling = Sampling { temperature: args.temperature, top_k: args.top_k, seed: args.seed };
    let mut detokenizer = Detokenizer::new(model.config().tokenizer().kind, args.prompt.as_bytes());
    let mut text = String::new();
    let mut out = stdout();
    if !args.json {
        write!(out, "{}", args.prompt)?;
    }
    let mut generated_tokens = 0;
    let mut write_result = Ok(());
    // Called for each generated token. Returns true if another token is wanted.
    let mut on_token = |id: u32| {
        let start = text.len();
        // Writing to a string does not fail, here and in `finish` below.
        let _ = detokenizer.write(id, &model.vocabulary().tokens()[id as usize], &mut text);
        if !args.json {
            write_result = write!(out, "{}", &text[start..]).and_then(|()| out.flush());
        }
        generated_tokens += 1;
        generated_tokens < args.length && write_result.is_ok()
    };
    // `generate` always generates a first token.
    if args.length > 0 {
        model.generate(&prompt, sampling, &mut on_token);
    }
    write_result?;
    // If the last token leaves a character of several bytes incomplete, `finish` ends it with U+FFFD.
    let start = text.len();
    let _ = detokenizer.finish(&mut text);
    if args.json {
        return print(json!({ "prompt": args.prompt, "text": text, "tokens": generated_tokens, "seed": args.seed }));
    }
    // The text before `start` is already on stdout. `print` adds the line break at the end.
    print(&text[start..])
}
