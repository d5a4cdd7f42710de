//! The tensors of the format and how they are called.
//!
//! A layer's tensors are named as PyTorch does, `gru.weight_ih_l1_reverse`; their names are put together and taken apart here, so
//! that the device holds each part once.

use super::keys::Kind;
use super::words;
use crate::error::Name;
use crate::kind::{CellKind, Task};
use crate::model::Packing;
use crate::parts::{BIDIRECTIONAL, FOLDING, STACKED, VALUES, WIDTHS};
use crate::text;

/// One direction of one recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// 0 … 3
    pub layer: u8,
    pub reverse: bool,
}

const LAYERS: &str = "l0, l1, l2, l3";
const REVERSE: &str = "_reverse";

impl Place {
    /// How many a model can have, and how many layers.
    pub(crate) const COUNT: usize = if STACKED || BIDIRECTIONAL { 2 * Place::LAYERS } else { 1 };
    pub(crate) const LAYERS: usize = if STACKED { 4 } else { 1 };

    pub(super) fn all() -> impl Iterator<Item = Place> {
        (0..Place::COUNT as u8).map(|index| Place { layer: index / 2, reverse: index % 2 == 1 })
    }

    pub(super) fn index(self) -> usize {
        2 * usize::from(self.layer) + usize::from(self.reverse)
    }

    /// `l1_reverse`, in two parts.
    pub(super) fn suffix(self) -> [&'static str; 2] {
        [words::nth(LAYERS, self.layer.into()), if self.reverse { REVERSE } else { "" }]
    }

    pub(super) fn from_suffix(suffix: &[u8]) -> Option<Self> {
        let (layer, reverse) = match suffix.strip_suffix(REVERSE.as_bytes()) {
            Some(layer) => (layer, true),
            None => (suffix, false),
        };
        Some(Place { layer: words::position(layer, LAYERS)?, reverse })
    }
}

/// Tensors that are part of a model together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Tokens,
    /// Tokens that are not all the bytes there are.
    Vocabulary,
    Classify,
    Hidden,
    Values,
    Forecast,
    /// With tokens, in a file that has them.
    Folded,
    FoldedReverse,
    /// Where the weights have 4 bits.
    TokensIn4Bits,
    HiddenIn4Bits,
    In4Bits,
}

/// Numbers for the tensors of a group.
const GROUP: u8 = 8;

macro_rules! group {
    ($when:ident: $($constant:ident)*) => {
        const _: () = {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Order { $($constant),* }

            impl Tensor {
                $(pub(super) const $constant: Tensor = Tensor(GROUP * When::$when as u8 + Order::$constant as u8);)*
            }
        };
    };
}

group!(Always: NAME CALIBRATION FC_WEIGHT FC_BIAS FC_MULTIPLIER GOLDEN_OFFSETS GOLDEN_LOGITS);
group!(Tokens: EMBEDDING_WEIGHT EMBEDDING_MULTIPLIER EMBEDDING_SCALE GOLDEN_BYTES);
group!(Vocabulary: VOCAB_OFFSETS VOCAB_BYTES);
group!(Classify: LABELS_OFFSETS LABELS_BYTES);
group!(Hidden: HIDDEN_WEIGHT HIDDEN_BIAS HIDDEN_MULTIPLIER HIDDEN_SCALE);
group!(Values: CHANNELS_OFFSETS CHANNELS_BYTES INPUT_OFFSET INPUT_MULTIPLIER INPUT_SHIFT INPUT_POINT INPUT_SCALE GOLDEN_VALUES);
group!(Forecast: OUTPUT_OFFSET OUTPUT_MULTIPLIER OUTPUT_SHIFT OUTPUT_POINT OUTPUT_CHANNEL OUTPUT_LAST FORECAST_WINDOW);
group!(Folded: FOLDED_IDS FOLDED_SUMS);
group!(FoldedReverse: FOLDED_SUMS_REVERSE);
group!(TokensIn4Bits: EMBEDDING_GROUPS);
group!(HiddenIn4Bits: HIDDEN_GROUPS);
group!(In4Bits: FC_GROUPS);

/// The groups in the order of [`When`], and their tensors' names in that of their numbers; none where the part that has them is not built in.
const NAMES: [(When, &str); 12] = [
    (When::Always, "name, calibration, fc.weight, fc.bias, fc.multiplier, golden.offsets, golden.logits"),
    (When::Tokens, "embedding.weight, embedding.multiplier, embedding.scale, golden.bytes"),
    (When::Vocabulary, "vocab.offsets, vocab.bytes"),
    (When::Classify, "labels.offsets, labels.bytes"),
    (When::Hidden, "hidden.weight, hidden.bias, hidden.multiplier, hidden.scale"),
    (
        When::Values,
        built(
            VALUES,
            "channels.offsets, channels.bytes, input.offset, input.multiplier, input.shift, input.point, input.scale, golden.values",
        ),
    ),
    (
        When::Forecast,
        built(
            VALUES,
            "output.offset, output.multiplier, output.shift, output.point, output.channel, output.last, forecast.window",
        ),
    ),
    (When::Folded, built(FOLDING, "folded.ids, folded.sums")),
    (When::FoldedReverse, built(FOLDING, "folded.sums_reverse")),
    (When::TokensIn4Bits, built(WIDTHS, "embedding.group_multiplier")),
    (When::HiddenIn4Bits, built(WIDTHS, "hidden.group_multiplier")),
    (When::In4Bits, built(WIDTHS, "fc.group_multiplier")),
];

const fn built(part: bool, names: &'static str) -> &'static str {
    if part { names } else { "" }
}

/// A tensor of one direction of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    WeightIh,
    WeightHh,
    Bias,
    MultiplierIh,
    MultiplierHh,
    /// In the place of all of these, in the packing `paired16`.
    Units,
    /// Of cells whose states have no bound of their own.
    Scale,
    /// Of weights of 4 bits.
    GroupsIh,
    #[cfg_attr(not(feature = "widths"), allow(dead_code))]
    GroupsHh,
}

const PARAMETERS: &str =
    "weight_ih, weight_hh, bias, multiplier_ih, multiplier_hh, units, scale, group_multiplier_ih, group_multiplier_hh";
const PARAMETER_COUNT: u8 = 9;

/// A tensor of the format, by a small number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tensor(u8);

impl Tensor {
    /// The first number of a layer's tensors.
    const LAYERS: u8 = GROUP * NAMES.len() as u8;
    /// How many numbers there are.
    pub(super) const COUNT: usize = Tensor::LAYERS as usize + Place::COUNT * PARAMETER_COUNT as usize;

    pub(super) fn of_layer(place: Place, parameter: Parameter) -> Self {
        Tensor(Tensor::LAYERS + place.index() as u8 * PARAMETER_COUNT + parameter as u8)
    }

    pub(super) fn index(self) -> usize {
        self.0.into()
    }

    /// The tensor of this name in a model of this kind.
    pub(super) fn find(name: &[u8], kind: &Kind) -> Option<Self> {
        for (group, &(when, names)) in (0u8..).zip(&NAMES) {
            if let Some(position) = words::position(name, names)
                && when.is_in(kind)
            {
                return Some(Tensor(GROUP * group + position));
            }
        }
        let rest = name.strip_prefix(kind.cell.module().as_bytes())?.strip_prefix(b".")?;
        // What comes before `_l0` is the parameter.
        let at = rest.windows(2).position(|two| two == b"_l")?;
        let parameter = words::position(rest.get(..at)?, PARAMETERS)?;
        let place = Place::from_suffix(rest.get(at + 1..)?)?;
        let tensor = Tensor(Tensor::LAYERS + place.index() as u8 * PARAMETER_COUNT + parameter);
        (kind.has(place) && is_of_layer(parameter, kind)).then_some(tensor)
    }

    /// What it is called in a model with such cells.
    pub(super) fn name(self, cell: CellKind) -> Name {
        match self.0.checked_sub(Tensor::LAYERS) {
            None => Name::new(self.fixed_name()),
            Some(number) => {
                let (place, parameter) = (number / PARAMETER_COUNT, number % PARAMETER_COUNT);
                let [layer, reverse] = Place { layer: place / 2, reverse: place % 2 == 1 }.suffix();
                Name::joined(&[cell.module(), ".", words::nth(PARAMETERS, parameter.into()), "_", layer, reverse])
            }
        }
    }

    /// What a table of texts is called, of which this is the offsets' tensor.
    pub(super) fn table(self) -> &'static str {
        let name = self.fixed_name();
        name.strip_suffix(".offsets").unwrap_or(name)
    }

    /// Whether its weights may have 4 or 16 bits, outside of the packing `rows`.
    pub(super) fn can_be_wide(self) -> bool {
        [Tensor::EMBEDDING_WEIGHT, Tensor::HIDDEN_WEIGHT, Tensor::FC_WEIGHT].contains(&self)
    }

    /// What it is called, where no layer has it.
    fn fixed_name(self) -> &'static str {
        let names = NAMES.get(usize::from(self.0 / GROUP)).map_or("", |&(_, names)| names);
        words::nth(names, (self.0 % GROUP).into())
    }
}

impl When {
    fn is_in(self, kind: &Kind) -> bool {
        let tokens = !kind.reads_values();
        match self {
            When::Always | When::In4Bits => true,
            When::Tokens | When::TokensIn4Bits | When::Folded => tokens,
            When::Vocabulary => tokens && kind.tokenizer.kind != text::Kind::Bytes,
            When::Classify => kind.task == Task::Classify,
            When::Hidden | When::HiddenIn4Bits => kind.hidden_shift.is_some(),
            When::Values => !tokens,
            When::Forecast => VALUES && kind.task == Task::Forecast,
            When::FoldedReverse => tokens && kind.directions == 2,
        }
    }
}

/// Whether a layer of such a model has the parameter of this number.
fn is_of_layer(parameter: u8, kind: &Kind) -> bool {
    const UNITS: u8 = Parameter::Units as u8;
    const SCALE: u8 = Parameter::Scale as u8;
    const BEFORE_GROUPS: u8 = Parameter::GroupsIh as u8 - 1;
    match parameter {
        SCALE => kind.cell == CellKind::RnnRelu,
        UNITS => kind.packing == Packing::Paired16,
        0..=BEFORE_GROUPS => kind.packing != Packing::Paired16,
        _ => kind.packing == Packing::Rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_in_their_order() {
        for (number, (when, names)) in NAMES.iter().enumerate() {
            assert_eq!(*when as usize, number, "{names}");
            assert!(names.split(", ").count() <= GROUP.into(), "{names}");
        }
        assert_eq!(PARAMETERS.split(", ").count(), PARAMETER_COUNT.into());
        assert_eq!(Tensor::LABELS_BYTES.fixed_name(), "labels.bytes");
    }
}
