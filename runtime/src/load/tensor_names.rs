//! The tensors of the format, by the hashes of their names.
//!
//! The loader compares hashes of names; the letters are only needed for errors. The hashes of fixed names are computed
//! at compile time, those of a layer's tensors (`gru.weight_ih_l1_reverse`) from their parts.

use crate::config::Place;
use crate::error::Name;
use crate::load::name_hash::NameHash;
use tern_format::Cell as CellKind;
use tern_format::names::{REVERSE, key, layer_suffix, parameter, tensor};

impl Place {
    /// The end of the names of its tensors, in two parts: `_l1`, `_reverse`.
    fn suffix(self) -> [&'static str; 2] {
        [layer_suffix(self.layer), if self.reverse { REVERSE } else { "" }]
    }

    /// The hash of `name` followed by this suffix.
    pub(super) fn name_hash(self, name: NameHash) -> NameHash {
        if Place::COUNT == 1 {
            return name.and("_l0");
        }
        let [layer, reverse] = self.suffix();
        name.and(layer).and(reverse)
    }
}

/// A tensor of the format, by the hash of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tensor(NameHash);

impl Tensor {
    pub(super) const NAME: Tensor = Tensor(NameHash::of(tensor::NAME));
    pub(super) const CALIBRATION: Tensor = Tensor(NameHash::of(tensor::CALIBRATION));
    pub(super) const FC_WEIGHT: Tensor = Tensor(NameHash::of(tensor::FC_WEIGHT));
    pub(super) const FC_GROUPS: Tensor = Tensor(NameHash::of(tensor::FC_GROUPS));
    pub(super) const FC_BIAS: Tensor = Tensor(NameHash::of(tensor::FC_BIAS));
    pub(super) const FC_MULTIPLIER: Tensor = Tensor(NameHash::of(tensor::FC_MULTIPLIER));
    pub(super) const HIDDEN_WEIGHT: Tensor = Tensor(NameHash::of(tensor::HIDDEN_WEIGHT));
    pub(super) const HIDDEN_GROUPS: Tensor = Tensor(NameHash::of(tensor::HIDDEN_GROUPS));
    pub(super) const HIDDEN_BIAS: Tensor = Tensor(NameHash::of(tensor::HIDDEN_BIAS));
    pub(super) const HIDDEN_MULTIPLIER: Tensor = Tensor(NameHash::of(tensor::HIDDEN_MULTIPLIER));
    pub(super) const HIDDEN_SCALE: Tensor = Tensor(NameHash::of(tensor::HIDDEN_SCALE));
    pub(super) const EMBEDDING_WEIGHT: Tensor = Tensor(NameHash::of(tensor::EMBEDDING_WEIGHT));
    pub(super) const EMBEDDING_GROUPS: Tensor = Tensor(NameHash::of(tensor::EMBEDDING_GROUPS));
    pub(super) const EMBEDDING_MULTIPLIER: Tensor = Tensor(NameHash::of(tensor::EMBEDDING_MULTIPLIER));
    pub(super) const EMBEDDING_SCALE: Tensor = Tensor(NameHash::of(tensor::EMBEDDING_SCALE));
    pub(super) const VOCAB_OFFSETS: Tensor = Tensor(NameHash::of(tensor::VOCAB_OFFSETS));
    pub(super) const VOCAB_BYTES: Tensor = Tensor(NameHash::of(tensor::VOCAB_BYTES));
    pub(super) const LABELS_OFFSETS: Tensor = Tensor(NameHash::of(tensor::LABELS_OFFSETS));
    pub(super) const LABELS_BYTES: Tensor = Tensor(NameHash::of(tensor::LABELS_BYTES));
    pub(super) const GOLDEN_OFFSETS: Tensor = Tensor(NameHash::of(tensor::GOLDEN_OFFSETS));
    pub(super) const GOLDEN_BYTES: Tensor = Tensor(NameHash::of(tensor::GOLDEN_BYTES));
    pub(super) const GOLDEN_VALUES: Tensor = Tensor(NameHash::of(tensor::GOLDEN_VALUES));
    pub(super) const GOLDEN_LOGITS: Tensor = Tensor(NameHash::of(tensor::GOLDEN_LOGITS));
    pub(super) const CHANNELS_OFFSETS: Tensor = Tensor(NameHash::of(tensor::CHANNELS_OFFSETS));
    pub(super) const CHANNELS_BYTES: Tensor = Tensor(NameHash::of(tensor::CHANNELS_BYTES));
    pub(super) const INPUT_OFFSET: Tensor = Tensor(NameHash::of(tensor::INPUT_OFFSET));
    pub(super) const INPUT_MULTIPLIER: Tensor = Tensor(NameHash::of(tensor::INPUT_MULTIPLIER));
    pub(super) const INPUT_SHIFT: Tensor = Tensor(NameHash::of(tensor::INPUT_SHIFT));
    pub(super) const INPUT_POINT: Tensor = Tensor(NameHash::of(tensor::INPUT_POINT));
    pub(super) const INPUT_SCALE: Tensor = Tensor(NameHash::of(tensor::INPUT_SCALE));
    pub(super) const OUTPUT_OFFSET: Tensor = Tensor(NameHash::of(tensor::OUTPUT_OFFSET));
    pub(super) const OUTPUT_MULTIPLIER: Tensor = Tensor(NameHash::of(tensor::OUTPUT_MULTIPLIER));
    pub(super) const OUTPUT_SHIFT: Tensor = Tensor(NameHash::of(tensor::OUTPUT_SHIFT));
    pub(super) const OUTPUT_POINT: Tensor = Tensor(NameHash::of(tensor::OUTPUT_POINT));
    pub(super) const OUTPUT_CHANNEL: Tensor = Tensor(NameHash::of(tensor::OUTPUT_CHANNEL));
    pub(super) const OUTPUT_LAST: Tensor = Tensor(NameHash::of(tensor::OUTPUT_LAST));
    pub(super) const FORECAST_WINDOW: Tensor = Tensor(NameHash::of(tensor::FORECAST_WINDOW));
    pub(super) const FOLDED_IDS: Tensor = Tensor(NameHash::of(tensor::FOLDED_IDS));
    pub(super) const FOLDED_SUMS: Tensor = Tensor(NameHash::of(tensor::FOLDED_SUMS));
    pub(super) const FOLDED_SUMS_REVERSE: Tensor = Tensor(NameHash::of(tensor::FOLDED_SUMS_REVERSE));
}

impl Tensor {
    /// A tensor of one direction of a layer. `module`: the module name of its cells.
    #[inline(always)]
    pub(super) fn of_layer(module: &str, parameter: &str, place: Place) -> Self {
        Tensor(place.name_hash(NameHash::of(module).and(parameter)))
    }

    pub(super) fn name_hash(self) -> NameHash {
        self.0
    }

    /// The name of the tensor.
    pub(super) fn name(self) -> Name {
        if let Some(name) = self.fixed_name() {
            return Name::new(name);
        }
        for module in CellKind::ALL.iter().map(|cell| cell.module()) {
            for (parameter, place) in
                parameter::DEVICE.into_iter().flat_map(|name| Place::all().map(move |at| (name, at)))
            {
                if self == Tensor::of_layer(module, parameter, place) {
                    let [layer, reverse] = place.suffix();
                    return Name::joined(&[module, parameter, layer, reverse]);
                }
            }
        }
        Name::new("")
    }

    /// The name of the text table whose offsets this tensor holds.
    pub(super) fn table(self) -> &'static str {
        let name = self.fixed_name().unwrap_or("");
        name.strip_suffix(".offsets").unwrap_or(name)
    }

    /// Returns true if its weights may have 4 or 16 bits in any packing.
    pub(super) fn can_be_wide(self) -> bool {
        [Tensor::EMBEDDING_WEIGHT, Tensor::HIDDEN_WEIGHT, Tensor::FC_WEIGHT].contains(&self)
    }

    /// The name of a tensor that is not part of a recurrent layer.
    fn fixed_name(self) -> Option<&'static str> {
        tensor::ALL.iter().copied().find(|name| Tensor(NameHash::of(name)) == self)
    }
}

/// The metadata keys of the shifts.
pub(super) mod shift {
    use super::{Name, NameHash, Place, key};
    use tern_format::Cell as CellKind;

    pub(crate) const FC: NameHash = NameHash::of(key::SHIFT_FC);
    pub(crate) const HIDDEN: NameHash = NameHash::of(key::SHIFT_HIDDEN);

    pub(crate) fn of_layer(module: &str, place: Place) -> NameHash {
        place.name_hash(NameHash::of(key::SHIFT).and(module))
    }

    /// The name of a key.
    pub(crate) fn name(key: NameHash) -> Name {
        for module in CellKind::ALL.iter().map(|cell| cell.module()) {
            if let Some(place) = Place::all().find(|&place| of_layer(module, place) == key) {
                let [layer, reverse] = place.suffix();
                return Name::joined(&[key::SHIFT, module, layer, reverse]);
            }
        }
        Name::joined(&[key::SHIFT, if key == HIDDEN { "hidden" } else { "fc" }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::{format, string::String};

    #[test]
    fn no_two_names_have_the_same_hash() {
        let mut names: BTreeSet<String> = tensor::ALL.iter().map(|&name| name.into()).collect();
        for module in CellKind::ALL.iter().map(|cell| cell.module()) {
            for place in Place::all() {
                let [layer, reverse] = place.suffix();
                names.insert(format!("tern.shift.{module}{layer}{reverse}"));
                names.extend(parameter::DEVICE.map(|parameter| format!("{module}{parameter}{layer}{reverse}")));
            }
        }
        names.extend(["tern.shift.fc".into(), "tern.shift.hidden".into()]);
        let known: BTreeSet<String> = names.iter().map(|name| format!("{:?}", NameHash::of(name))).collect();
        assert_eq!(known.len(), names.len());
        // Names are put together as they are taken apart.
        let name = Tensor::of_layer("gru", parameter::WEIGHT_IH, Place { layer: 0, reverse: false }).name();
        assert_eq!(name.as_str(), "gru.weight_ih_l0");
        assert_eq!(shift::name(shift::of_layer("rnn", Place::FIRST)).as_str(), "tern.shift.rnn_l0");
    }
}
