//! The tensors of the format, identified by the hashes of their names.
//!
//! The loader compares hashes of names; the letters are only needed for errors. The hashes of fixed names are computed
//! at compile time, those of a layer's tensors (`gru.weight_ih_l1_reverse`) from their parts. The `inline` attributes
//! were chosen for the smallest code: with the feature `errors`, the names are also searched for.

use crate::config::LayerDirection;
use crate::error::Name;
use crate::load::name_hash::NameHash;
use tern_format::Cell as CellKind;
use tern_format::names::{REVERSE, key, layer_suffix, parameter, tensor};

impl LayerDirection {
    /// The end of the names of this direction's tensors, in two parts: `_l1`, `_reverse`.
    fn suffix(self) -> [&'static str; 2] {
        [layer_suffix(self.layer), if self.reverse { REVERSE } else { "" }]
    }

    /// The hash of a name that consists of the hashed `name` and this direction's suffix.
    #[cfg_attr(feature = "errors", inline(never))]
    pub(super) fn name_hash(self, name: NameHash) -> NameHash {
        // A build with room for one direction of one layer has only the first layer, forward.
        if LayerDirection::COUNT == 1 {
            return name.and("_l0");
        }
        let [layer, reverse] = self.suffix();
        name.and(layer).and(reverse)
    }
}

/// A tensor of the format, identified by the hash of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tensor(NameHash);

/// Declares the tensors that are not part of a recurrent layer. Each constant has the same name as that in
/// [`tern_format::names::tensor`].
macro_rules! fixed_tensors {
    ($($name:ident)*) => {
        impl Tensor {
            $(#[allow(dead_code)] // Tensors of features that are off are unused.
            pub(super) const $name: Tensor = Tensor(NameHash::of(tensor::$name));)*
        }
    };
}

fixed_tensors! {
    NAME CALIBRATION FC_WEIGHT FC_GROUPS FC_BIAS FC_MULTIPLIER HIDDEN_WEIGHT HIDDEN_GROUPS HIDDEN_BIAS
    HIDDEN_MULTIPLIER HIDDEN_SCALE EMBEDDING_WEIGHT EMBEDDING_GROUPS EMBEDDING_MULTIPLIER EMBEDDING_SCALE
    VOCAB_OFFSETS VOCAB_BYTES VOCAB_SEED VOCAB_BUCKETS VOCAB_FINGERPRINTS LABELS_OFFSETS LABELS_BYTES
    GOLDEN_OFFSETS GOLDEN_BYTES GOLDEN_VALUES GOLDEN_LOGITS CHANNELS_OFFSETS CHANNELS_BYTES INPUT_OFFSET INPUT_MULTIPLIER INPUT_SHIFT INPUT_POINT
    INPUT_SCALE OUTPUT_OFFSET OUTPUT_MULTIPLIER OUTPUT_SHIFT OUTPUT_POINT OUTPUT_CHANNEL OUTPUT_LAST
    FORECAST_WINDOW FOLDED_IDS FOLDED_SUMS FOLDED_SUMS_REVERSE NGRAMS_WEIGHT NGRAMS_SCALE NGRAMS_FINGERPRINT
    REFUSAL
}

impl Tensor {
    /// A tensor of one direction of a layer. `module`: the module name of its cells, `parameter_name`: a constant of
    /// [`parameter`].
    #[cfg_attr(feature = "errors", inline(never))]
    #[cfg_attr(not(feature = "errors"), inline(always))]
    pub(super) fn of_layer(module: &str, parameter_name: &str, direction: LayerDirection) -> Self {
        Tensor(direction.name_hash(NameHash::of(module).and(parameter_name)))
    }

    /// The hash of the name.
    pub(super) fn name_hash(self) -> NameHash {
        self.0
    }

    /// The name of the tensor, found by comparing the hashes of all names of the format; empty if there is none.
    #[cfg_attr(feature = "errors", inline)]
    pub(super) fn name(self) -> Name {
        if let Some(name) = self.fixed_name() {
            return Name::new(name);
        }
        for module in CellKind::ALL.iter().map(|cell| cell.module()) {
            for parameter_name in parameter::DEVICE {
                let is_tensor =
                    |direction: &LayerDirection| self == Tensor::of_layer(module, parameter_name, *direction);
                if let Some(direction) = LayerDirection::all().find(is_tensor) {
                    let [layer, reverse] = direction.suffix();
                    return Name::joined(&[module, parameter_name, layer, reverse]);
                }
            }
        }
        Name::new("")
    }

    /// The name of the text table whose offsets this tensor stores; for any other fixed tensor its own name, and for a
    /// tensor of a layer, which stores no table, an empty text.
    pub(super) fn table(self) -> &'static str {
        let name = self.fixed_name().unwrap_or("");
        name.strip_suffix(".offsets").unwrap_or(name)
    }

    /// Returns true if the tensor's weights may have 4 or 16 bits whatever the packing of the layers is. The weights of
    /// layers may only in the packing `rows`.
    pub(super) fn may_have_other_widths(self) -> bool {
        [Tensor::EMBEDDING_WEIGHT, Tensor::HIDDEN_WEIGHT, Tensor::FC_WEIGHT].contains(&self)
    }

    /// The name of a tensor that is not part of a recurrent layer; none if it is part of one.
    fn fixed_name(self) -> Option<&'static str> {
        tensor::ALL.iter().copied().find(|name| Tensor(NameHash::of(name)) == self)
    }
}

/// The hashes of the metadata keys `tern.shift.…`, whose values are the bits by which sums or states are shifted.
pub(super) mod shift {
    use super::{LayerDirection, Name, NameHash, key};
    use tern_format::Cell as CellKind;

    pub(crate) const FC: NameHash = NameHash::of(key::SHIFT_FC);
    pub(crate) const HIDDEN: NameHash = NameHash::of(key::SHIFT_HIDDEN);
    #[cfg(feature = "ngrams")]
    pub(crate) const NGRAMS: NameHash = NameHash::of(key::SHIFT_NGRAMS);
    #[cfg(feature = "ngrams")]
    pub(crate) const POOLED: NameHash = NameHash::of(key::SHIFT_POOLED);

    /// The hash of the key of one direction of a layer. `module`: the module name of its cells.
    #[cfg_attr(feature = "errors", inline(never))]
    pub(crate) fn of_layer(module: &str, direction: LayerDirection) -> NameHash {
        direction.name_hash(NameHash::of(key::SHIFT).and(module))
    }

    /// The name of the key with this hash: a key `tern.shift.…`, or one of the lengths of n-grams.
    #[cfg_attr(feature = "errors", inline)]
    pub(crate) fn name(hash: NameHash) -> Name {
        for module in CellKind::ALL.iter().map(|cell| cell.module()) {
            if let Some(direction) = LayerDirection::all().find(|&direction| of_layer(module, direction) == hash) {
                let [layer, reverse] = direction.suffix();
                return Name::joined(&[key::SHIFT, module, layer, reverse]);
            }
        }
        const OTHERS: [&str; 6] = [
            key::SHIFT_HIDDEN,
            key::SHIFT_NGRAMS,
            key::SHIFT_POOLED,
            key::NGRAM_WORDS,
            key::NGRAM_MIN_CHARS,
            key::NGRAM_MAX_CHARS,
        ];
        // The only other key is the shift of the last layer.
        Name::new(OTHERS.iter().find(|name| NameHash::of(name) == hash).unwrap_or(&key::SHIFT_FC))
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
            for direction in LayerDirection::all() {
                let [layer, reverse] = direction.suffix();
                names.insert(format!("tern.shift.{module}{layer}{reverse}"));
                names.extend(parameter::DEVICE.map(|parameter| format!("{module}{parameter}{layer}{reverse}")));
            }
        }
        let keys = [key::SHIFT_FC, key::SHIFT_HIDDEN, key::SHIFT_NGRAMS, key::SHIFT_POOLED];
        let lengths = [key::NGRAM_WORDS, key::NGRAM_MIN_CHARS, key::NGRAM_MAX_CHARS];
        names.extend(keys.into_iter().chain(lengths).map(String::from));
        // The hashes have no order of their own, so a set holds their debug texts.
        let hashes: BTreeSet<String> = names.iter().map(|name| format!("{:?}", NameHash::of(name))).collect();
        assert_eq!(hashes.len(), names.len());
        // A name is found from its hash.
        let name = Tensor::of_layer("gru", parameter::WEIGHT_IH, LayerDirection { layer: 0, reverse: false }).name();
        assert_eq!(name.as_str(), "gru.weight_ih_l0");
        assert_eq!(shift::name(shift::of_layer("rnn", LayerDirection::FIRST)).as_str(), "tern.shift.rnn_l0");
    }
}
