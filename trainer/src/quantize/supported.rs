//! Which networks have a place in the device format.

use crate::float_model::Config;
use crate::task::{Input, Task};
use tern_runtime::Model;

/// A network that the device format has no place for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}: this version exports classifiers of text to the device format {}; `tern eval` and `tern predict` run this model \
     from its directory",
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
        config.task = Task::Forecast;
        config.input = Input::Values;
        let message = check(&config).unwrap_err().to_string();
        let expected = "`task` is forecast, `input` is values: this version exports classifiers of text";
        assert!(message.starts_with(expected), "{message}");
    }
}
