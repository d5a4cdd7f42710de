//! The choice of the packing: the order in which a device file, the quantised model, stores the recurrent weights.

use crate::float_model::Config;
use crate::recipe::Bits;
use anyhow::bail;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use tern_format::Packing;

/// Returns the parser of the option `--packing` of `tern export`.
pub fn value_parser() -> impl TypedValueParser<Value = Packing> {
    let value = |packing: Packing, help: &'static str| PossibleValue::new(packing.name()).help(help);
    PossibleValuesParser::new([
        value(Packing::Paired16, "Fast on Cortex-M4, M7 and M33; other cores run it more slowly"),
        value(
            Packing::Interleaved4,
            "For any core and any size; for GRU it is interleaved3, for plain cells interleaved1",
        )
        .aliases([Packing::Interleaved3.name(), Packing::Interleaved1.name()]),
    ])
    .map(|name| Packing::from_name(&name).expect("each possible value is the name of a packing"))
}

/// Chooses the packing of a model whose recurrent weights have `recurrent` bits. With 8 bits it is the requested
/// packing; without a request it is `paired16` if that supports the model's layers and sizes, and otherwise the plain
/// packing of the cell. A request for any plain packing gives that of the model's cell. Weights of 4 and 16 bits always
/// have the packing `rows`.
///
/// A Cortex-M4 runs `paired16` in about half of the instructions of a plain packing; cores without DSP instructions
/// need up to twice as many as for a plain packing. Fails if a packing is requested and the recurrent weights do not
/// have 8 bits, or if `paired16` is requested and does not support the model's layers or sizes.
pub fn choose(requested: Option<Packing>, config: &Config, recurrent: Bits) -> anyhow::Result<Packing> {
    if recurrent != Bits::Eight {
        let Some(packing) = requested else { return Ok(Packing::Rows) };
        let bits = recurrent.count();
        bail!("packing `{packing}` is for weights of 8 bits; with --recurrent-bits {bits} leave --packing out");
    }
    let multiple = Packing::Paired16.size_multiple();
    let one_layer = config.num_layers == 1 && !config.bidirectional;
    let plain = Packing::plain(config.cell);
    let sizes = [config.architecture().input.width(), config.hidden_size];
    let paired16_fits = one_layer && sizes.iter().all(|size| size.is_multiple_of(multiple));
    match requested {
        Some(Packing::Paired16) if !paired16_fits => bail!(
            "packing `paired16` is for one layer of one direction whose input size and hidden size are multiples of \
             {multiple}; use --packing {plain}"
        ),
        Some(Packing::Paired16) => Ok(Packing::Paired16),
        Some(_) => Ok(plain),
        None => Ok(if paired16_fits { Packing::Paired16 } else { plain }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Cell;
    use crate::float_model::tests::model;

    #[test]
    fn default_packing_depends_on_layers_and_sizes() {
        let with = |change: fn(&mut Config)| {
            let mut config = model().config().clone();
            (config.embedding_dim, config.hidden_size) = (20, 64);
            change(&mut config);
            config
        };
        let fitting = with(|_| ());
        assert_eq!(choose(None, &fitting, Bits::Eight).unwrap(), Packing::Paired16);
        assert_eq!(choose(Some(Packing::Interleaved4), &fitting, Bits::Eight).unwrap(), Packing::Interleaved4);
        assert_eq!(choose(None, &fitting, Bits::Four).unwrap(), Packing::Rows);
        let gru = with(|config| config.cell = Cell::Gru);
        assert_eq!(choose(None, &gru, Bits::Eight).unwrap(), Packing::Paired16);
        assert_eq!(choose(Some(Packing::Interleaved4), &gru, Bits::Eight).unwrap(), Packing::Interleaved3);
        let error = choose(Some(Packing::Paired16), &fitting, Bits::Four).unwrap_err().to_string();
        assert!(error.starts_with("packing `paired16` is for weights of 8 bits; with --recurrent-bits 4"), "{error}");

        let changes: [fn(&mut Config); 4] = [
            |config| config.num_layers = 2,
            |config| config.bidirectional = true,
            |config| config.embedding_dim = 21,
            |config| config.hidden_size = 50,
        ];
        for config in changes.map(with) {
            assert_eq!(choose(None, &config, Bits::Eight).unwrap(), Packing::Interleaved4);
            let error = choose(Some(Packing::Paired16), &config, Bits::Eight).unwrap_err().to_string();
            assert!(error.starts_with("packing `paired16` is for one layer"), "{error}");
            assert!(error.contains("multiples of 4;"), "{error}");
        }
    }
}
