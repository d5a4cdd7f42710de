//! Which networks have a place in the device format.

use crate::architecture::{Cell, Pooling};
use crate::float_model::Config;
use tern_runtime::Model;

/// A network that the device format has no place for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}: the device format {} runs one lstm layer, one direction, last state; `tern eval` and `tern predict` run this \
     model from its directory",
    found.join(", "),
    Model::FORMAT
)]
pub struct Unsupported {
    /// The keys of `config.json` that stand in the way, with their values.
    pub found: Vec<String>,
}

/// Checks that the device format has a place for such a network.
///
/// # Errors
///
/// Names every key of `config.json` that stands in the way.
pub fn check(config: &Config) -> Result<(), Unsupported> {
    let mut found = Vec::new();
    let mut refuse = |stands: bool, key: &str, value: &dyn std::fmt::Display| {
        if stands {
            found.push(format!("`{key}` is {value}"));
        }
    };
    refuse(config.cell != Cell::Lstm, "cell", &config.cell.name());
    refuse(config.num_layers != 1, "num_layers", &config.num_layers);
    refuse(config.bidirectional, "bidirectional", &config.bidirectional);
    refuse(config.pooling != Pooling::Last, "pooling", &config.pooling.name());
    if found.is_empty() { Ok(()) } else { Err(Unsupported { found }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float_model::tests::model;

    #[test]
    fn every_obstacle_is_named() {
        let mut config = model().config().clone();
        assert_eq!(check(&config), Ok(()));
        config.cell = Cell::Gru;
        config.num_layers = 2;
        config.bidirectional = true;
        config.pooling = Pooling::MeanMax;
        let message = check(&config).unwrap_err().to_string();
        let expected = "`cell` is gru, `num_layers` is 2, `bidirectional` is true, `pooling` is mean_max: the device format 1 \
                        runs one lstm layer, one direction, last state";
        assert!(message.starts_with(expected), "{message}");
    }
}
