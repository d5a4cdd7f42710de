//! Which networks have a place in the device format.

use crate::architecture::{Cell, Pooling};
use crate::float_model::Config;
use crate::task::{Input, Output, Task};
use tern_runtime::Model;

/// A network that the device format has no place for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}: the device format {} runs classifiers of text with one lstm layer, one direction, last state, linear head, softmax; `tern eval` and `tern predict` run this \
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
    refuse(config.task != Task::Classify, "task", &config.task.name());
    refuse(config.input != Input::Tokens, "input", &config.input.name());
    refuse(config.cell != Cell::Lstm, "cell", &config.cell.name());
    refuse(config.num_layers != 1, "num_layers", &config.num_layers);
    refuse(config.bidirectional, "bidirectional", &config.bidirectional);
    refuse(config.pooling != Pooling::Last, "pooling", &config.pooling.name());
    refuse(config.head_hidden > 0, "head_hidden", &config.head_hidden);
    refuse(config.task == Task::Classify && config.output != Output::Softmax, "output", &config.output.name());
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
        config.head_hidden = 8;
        config.output = Output::Sigmoid;
        let message = check(&config).unwrap_err().to_string();
        let expected = "`cell` is gru, `num_layers` is 2, `bidirectional` is true, `pooling` is mean_max, `head_hidden` is 8, \
                        `output` is sigmoid: the device format 1 runs classifiers of text with one lstm layer";
        assert!(message.starts_with(expected), "{message}");
    }
}
