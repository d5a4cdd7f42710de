//! The choice of the packing: the order of the recurrent weights in a device file.

use crate::architecture::Cell;
use crate::float_model::Config;
use crate::quantize::Bits;
use safetensors::SafeTensors;
use tern_runtime::Packing;
use tern_runtime::write::{Dtype, Tensor, to_bytes};

/// The values of `tern export --packing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    /// Fast on Cortex-M4 and M7; other cores run it more slowly
    #[value(name = "paired16")]
    Paired16,
    /// For any core and any size
    #[value(name = "interleaved4")]
    Interleaved4,
}

impl Choice {
    fn packing(self) -> Packing {
        match self {
            Choice::Paired16 => Packing::Paired16,
            Choice::Interleaved4 => Packing::Interleaved4,
        }
    }
}

/// Why a packing does not fit a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackingError {
    /// The packing does not support the model's layers or sizes.
    #[error(
        "packing `{}` is for one LSTM layer of one direction whose input size and hidden size are multiples of {}; use --packing \
         interleaved4",
        packing.name(),
        packing.columns()
    )]
    Sizes {
        /// The packing.
        packing: Packing,
    },
    /// The packing does not support the width of the weights.
    #[error("packing `{}` is for weights of 8 bits; with --recurrent-bits {bits} leave --packing out", packing.name())]
    Bits {
        /// The packing.
        packing: Packing,
        /// Bits of the recurrent weights.
        bits: u32,
    },
}

/// Chooses the packing of a model: `requested`, else `paired16` if it fits, else `interleaved4`. A Cortex-M4 runs
/// `paired16` in less than half of the instructions of `interleaved4`; other cores need up to twice as many.
///
/// # Errors
///
/// [`PackingError`] if the requested packing does not fit the model.
pub fn choose(requested: Option<Choice>, config: &Config, recurrent: Bits) -> Result<Packing, PackingError> {
    if recurrent != Bits::Eight {
        return match requested {
            None => Ok(Packing::Rows),
            Some(choice) => Err(PackingError::Bits { packing: choice.packing(), bits: recurrent.count() }),
        };
    }
    let packing = Packing::Paired16;
    let sizes = [config.architecture().input.width(), config.hidden_size];
    let one_lstm = config.cell == Cell::Lstm && config.num_layers == 1 && !config.bidirectional;
    let fits = one_lstm && sizes.iter().all(|size| size.is_multiple_of(packing.columns()));
    match requested {
        Some(Choice::Interleaved4) => Ok(Packing::Interleaved4),
        Some(Choice::Paired16) if !fits => Err(PackingError::Sizes { packing }),
        None if !fits => Ok(Packing::Interleaved4),
        _ => Ok(packing),
    }
}

/// Adds tensors to a device file.
///
/// # Panics
///
/// Panics if `bytes` is not a device file.
pub fn with_tensors(bytes: &[u8], more: Vec<Tensor>) -> Vec<u8> {
    let (metadata, tensors) = read(bytes);
    to_bytes(&metadata, [tensors, more].concat())
}

/// Reads the metadata, sorted by key, and the tensors.
fn read(bytes: &[u8]) -> (Vec<(String, String)>, Vec<Tensor>) {
    let (_, header) = SafeTensors::read_metadata(bytes).expect("a device file is a safetensors file");
    let mut metadata: Vec<(String, String)> =
        header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    metadata.sort_unstable();
    let tensors = SafeTensors::deserialize(bytes).expect("a device file is a safetensors file");
    let tensors = tensors.iter().map(|(name, tensor)| Tensor {
        name: name.to_owned(),
        dtype: Dtype::from_name(&tensor.dtype().to_string()).expect("a device file has types of its format"),
        shape: tensor.shape().to_vec(),
        data: tensor.data().to_vec(),
    });
    (metadata, tensors.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float_model::tests::model;

    #[test]
    fn default_packing_depends_on_layers_and_sizes() {
        let with = |change: fn(&mut Config)| {
            let mut config = model().config().clone();
            (config.embedding_dim, config.hidden_size) = (20, 64);
            change(&mut config);
            config
        };
        let good = with(|_| ());
        for (requested, expected) in [(None, Packing::Paired16), (Some(Choice::Interleaved4), Packing::Interleaved4)] {
            assert_eq!(choose(requested, &good, Bits::Eight), Ok(expected));
        }
        let others: [fn(&mut Config); 5] = [
            |config| config.cell = Cell::Gru,
            |config| config.num_layers = 2,
            |config| config.bidirectional = true,
            |config| config.embedding_dim = 21,
            |config| config.hidden_size = 50,
        ];
        assert_eq!(choose(None, &good, Bits::Four), Ok(Packing::Rows));
        let error = choose(Some(Choice::Paired16), &good, Bits::Four).unwrap_err().to_string();
        assert!(error.starts_with("packing `paired16` is for weights of 8 bits; with --recurrent-bits 4"), "{error}");
        for config in others.map(with) {
            assert_eq!(choose(None, &config, Bits::Eight), Ok(Packing::Interleaved4));
            let error = choose(Some(Choice::Paired16), &config, Bits::Eight).unwrap_err().to_string();
            assert!(
                error.starts_with("packing `paired16` is for one LSTM") && error.contains("multiples of 4;"),
                "{error}"
            );
        }
    }
}
