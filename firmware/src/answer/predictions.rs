//! Writes predictions: labels with their probabilities, the next tokens of a language model, and forecasts.

use core::fmt::{self, Write};

use tern_runtime::text::{Detokenizer, TokenizerKind};
use tern_runtime::{Model, Ranked};

use crate::display::{
    Bar, Counted, Decimal, Escaped, Form, Json, Long, Paint, Painted, Percent, Terminal, Visible, list, width,
};
use crate::engine::{Answer, Engine, GenerationCost, Sampling, StepAnswer};
use crate::features::COLORS;
use crate::numbers::Value;

/// The number of labels or next tokens that are shown if no number is given.
const DEFAULT_SHOWN: usize = 5;
/// The most tokens that `next` lists.
const MAX_NEXT_TOKENS: usize = 20;

/// Writes the prediction for a text: the [`DEFAULT_SHOWN`] most probable labels for a person; the most probable label
/// and all logits for a program. A program gets `null` as the label if no token is known or if the model refuses to
/// answer.
pub fn classification(
    engine: &Engine<'_>,
    answer: Answer,
    form: Form,
    terminal: Terminal,
    out: &mut dyn Write,
) -> fmt::Result {
    if form == Form::Human {
        return write_ranking(engine, answer, DEFAULT_SHOWN, terminal, out);
    }
    let best = engine.ranking().next().filter(|_| answer.is_known());
    // `None` if no token is known or if the model never refuses.
    let refused = best.and_then(|class| engine.refuses(class));
    match best {
        Some(class) => {
            let (label, probability) = (Json(engine.label(class)), Decimal(engine.probability(class)));
            match refused {
                Some(true) => write!(out, r#"{{"label":null,"class":null,"#)?,
                _ => write!(out, r#"{{"label":{label},"class":{class},"#)?,
            }
            write!(out, r#""probability":{probability}"#)?;
        }
        None => write!(out, r#"{{"label":null,"class":null,"probability":null"#)?,
    }
    // Only a model that can refuse has this key.
    if engine.model().refusal().is_some() {
        write!(out, r#","refused":{}"#, refused == Some(true))?;
    }
    write!(out, r#","logits":["#)?;
    list(out, engine.logits().iter())?;
    end_list_and_json(answer, out)
}

/// Writes the `count` most probable labels of a text, the answer to the command `top`; no label if no token is known.
pub fn top(
    engine: &Engine<'_>,
    answer: Answer,
    count: usize,
    form: Form,
    terminal: Terminal,
    out: &mut dyn Write,
) -> fmt::Result {
    if form == Form::Human {
        return write_ranking(engine, answer, count, terminal, out);
    }
    write!(out, r#"{{"top":["#)?;
    let mut comma = "";
    for class in engine.ranking().take(if answer.is_known() { count } else { 0 }) {
        let (label, probability) = (Json(engine.label(class)), Decimal(engine.probability(class)));
        let logit = engine.logits().get(class).copied().unwrap_or(0);
        write!(out, r#"{comma}{{"label":{label},"class":{class},"probability":{probability},"logit":{logit}}}"#)?;
        comma = ",";
    }
    end_list_and_json(answer, out)
}

/// Writes a line with a bar for each of the `count` most probable labels, and the costs in a last line. If the model
/// refuses to answer, a line before them says so. If no token is known, only the last line is written, and it says so.
fn write_ranking(
    engine: &Engine<'_>,
    answer: Answer,
    count: usize,
    terminal: Terminal,
    out: &mut dyn Write,
) -> fmt::Result {
    if !answer.is_known() {
        // The costs follow in the same line.
        write!(out, "unknown input   ")?;
        return costs(answer, out);
    }
    if engine.ranking().next().and_then(|class| engine.refuses(class)) == Some(true) {
        write!(out, "{}: no label fits\r\n", Painted(Paint::Bold.on(terminal), Visible("refused")))?;
    }
    let columns = engine.ranking().take(count).map(|class| width(engine.label(class))).max().unwrap_or(0);
    for (rank, class) in engine.ranking().take(count).enumerate() {
        row(rank, engine.label(class), columns, engine.probability(class), terminal, out)?;
    }
    let classes = engine.logits().len();
    // A person who has asked for another number of labels knows the command `top`. The costs follow in the same line.
    if count == DEFAULT_SHOWN && classes > count {
        write!(out, "{} more, `top {classes}` lists all   ", classes - count)?;
    }
    costs(answer, out)
}

/// Writes a line with a name, padded with spaces to `columns` columns, its probability (Q16) and, with the feature
/// `colors`, a bar. The name of rank 0, the most probable, is bold.
fn row(
    rank: usize,
    name: &str,
    columns: usize,
    probability: u32,
    terminal: Terminal,
    out: &mut dyn Write,
) -> fmt::Result {
    /// The least probability (Q16) whose bar is not empty. The length of a bar is rounded to eighths of a column, so
    /// this is the probability (Q16, rounded up) whose bar is half an eighth of a column long.
    const MIN_BAR: u32 = (1 << 16) / (2 * 8 * Bar::WIDTH) + 1;
    let name_paint = if rank == 0 { Paint::Bold } else { Paint::Plain };
    let padding = columns.saturating_sub(width(name));
    write!(out, "{}{:padding$} {}", Painted(name_paint.on(terminal), Visible(name)), "", Percent(probability))?;
    if COLORS && probability >= MIN_BAR {
        write!(out, "  {}", Painted(Paint::Green.on(terminal), Bar(probability)))?;
    }
    out.write_str("\r\n")
}

/// Writes a line with one token of a text, and the most probable label after it with its probability.
pub fn step(step: &StepAnswer<'_>, label: &str, terminal: Terminal, out: &mut dyn Write) -> fmt::Result {
    const TOKEN_COLUMNS: usize = 16;
    let padding = TOKEN_COLUMNS.saturating_sub(width(step.token));
    write!(out, "{}{:padding$} ", Visible(step.token), "")?;
    // The label is the most probable one, and is not padded.
    let (rank, label_columns) = (0, 0);
    row(rank, label, label_columns, step.probability, terminal, out)
}

/// Writes the costs of an answer for a person: tokens, unknown tokens and ticks.
fn costs(answer: Answer, out: &mut dyn Write) -> fmt::Result {
    let Answer { tokens, unknown, ticks, .. } = answer;
    write!(out, "{}, {unknown} unknown, {}", Counted(tokens.into(), "token"), Counted(ticks, "tick"))
}

/// Ends a JSON answer: closes its list, adds the costs and closes its object.
fn end_list_and_json(answer: Answer, out: &mut dyn Write) -> fmt::Result {
    let (Answer { tokens, unknown, .. }, ticks) = (answer, Long(answer.ticks));
    write!(out, r#"],"tokens":{tokens},"unknown":{unknown},"ticks":{ticks}}}"#)
}

/// Returns the name of a token: its text in the vocabulary, or `?` if there is no such token. The vocabulary of a model
/// of bytes has no texts: a byte from `!` to `~` is its own name, and another byte has a name such as `\x0a`; both are
/// written into `buffer`.
fn token_name<'m>(model: &Model<'m>, id: usize, buffer: &'m mut [u8; 4]) -> &'m str {
    if model.config().tokenizer.kind != TokenizerKind::Bytes {
        return model.vocabulary().token(id as u32).unwrap_or("?");
    }
    const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";
    // The ids 0 and 1 are those of PAD and UNK; that of byte n is n + 2.
    let byte = id.saturating_sub(2);
    match u8::try_from(byte) {
        Ok(printable @ b'!'..=b'~') => char::from(printable).encode_utf8(buffer),
        _ => {
            *buffer = [b'\\', b'x', HEX_DIGITS[byte >> 4 & 15], HEX_DIGITS[byte & 15]];
            core::str::from_utf8(buffer).unwrap_or("?")
        }
    }
}

/// Writes the most probable next tokens of a language model: `count` of them, but at most [`MAX_NEXT_TOKENS`];
/// [`DEFAULT_SHOWN`] if `count` is `None`.
pub fn next(
    engine: &mut Engine<'_>,
    answer: Answer,
    count: Option<usize>,
    form: Form,
    terminal: Terminal,
    out: &mut dyn Write,
) -> fmt::Result {
    let model = engine.model();
    let logits = engine.session().logits();
    let mut storage = [Ranked::default(); MAX_NEXT_TOKENS];
    let count = count.unwrap_or(DEFAULT_SHOWN).min(MAX_NEXT_TOKENS);
    let found = storage.get_mut(..count).map_or(0, |wanted| logits.next_tokens(wanted));
    let ranked = storage.get(..found).unwrap_or(&[]);
    if form == Form::Machine {
        write!(out, r#"{{"next":["#)?;
        let mut comma = "";
        for &Ranked { class: id, logit } in ranked {
            let mut buffer = [0; 4];
            let (token, probability) = (Json(token_name(model, id, &mut buffer)), Decimal(logits.probability(id)));
            write!(out, r#"{comma}{{"token":{token},"id":{id},"probability":{probability},"logit":{logit}}}"#)?;
            comma = ",";
        }
        return end_list_and_json(answer, out);
    }
    let columns = ranked.iter().map(|token| width(token_name(model, token.class, &mut [0; 4]))).max().unwrap_or(0);
    for (rank, &Ranked { class: id, .. }) in ranked.iter().enumerate() {
        row(rank, token_name(model, id, &mut [0; 4]), columns, logits.probability(id), terminal, out)?;
    }
    costs(answer, out)
}

/// Writes the text of the generated tokens `ids` for a program. `text` is the text that they continue: it decides how
/// the first of them is joined, and is not written.
pub fn generated(
    model: &Model<'_>,
    text: &[u8],
    ids: &[u32],
    cost: GenerationCost,
    out: &mut dyn Write,
) -> fmt::Result {
    write!(out, r#"{{"text":""#)?;
    let mut detokenizer = Detokenizer::new(model.config().tokenizer.kind, text);
    let vocabulary = model.vocabulary();
    ids.iter().try_for_each(|&id| detokenizer.write(id, vocabulary.token(id).unwrap_or(""), &mut Escaped(out)))?;
    detokenizer.finish(&mut Escaped(out))?;
    write!(out, r#"","tokens":{},"ticks":{}}}"#, cost.tokens, Long(cost.ticks))
}

/// Writes the cost of generated text for a person, who has already seen the text itself.
pub fn generation_cost(cost: GenerationCost, out: &mut dyn Write) -> fmt::Result {
    write!(out, "\r\n{}, {}", Counted(cost.tokens.into(), "token"), Counted(cost.ticks, "tick"))
}

/// Confirms the parameters of the command `say`, which generates text.
pub fn sampling(sampling: Sampling, form: Form, out: &mut dyn Write) -> fmt::Result {
    let Sampling { seed, temperature, top_k } = sampling;
    // The temperature is in Q16; it is shown with two decimals, rounded.
    let hundredths = ((u64::from(temperature) * 100 + (1 << 15)) >> 16) as u32;
    let (whole, decimals) = (hundredths / 100, hundredths % 100);
    form.write(
        out,
        format_args!("seed {seed}, temperature {whole}.{decimals:02}, top-k {top_k}"),
        format_args!(r#"{{"seed":{seed},"temperature":{whole}.{decimals:02},"top_k":{top_k}}}"#),
    )
}

/// Writes the predicted value of each channel, in the scale of the training data.
pub fn forecast(engine: &mut Engine<'_>, answer: Answer, form: Form, out: &mut dyn Write) -> fmt::Result {
    let model = engine.model();
    // The forecast ends at the first index without a value.
    let mut values = (0..).map_while(|index| {
        let value = engine.session().values()?.predicted(index)?;
        Some(Value(model.forecast_channel(index)?, value))
    });
    if form == Form::Machine {
        write!(out, r#"{{"forecast":["#)?;
        list(out, values.by_ref())?;
        return end_list_and_json(answer, out);
    }
    for value in values {
        let Value(channel, _) = value;
        write!(out, "{}  {value}\r\n", Visible(channel.name))?;
    }
    write!(out, "{}, {}", Counted(answer.tokens.into(), "step"), Counted(answer.ticks, "tick"))
}
