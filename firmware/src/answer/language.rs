//! Answers of language models and forecasts.

use core::fmt::{self, Write};

use tern_runtime::text::{Detokenizer, TokenizerKind};
use tern_runtime::{Model, Ranked};

use super::{Screen, costs, json_costs, row, width};
use crate::classifier::{Answer, Classifier, Said, Sampling};
use crate::command::Form;
use crate::numbers::Value;
use crate::text::{Counted, Decimal, Escaped, Json, Paint, Plain, list};

/// Tokens shown to a person who asks for no number of them.
const SHOWN: usize = 5;
/// Tokens shown at most.
const MOST: usize = 20;

/// What a token is called.
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

/// The likeliest next tokens.
pub fn next(
    classifier: &mut Classifier<'_>,
    answer: Answer,
    n: Option<usize>,
    form: Form,
    screen: Screen,
    out: &mut dyn Write,
) -> fmt::Result {
    let model = classifier.model();
    let logits = classifier.next_logits();
    let mut ranks = [Ranked::default(); MOST];
    let wanted = n.unwrap_or(SHOWN).min(MOST);
    let found = ranks.get_mut(..wanted).map_or(0, |ranks| logits.next_tokens(ranks));
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

/// A text that went on by `ids`, for a program.
pub fn said(model: &Model<'_>, text: &[u8], ids: &[u32], said: Said, out: &mut dyn Write) -> fmt::Result {
    write!(out, r#"{{"text":""#)?;
    let mut detokenizer = Detokenizer::new(model.config().tokenizer.kind, text);
    let vocabulary = model.vocabulary();
    ids.iter().try_for_each(|&id| detokenizer.write(id, vocabulary.token(id).unwrap_or(""), &mut Escaped(out)))?;
    detokenizer.finish(&mut Escaped(out))?;
    write!(out, r#"","tokens":{},"ticks":{}}}"#, said.tokens, said.ticks)
}

/// What writing cost, for a person.
pub fn said_costs(said: Said, out: &mut dyn Write) -> fmt::Result {
    write!(out, "\r\n{}, {}", Counted(said.tokens.into(), "token"), Counted(said.ticks, "tick"))
}

/// How tokens are drawn.
pub fn sampling(sampling: Sampling, form: Form, out: &mut dyn Write) -> fmt::Result {
    let Sampling { seed, temperature, top_k } = sampling;
    // Q16 with two places, rounded.
    let hundredths = (u64::from(temperature) * 100 + (1 << 15)) >> 16;
    let (whole, part) = (hundredths / 100, hundredths % 100);
    match form {
        Form::Human => write!(out, "seed {seed}, temperature {whole}.{part:02}, top-k {top_k}"),
        Form::Machine => write!(out, r#"{{"seed":{seed},"temperature":{whole}.{part:02},"top_k":{top_k}}}"#),
    }
}

/// What follows the numbers, in the scale of the file.
pub fn forecast(classifier: &mut Classifier<'_>, answer: Answer, form: Form, out: &mut dyn Write) -> fmt::Result {
    let model = classifier.model();
    let mut values = (0..).map_while(|index| Some(Value(model.forecast(index)?, classifier.forecast(index)?)));
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
