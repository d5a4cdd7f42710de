//! The element types of tensors.

use super::name_hash::NameHash;

/// Declares the element types: `VARIANT = size in bytes`, with the feature that reads it if not every build does. The
/// name in safetensors is that of the variant.
macro_rules! dtypes {
    ($($(#[doc = $doc:literal])* $(#[cfg($feature:meta)])? $dtype:ident = $size:literal,)*) => {
        /// An element type of a tensor: the types of safetensors that device files use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Dtype {
            $($(#[doc = $doc])* $(#[cfg($feature)])? $dtype,)*
        }

        impl Dtype {
            #[cfg(any(test, feature = "write"))]
            const ALL: &[Dtype] = &[$($(#[cfg($feature)])? Dtype::$dtype),*];

            /// The size of an element in bytes.
            pub const fn size(self) -> usize {
                match self {
                    $($(#[cfg($feature)])? Dtype::$dtype => $size,)*
                }
            }

            /// The name that safetensors uses.
            pub const fn name(self) -> &'static str {
                match self {
                    $($(#[cfg($feature)])? Dtype::$dtype => stringify!($dtype),)*
                }
            }

            /// The hash of the name.
            pub(crate) const fn name_hash(self) -> NameHash {
                match self {
                    $($(#[cfg($feature)])? Dtype::$dtype => const { NameHash::of(stringify!($dtype)) },)*
                }
            }
        }
    };
}

dtypes! {
    /// Bytes of texts, pairs of 4-bit weights, group multipliers, and fingerprints of n-grams.
    U8 = 1,
    /// 8-bit weights.
    I8 = 1,
    /// Row multipliers and 16-bit weights.
    I16 = 2,
    /// Fingerprints of tokens.
    #[cfg(feature = "token_fingerprints")]
    U16 = 2,
    /// Offsets and ids.
    U32 = 4,
    /// Biases, logits, records of the packing `paired16`, and all other integers.
    I32 = 4,
    /// Scales, for hosts.
    F32 = 4,
}

impl Dtype {
    /// The type with this name; none if device files do not use it.
    #[cfg(any(test, feature = "write"))]
    pub fn from_name(name: &str) -> Option<Self> {
        Dtype::ALL.iter().copied().find(|dtype| dtype.name() == name)
    }
}
