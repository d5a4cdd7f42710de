//! The tensors of the format and how they are called.
//!
//! A layer's tensors are named as PyTorch does, `gru.weight_ih_l1_reverse`; their names are put together and taken apart here, so
//! that the device holds each part once.

use super::keys::Kind;
use crate::error::Name;
use crate::kind::{CellKind, Input, Task};
use crate::model::Packing;
use crate::text;

/// One direction of one recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// 0 … 3
    pub layer: u8,
    pub reverse: bool,
}

const LAYERS: [&str; 4] = ["l0", "l1", "l2", "l3"];
const REVERSE: &str = "_reverse";

impl Place {
    /// How many a model can have.
    pub(crate) const COUNT: usize = 2 * LAYERS.len();

    pub(super) fn all() -> impl Iterator<Item = Place> {
        (0..Place::COUNT as u8).map(|index| Place { layer: index / 2, reverse: index % 2 == 1 })
    }

    pub(super) fn index(self) -> usize {
        2 * usize::from(self.layer) + usize::from(self.reverse)
    }

    /// `l1_reverse`, in two parts.
    pub(super) fn suffix(self) -> [&'static str; 2] {
        [LAYERS.get(usize::from(self.layer)).copied().unwrap_or(""), if self.reverse { REVERSE } else { "" }]
    }

    pub(super) fn from_suffix(suffix: &str) -> Option<Self> {
        let (layer, reverse) = match suffix.strip_suffix(REVERSE) {
            Some(layer) => (layer, true),
            None => (suffix, false),
        };
        let layer = LAYERS.iter().position(|&known| known == layer)? as u8;
        Some(Place { layer, reverse })
    }
}

/// When a tensor is part of a model.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Tokens,
    /// Tokens that are not all the bytes there are.
    Vocabulary,
    Values,
    Classify,
    Forecast,
    Hidden,
    /// With tokens, in a file that has them.
    Folded,
    FoldedReverse,
    /// Where the weights have 4 bits.
    TokensIn4Bits,
    HiddenIn4Bits,
    In4Bits,
}

macro_rules! fixed {
    ($($constant:ident = $name:literal if $when:ident),* $(,)?) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Order { $($constant),* }

        impl Tensor {
            $(pub(super) const $constant: Tensor = Tensor(Order::$constant as u8);)*
        }

        const FIXED: &[(&str, When)] = &[$(($name, When::$when)),*];
    };
}

fixed! {
    NAME = "name" if Always,
    CALIBRATION = "calibration" if Always,
    LABELS_OFFSETS = "labels.offsets" if Classify,
    LABELS_BYTES = "labels.bytes" if Classify,
    VOCAB_OFFSETS = "vocab.offsets" if Vocabulary,
    VOCAB_BYTES = "vocab.bytes" if Vocabulary,
    EMBEDDING_WEIGHT = "embedding.weight" if Tokens,
    EMBEDDING_MULTIPLIER = "embedding.multiplier" if Tokens,
    EMBEDDING_SCALE = "embedding.scale" if Tokens,
    CHANNELS_OFFSETS = "channels.offsets" if Values,
    CHANNELS_BYTES = "channels.bytes" if Values,
    INPUT_OFFSET = "input.offset" if Values,
    INPUT_MULTIPLIER = "input.multiplier" if Values,
    INPUT_SHIFT = "input.shift" if Values,
    INPUT_POINT = "input.point" if Values,
    INPUT_SCALE = "input.scale" if Values,
    HIDDEN_WEIGHT = "hidden.weight" if Hidden,
    HIDDEN_BIAS = "hidden.bias" if Hidden,
    HIDDEN_MULTIPLIER = "hidden.multiplier" if Hidden,
    HIDDEN_SCALE = "hidden.scale" if Hidden,
    FC_WEIGHT = "fc.weight" if Always,
    FC_BIAS = "fc.bias" if Always,
    FC_MULTIPLIER = "fc.multiplier" if Always,
    OUTPUT_OFFSET = "output.offset" if Forecast,
    OUTPUT_MULTIPLIER = "output.multiplier" if Forecast,
    OUTPUT_SHIFT = "output.shift" if Forecast,
    OUTPUT_POINT = "output.point" if Forecast,
    OUTPUT_CHANNEL = "output.channel" if Forecast,
    OUTPUT_LAST = "output.last" if Forecast,
    FORECAST_WINDOW = "forecast.window" if Forecast,
    GOLDEN_OFFSETS = "golden.offsets" if Always,
    GOLDEN_BYTES = "golden.bytes" if Tokens,
    GOLDEN_VALUES = "golden.values" if Values,
    GOLDEN_LOGITS = "golden.logits" if Always,
    EMBEDDING_GROUPS = "embedding.group_multiplier" if TokensIn4Bits,
    HIDDEN_GROUPS = "hidden.group_multiplier" if HiddenIn4Bits,
    FC_GROUPS = "fc.group_multiplier" if In4Bits,
    FOLDED_IDS = "folded.ids" if Folded,
    FOLDED_SUMS = "folded.sums" if Folded,
    FOLDED_SUMS_REVERSE = "folded.sums_reverse" if FoldedReverse,
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
    GroupsHh,
}

const PARAMETERS: [(Parameter, &str); 9] = [
    (Parameter::WeightIh, "weight_ih"),
    (Parameter::WeightHh, "weight_hh"),
    (Parameter::Bias, "bias"),
    (Parameter::MultiplierIh, "multiplier_ih"),
    (Parameter::MultiplierHh, "multiplier_hh"),
    (Parameter::Units, "units"),
    (Parameter::Scale, "scale"),
    (Parameter::GroupsIh, "group_multiplier_ih"),
    (Parameter::GroupsHh, "group_multiplier_hh"),
];

/// A tensor of the format, by a small number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tensor(u8);

impl Tensor {
    /// How many there can be.
    pub(super) const COUNT: usize = FIXED.len() + Place::COUNT * PARAMETERS.len();

    pub(super) fn of_layer(place: Place, parameter: Parameter) -> Self {
        Tensor((FIXED.len() + place.index() * PARAMETERS.len() + parameter as usize) as u8)
    }

    /// All that a model of this kind has.
    pub(super) fn all_of(kind: &Kind) -> impl Iterator<Item = Tensor> {
        (0..Tensor::COUNT as u8).map(Tensor).filter(|tensor| tensor.belongs_to(kind))
    }

    /// The tensor of this name in a model of this kind.
    pub(super) fn find(name: &str, kind: &Kind) -> Option<Self> {
        let tensor = match FIXED.iter().position(|(known, _)| *known == name) {
            Some(index) => Tensor(index as u8),
            None => {
                let rest = name.strip_prefix(kind.cell.module())?.strip_prefix('.')?;
                let (parameter, suffix) = PARAMETERS
                    .iter()
                    .find_map(|&(parameter, known)| Some((parameter, rest.strip_prefix(known)?.strip_prefix('_')?)))?;
                Tensor::of_layer(Place::from_suffix(suffix)?, parameter)
            }
        };
        tensor.belongs_to(kind).then_some(tensor)
    }

    /// Whether a model of its kind can be without it.
    pub(super) fn is_optional(self) -> bool {
        let fixed = [When::Folded, When::FoldedReverse, When::TokensIn4Bits, When::HiddenIn4Bits, When::In4Bits];
        match self.parts() {
            Ok((_, when)) => fixed.contains(&when),
            Err((_, parameter, _)) => matches!(parameter, Parameter::GroupsIh | Parameter::GroupsHh),
        }
    }

    pub(super) fn index(self) -> usize {
        self.0.into()
    }

    fn parts(self) -> Result<(&'static str, When), (Place, Parameter, &'static str)> {
        if let Some(&fixed) = FIXED.get(self.index()) {
            return Ok(fixed);
        }
        let index = self.index().saturating_sub(FIXED.len()) as u8;
        let (place, parameter) = (index / PARAMETERS.len() as u8, usize::from(index % PARAMETERS.len() as u8));
        let (parameter, name) = PARAMETERS.get(parameter).copied().unwrap_or(PARAMETERS[0]);
        Err((Place { layer: place / 2, reverse: place % 2 == 1 }, parameter, name))
    }

    fn belongs_to(self, kind: &Kind) -> bool {
        match self.parts() {
            Ok((_, when)) => match when {
                When::Always => true,
                When::Tokens => kind.input == Input::Tokens,
                When::Vocabulary => kind.input == Input::Tokens && kind.tokenizer.kind != text::Kind::Bytes,
                When::Values => kind.input == Input::Values,
                When::Classify => kind.task == Task::Classify,
                When::Forecast => kind.task == Task::Forecast,
                When::Hidden => kind.hidden_shift.is_some(),
                When::TokensIn4Bits => cfg!(feature = "widths") && kind.input == Input::Tokens,
                When::HiddenIn4Bits => cfg!(feature = "widths") && kind.hidden_shift.is_some(),
                When::In4Bits => cfg!(feature = "widths"),
                When::Folded => cfg!(feature = "folding") && kind.input == Input::Tokens,
                When::FoldedReverse => cfg!(feature = "folding") && kind.input == Input::Tokens && kind.directions == 2,
            },
            Err((place, parameter, _)) => {
                kind.has(place)
                    && match parameter {
                        Parameter::Scale => kind.cell == CellKind::RnnRelu,
                        Parameter::GroupsIh | Parameter::GroupsHh => kind.packing == Packing::Rows,
                        Parameter::Units => kind.packing == Packing::Paired16,
                        _ => kind.packing != Packing::Paired16,
                    }
            }
        }
    }

    /// What it is called in a model with such cells.
    pub(super) fn name(self, cell: CellKind) -> Name {
        match self.parts() {
            Ok((name, _)) => Name::new(name),
            Err((place, _, name)) => {
                let [layer, reverse] = place.suffix();
                Name::joined(&[cell.module(), ".", name, "_", layer, reverse])
            }
        }
    }
}
