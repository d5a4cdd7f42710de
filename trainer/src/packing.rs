//! How a device file's recurrent weights lie: chosen at export, for whose instructions.

use crate::architecture::Cell;
use crate::float_model::Config;
use crate::quantize::Bits;
use safetensors::SafeTensors;
use tern_runtime::Packing;
use tern_runtime::write::{Dtype, Tensor, to_bytes};

/// What `tern export --packing` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    /// For Cortex-M4 and M7; other cores run it more slowly
    #[value(name = "paired16")]
    Paired16,
    /// For cores without DSP instructions, and for any size
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

/// A model that a packing has no place for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// It is for other sizes.
    #[error(
        "packing `{}` is for one LSTM layer of one direction, what it reads and its hidden size multiples of {}; export it with --packing \
         interleaved4",
        packing.name(),
        packing.columns()
    )]
    Sizes {
        /// The packing.
        packing: Packing,
    },
    /// It is for weights of 8 bits.
    #[error("packing `{}` is for weights of 8 bits; with --recurrent-bits {bits} leave --packing out", packing.name())]
    Bits {
        /// The packing.
        packing: Packing,
        /// Bits of the recurrent weights.
        bits: u32,
    },
}

/// The packing to export a model in: the one asked for. Where none is, that for Cortex-M4, which runs it in less than half of the
/// instructions, while other cores need up to twice as many; `interleaved4` where the model does not allow it.
///
/// # Errors
///
/// [`NoPlace`] if what is asked for does not fit the model.
pub fn choose(asked: Option<Choice>, config: &Config, recurrent: Bits) -> Result<Packing, NoPlace> {
    if recurrent != Bits::Eight {
        return match asked {
            None => Ok(Packing::Rows),
            Some(choice) => Err(NoPlace::Bits { packing: choice.packing(), bits: recurrent.count() }),
        };
    }
    let packing = Packing::Paired16;
    let sizes = [config.architecture().input.width(), config.hidden_size];
    let one_lstm = config.cell == Cell::Lstm && config.num_layers == 1 && !config.bidirectional;
    let fits = one_lstm && sizes.iter().all(|size| size.is_multiple_of(packing.columns()));
    match asked {
        Some(Choice::Interleaved4) => Ok(Packing::Interleaved4),
        Some(Choice::Paired16) if !fits => Err(NoPlace::Sizes { packing }),
        None if !fits => Ok(Packing::Interleaved4),
        _ => Ok(packing),
    }
}

/// A device file with further tensors.
///
/// # Panics
///
/// If `bytes` is no such file.
pub fn with(bytes: &[u8], more: Vec<Tensor>) -> Vec<u8> {
    let (metadata, tensors) = read(bytes);
    to_bytes(&metadata, [tensors, more].concat())
}

/// Metadata in the order of the keys, and tensors.
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
    fn the_packing_fits_the_model() {
        let with = |change: fn(&mut Config)| {
            let mut config = model().config().clone();
            (config.embedding_dim, config.hidden_size) = (20, 64);
            change(&mut config);
            config
        };
        let good = with(|_| ());
        for (asked, expected) in [(None, Packing::Paired16), (Some(Choice::Interleaved4), Packing::Interleaved4)] {
            assert_eq!(choose(asked, &good, Bits::Eight), Ok(expected));
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
