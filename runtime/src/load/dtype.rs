//! The element types of tensors.

use super::name_hash::NameHash;

/// An element type of safetensors; device files use these six.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// Bytes of texts.
    U8,
    /// Weights.
    I8,
    /// Multipliers.
    I16,
    /// Offsets and ids.
    U32,
    /// Biases and logits.
    I32,
    /// Scales, for hosts.
    F32,
}

impl Dtype {
    /// The size of an element in bytes.
    pub const fn size(self) -> usize {
        match self {
            Dtype::U8 | Dtype::I8 => 1,
            Dtype::I16 => 2,
            Dtype::U32 | Dtype::I32 | Dtype::F32 => 4,
        }
    }

    /// The name that safetensors uses.
    pub const fn name(self) -> &'static str {
        match self {
            Dtype::U8 => "U8",
            Dtype::I8 => "I8",
            Dtype::I16 => "I16",
            Dtype::U32 => "U32",
            Dtype::I32 => "I32",
            Dtype::F32 => "F32",
        }
    }

    /// The type with this name; none if device files do not use it.
    #[cfg(any(test, feature = "write"))]
    pub fn from_name(name: &str) -> Option<Self> {
        Dtype::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    #[cfg(any(test, feature = "write"))]
    const ALL: [Dtype; 6] = [Dtype::U8, Dtype::I8, Dtype::I16, Dtype::U32, Dtype::I32, Dtype::F32];

    /// The hash of its name.
    pub(crate) const fn name_hash(self) -> NameHash {
        match self {
            Dtype::U8 => const { NameHash::of("U8") },
            Dtype::I8 => const { NameHash::of("I8") },
            Dtype::I16 => const { NameHash::of("I16") },
            Dtype::U32 => const { NameHash::of("U32") },
            Dtype::I32 => const { NameHash::of("I32") },
            Dtype::F32 => const { NameHash::of("F32") },
        }
    }
}
