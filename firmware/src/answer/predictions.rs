//! Writes the answers of language models and forecasts.

use core::fmt::{self, Write};

use tern_runtime::text::{Detokenizer, TokenizerKind};
use tern_runtime::{Model, Ranked};

use super::{costs, json_costs, row, width};
use crate::display::{Counted, Decimal, Escaped, Json, Paint, Plain, Screen, list};
use crate::engine::{Answer, Engine, Generated, Sampling};
use crate::form::Form;
use crate::numbers::Value;

/// Tokens that `next` lists if no number is given.
const DEFAULT_SHOWN: usize = 5;
/// Tokens that `next` lists at most.
const MAX_SHOWN: usize = 20;

/// The name of a token. A byte that is not printable is shown as `\x0a`.
fn name<'m>(model: &Model<'m>, id: usize, byte: &'m mut [u8; 4]) -> &'m str {
    match model.config().tokenizer.kind {
        TokenizerKind::Bytes => match u8::try_from(id.saturating_sub(2)) {
            Ok(letter @ b'!'..=b'~') => char::from(letter).encode_utf8(byte),
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let value = id.saturating_sub(2);
                *byte = [b'\\', b'x', DIGITS[value >> 4 & 15], DIGITS[value & 15]];
                core::str::from_utf8(byte).unwrap_or("?")
            }
        },
        _ => model.vocabulary().token(id as u32).unwrap_or("?"),
    }
}

/// The most probable next tokens.
pub fn next(
    engine: &mut Engine<'_>,
    answer: Answer,
    n: Option<usize>,
    form: Form,
    screen: Screen,
    out: &mut dyn Write,
) -> fmt::Result {
    let model = engine.model();
    let logits = engine.next_logits();
    let mut ranks = [Ranked::default(); MAX_SHOWN];
    let count = n.unwrap_or(DEFAULT_SHOWN).min(MAX_SHOWN);
    let found = ranks.get_mut(..count).map_or(0, |ranks| logits.next_tokens(ranks));
    let ranks = ranks.get(..found).unwrap_or(&[]);
    if form == Form::Machine {
        write!(out, r#"{{"next":["#)?;
        for (rank, &Ranked { class, logit }) in ranks.iter().enumerate() {
            let (comma, mut byte) = (if rank > 0 { "," } else { "" }, [0; 4]);
            let (token, probability) = (Json(name(model, class, &mut byte)), Decimal(logits.probability(class)));
            write!(out, r#"{comma}{{"token":{token},"id":{class},"probability":{probability},"logit":{logit}}}"#)?;
        }
        write!(out, "],")?;
        return json_costs(answer, out);
    }
    let columns = |&Ranked { class, .. }: &Ranked| width(name(model, class, &mut [0; 4]));
    let columns = ranks.iter().map(columns).max().unwrap_or(0);
    for (rank, &Ranked { class, .. }) in ranks.iter().enumerate() {
        let paint = if rank == 0 { Paint::Bold } else { Paint::Plain };
        row(name(model, class, &mut [0; 4]), columns, logits.probability(class), paint, screen, out)?;
        out.write_str("\r\n")?;
    }
    costs(answer, out)
}

/// The text of the generated tokens `ids` after `text`, for a program.
pub fn generated(model: &Model<'_>, text: &[u8], ids: &[u32], cost: Generated, out: &mut dyn Write) -> fmt::Result {
    write!(out, r#"{{"text":""#)?;
    let mut detokenizer = Detokenizer::new(model.config().tokenizer.kind, text);
    let vocabulary = model.vocabulary();
    ids.iter().try_for_each(|&id| detokenizer.write(id, vocabulary.token(id).unwrap_or(""), &mut Escaped(out)))?;
    detokenizer.finish(&mut Escaped(out))?;
    write!(out, r#"","tokens":{},"ticks":{}}}"#, cost.tokens, cost.ticks)
}

/// The cost of generated text, for a person.
pub fn generation_cost(cost: Generated, out: &mut dyn Write) -> fmt::Result {
    write!(out, "\r\n{}, {}", Counted(cost.tokens.into(), "token"), Counted(cost.ticks, "tick"))
}

/// Confirms the parameters of `say`.
pub fn sampling(sampling: Sampling, form: Form, out: &mut dyn Write) -> fmt::Result {
    let Sampling { seed, temperature, top_k } = sampling;
    // Q16 as a decimal with two places, rounded.
    let hundredths = (u64::from(temperature) * 100 + (1 << 15)) >> 16;
    let (whole, part) = (hundredths / 100, hundredths % 100);
    match form {
        Form::Human => write!(out, "seed {seed}, temperature {whole}.{part:02}, top-k {top_k}"),
        Form::Machine => write!(out, r#"{{"seed":{seed},"temperature":{whole}.{part:02},"top_k":{top_k}}}"#),
    }
}

/// The forecast, in the scale of the training data.
pub fn forecast(engine: &mut Engine<'_>, answer: Answer, form: Form, out: &mut dyn Write) -> fmt::Result {
    let model = engine.model();
    let mut values = (0..).map_while(|index| Some(Value(model.forecast_channel(index)?, engine.forecast(index)?)));
    if form == Form::Machine {
        write!(out, r#"{{"forecast":["#)?;
        list(out, values.by_ref())?;
        write!(out, "],")?;
        return json_costs(answer, out);
    }
    for value in values {
        write!(out, "{}  {value}\r\n", Plain(value.0.name))?;
    }
    let Answer { tokens, ticks, .. } = answer;
    write!(out, "{}, {}", Counted(tokens.into(), "step"), Counted(ticks, "tick"))
}
