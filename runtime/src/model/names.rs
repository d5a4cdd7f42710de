//! The tensors of the format and how they are called.
//!
//! A layer's tensors are named as PyTorch does, `gru.weight_ih_l1_reverse`; their names are put together here. The loader knows them all by
//! their fingerprints; letters are for errors.

use crate::error::Name;
use crate::fingerprint::Fingerprint;
use crate::parts::{BIDIRECTIONAL, STACKED};
use tern_format::Cell as CellKind;

/// One direction of one recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// 0 … 3
    pub layer: u8,
    pub reverse: bool,
}

const REVERSE: &str = "_reverse";

impl Place {
    pub(super) const FIRST: Place = Place { layer: 0, reverse: false };
    /// How many a model can have, and how many layers.
    pub(crate) const COUNT: usize = if STACKED || BIDIRECTIONAL { 2 * Place::LAYERS } else { 1 };
    pub(crate) const LAYERS: usize = if STACKED { 4 } else { 1 };

    pub(super) fn all() -> impl Iterator<Item = Place> {
        (0..Place::COUNT as u8).map(|index| Place { layer: index / 2, reverse: index % 2 == 1 })
    }

    /// What ends the names of its tensors: `_l1_reverse`, in two parts.
    fn suffix(self) -> [&'static str; 2] {
        let layer = match self.layer {
            0 => "_l0",
            1 => "_l1",
            2 => "_l2",
            _ => "_l3",
        };
        [layer, if self.reverse { REVERSE } else { "" }]
    }

    /// Of `name` and what it ends with here.
    pub(super) fn fingerprint(self, name: Fingerprint) -> Fingerprint {
        if Place::COUNT == 1 {
            return name.and("_l0");
        }
        let [layer, reverse] = self.suffix();
        name.and(layer).and(reverse)
    }
}

/// A tensor of the format, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tensor(Fingerprint);

macro_rules! tensors {
    ($($constant:ident = $name:literal)*) => {
        impl Tensor {
            $(pub(super) const $constant: Tensor = Tensor(Fingerprint::of($name));)*
        }

        /// The names of those that are of no layer.
        const NAMES: &[&str] = &[$($name),*];
    };
}

tensors! {
    NAME = "name"
    CALIBRATION = "calibration"
    FC_WEIGHT = "fc.weight"
    FC_GROUPS = "fc.group_multiplier"
    FC_BIAS = "fc.bias"
    FC_MULTIPLIER = "fc.multiplier"
    HIDDEN_WEIGHT = "hidden.weight"
    HIDDEN_GROUPS = "hidden.group_multiplier"
    HIDDEN_BIAS = "hidden.bias"
    HIDDEN_MULTIPLIER = "hidden.multiplier"
    HIDDEN_SCALE = "hidden.scale"
    EMBEDDING_WEIGHT = "embedding.weight"
    EMBEDDING_GROUPS = "embedding.group_multiplier"
    EMBEDDING_MULTIPLIER = "embedding.multiplier"
    EMBEDDING_SCALE = "embedding.scale"
    VOCAB_OFFSETS = "vocab.offsets"
    VOCAB_BYTES = "vocab.bytes"
    LABELS_OFFSETS = "labels.offsets"
    LABELS_BYTES = "labels.bytes"
    GOLDEN_OFFSETS = "golden.offsets"
    GOLDEN_BYTES = "golden.bytes"
    GOLDEN_VALUES = "golden.values"
    GOLDEN_LOGITS = "golden.logits"
    CHANNELS_OFFSETS = "channels.offsets"
    CHANNELS_BYTES = "channels.bytes"
    INPUT_OFFSET = "input.offset"
    INPUT_MULTIPLIER = "input.multiplier"
    INPUT_SHIFT = "input.shift"
    INPUT_POINT = "input.point"
    INPUT_SCALE = "input.scale"
    OUTPUT_OFFSET = "output.offset"
    OUTPUT_MULTIPLIER = "output.multiplier"
    OUTPUT_SHIFT = "output.shift"
    OUTPUT_POINT = "output.point"
    OUTPUT_CHANNEL = "output.channel"
    OUTPUT_LAST = "output.last"
    FORECAST_WINDOW = "forecast.window"
    FOLDED_IDS = "folded.ids"
    FOLDED_SUMS = "folded.sums"
    FOLDED_SUMS_REVERSE = "folded.sums_reverse"
}

/// A tensor of one direction of one layer, by the middle of its name.
pub(super) mod parameter {
    pub(crate) const WEIGHT_IH: &str = ".weight_ih";
    pub(crate) const WEIGHT_HH: &str = ".weight_hh";
    pub(crate) const BIAS: &str = ".bias";
    pub(crate) const MULTIPLIER_IH: &str = ".multiplier_ih";
    pub(crate) const MULTIPLIER_HH: &str = ".multiplier_hh";
    /// In the place of all of these, in the packing `paired16`.
    pub(crate) const UNITS: &str = ".units";
    /// Of cells whose states have no bound of their own.
    pub(crate) const SCALE: &str = ".scale";
    /// Of weights of 4 bits.
    pub(crate) const GROUPS_IH: &str = ".group_multiplier_ih";
    pub(crate) const GROUPS_HH: &str = ".group_multiplier_hh";

    pub(super) const ALL: [&str; 9] =
        [WEIGHT_IH, WEIGHT_HH, BIAS, MULTIPLIER_IH, MULTIPLIER_HH, UNITS, SCALE, GROUPS_IH, GROUPS_HH];
}

impl Tensor {
    /// module: what such cells' tensors begin with.
    #[inline(always)]
    pub(super) fn of_layer(module: &str, parameter: &str, place: Place) -> Self {
        Tensor(place.fingerprint(Fingerprint::of(module).and(parameter)))
    }

    pub(super) fn fingerprint(self) -> Fingerprint {
        self.0
    }

    /// What it is called.
    pub(super) fn name(self) -> Name {
        if let Some(name) = self.fixed_name() {
            return Name::new(name);
        }
        for module in CellKind::ALL.iter().map(|cell| cell.module()) {
            for (parameter, place) in parameter::ALL.into_iter().flat_map(|name| Place::all().map(move |at| (name, at)))
            {
                if self == Tensor::of_layer(module, parameter, place) {
                    let [layer, reverse] = place.suffix();
                    return Name::joined(&[module, parameter, layer, reverse]);
                }
            }
        }
        Name::new("")
    }

    /// What a table of texts is called, of which this is the offsets' tensor.
    pub(super) fn table(self) -> &'static str {
        let name = self.fixed_name().unwrap_or("");
        name.strip_suffix(".offsets").unwrap_or(name)
    }

    /// Whether its weights may have 4 or 16 bits, outside of the packing `rows`.
    pub(super) fn can_be_wide(self) -> bool {
        [Tensor::EMBEDDING_WEIGHT, Tensor::HIDDEN_WEIGHT, Tensor::FC_WEIGHT].contains(&self)
    }

    /// What it is called, where no layer has it.
    fn fixed_name(self) -> Option<&'static str> {
        NAMES.iter().copied().find(|name| Tensor(Fingerprint::of(name)) == self)
    }
}

/// The keys of the shifts: those of the head, then each layer's.
pub(super) mod shift {
    use super::{Fingerprint, Name, Place};
    use tern_format::Cell as CellKind;

    pub(crate) const FC: Fingerprint = Fingerprint::of("tern.shift.fc");
    pub(crate) const HIDDEN: Fingerprint = Fingerprint::of("tern.shift.hidden");
    const START: &str = "tern.shift.";

    pub(crate) fn of_layer(module: &str, place: Place) -> Fingerprint {
        place.fingerprint(Fingerprint::of(START).and(module))
    }

    /// What a key is called.
    pub(crate) fn name(key: Fingerprint) -> Name {
        for module in CellKind::ALL.iter().map(|cell| cell.module()) {
            if let Some(place) = Place::all().find(|&place| of_layer(module, place) == key) {
                let [layer, reverse] = place.suffix();
                return Name::joined(&[START, module, layer, reverse]);
            }
        }
        Name::joined(&[START, if key == HIDDEN { "hidden" } else { "fc" }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::{format, string::String};

    #[test]
    fn no_two_names_have_one_fingerprint() {
        let mut names: BTreeSet<String> = NAMES.iter().map(|&name| name.into()).collect();
        for module in CellKind::ALL.iter().map(|cell| cell.module()) {
            for place in Place::all() {
                let [layer, reverse] = place.suffix();
                names.insert(format!("tern.shift.{module}{layer}{reverse}"));
                names.extend(parameter::ALL.map(|parameter| format!("{module}{parameter}{layer}{reverse}")));
            }
        }
        names.extend(["tern.shift.fc".into(), "tern.shift.hidden".into()]);
        let known: BTreeSet<String> = names.iter().map(|name| format!("{:?}", Fingerprint::of(name))).collect();
        assert_eq!(known.len(), names.len());
        // Names are put together as they are taken apart.
        let name = Tensor::of_layer("gru", parameter::WEIGHT_IH, Place { layer: 0, reverse: false }).name();
        assert_eq!(name.as_str(), "gru.weight_ih_l0");
        assert_eq!(shift::name(shift::of_layer("rnn", Place::FIRST)).as_str(), "tern.shift.rnn_l0");
    }
}
