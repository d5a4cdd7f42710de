//! [`Config`], the choices of one model, and [`Conflict`], the reason why some cannot be combined.

use crate::choices::choices;
use crate::{Cell, Input, Merge, Output, Packing, Pooling, Task};

/// The choices of one model, without its sizes. The default is a float classifier of tokens with LSTM cells in one
/// direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The task.
    pub task: Task,
    /// The input of each time step.
    pub input: Input,
    /// The meaning of the outputs.
    pub output: Output,
    /// The kind of recurrent cell.
    pub cell: Cell,
    /// True if each layer also reads the sequence in reverse.
    pub bidirectional: bool,
    /// The combination of the two directions of the last layer; must be `Concat` if `bidirectional` is false.
    pub merge: Merge,
    /// The reduction of the hidden states over time before the head.
    pub pooling: Pooling,
    /// The memory layout of the recurrent weights; none for a float model.
    pub packing: Option<Packing>,
}

choices! {
    /// A field of [`Config`] that can be in conflict with other fields.
    Field {
        /// [`Config::input`]
        Input = "input",
        /// [`Config::output`]
        Output = "output",
        /// [`Config::bidirectional`]
        Bidirectional = "bidirectional",
        /// [`Config::merge`]
        Merge = "merge",
        /// [`Config::pooling`]
        Pooling = "pooling",
        /// [`Config::packing`]
        Packing = "packing",
    }
}

/// The reason why choices cannot be combined. `Display` writes it as a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The field that must change.
    pub field: Field,
    /// The allowed values, and the condition under which only these are allowed: "linear for the task forecast".
    pub expected: &'static str,
}

impl Conflict {
    const LANGUAGE_MODEL_INPUT: Self = Self::new(Field::Input, "tokens for the task language-model");
    const FORECAST_INPUT: Self = Self::new(Field::Input, "values for the task forecast");
    const CLASSIFIER_OUTPUT: Self = Self::new(Field::Output, "softmax or sigmoid for the task classify");
    const LANGUAGE_MODEL_OUTPUT: Self = Self::new(Field::Output, "softmax for the task language-model");
    const FORECAST_OUTPUT: Self = Self::new(Field::Output, "linear for the task forecast");
    const SIGMOID_LABELS: Self = Self::new(Field::Output, "softmax unless there are two labels");
    const LANGUAGE_MODEL_DIRECTIONS: Self = Self::new(
        Field::Bidirectional,
        "one direction for the task language-model, since in reverse it would read the tokens that it predicts",
    );
    const LANGUAGE_MODEL_POOLING: Self =
        Self::new(Field::Pooling, "last for the task language-model, since each state predicts a token");
    const MERGE_OF_ONE_DIRECTION: Self =
        Self::new(Field::Merge, "concat where bidirectional is false, since there is nothing to merge");

    const fn new(field: Field, expected: &'static str) -> Self {
        Conflict { field, expected }
    }

    /// The conflict of a packing that does not fit `cell`.
    const fn packing_for(cell: Cell) -> Self {
        let expected = match cell {
            Cell::Lstm => "interleaved4, paired16 or rows for LSTM cells",
            Cell::Gru => "interleaved3, paired16 or rows for GRU cells",
            Cell::Rnn | Cell::RnnRelu => "interleaved1, paired16 or rows for plain cells",
        };
        Self::new(Field::Packing, expected)
    }
}

impl core::fmt::Display for Conflict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "`{}` must be {}", self.field, self.expected)
    }
}

impl core::error::Error for Conflict {}

impl Config {
    /// Checks that the choices can be combined.
    ///
    /// # Errors
    /// The first [`Conflict`] that is found: of the packing, of `merge`, then of the task.
    #[inline(always)]
    pub const fn check(&self) -> Result<(), Conflict> {
        if let Some(packing) = self.packing
            && !packing.fits(self.cell)
        {
            return Err(Conflict::packing_for(self.cell));
        }
        if !self.bidirectional && !matches!(self.merge, Merge::Concat) {
            return Err(Conflict::MERGE_OF_ONE_DIRECTION);
        }
        match (self.task, self.input, self.output) {
            (Task::LanguageModel, Input::Values, _) => Err(Conflict::LANGUAGE_MODEL_INPUT),
            (Task::Forecast, Input::Tokens, _) => Err(Conflict::FORECAST_INPUT),
            (Task::Classify, _, Output::Linear) => Err(Conflict::CLASSIFIER_OUTPUT),
            (Task::LanguageModel, _, Output::Sigmoid | Output::Linear) => Err(Conflict::LANGUAGE_MODEL_OUTPUT),
            (Task::Forecast, _, Output::Softmax | Output::Sigmoid) => Err(Conflict::FORECAST_OUTPUT),
            (Task::LanguageModel, ..) if self.bidirectional => Err(Conflict::LANGUAGE_MODEL_DIRECTIONS),
            (Task::LanguageModel, ..) if !matches!(self.pooling, Pooling::Last) => {
                Err(Conflict::LANGUAGE_MODEL_POOLING)
            }
            _ => Ok(()),
        }
    }

    /// The number of outputs of the last layer of a classifier with `labels` labels: one for each label, or a single
    /// one for a sigmoid.
    ///
    /// # Errors
    /// A [`Conflict`] of the field `output` if the output is a sigmoid and `labels` is not 2.
    pub const fn outputs(&self, labels: usize) -> Result<usize, Conflict> {
        match (self.output, labels) {
            (Output::Sigmoid, 2) => Ok(1),
            (Output::Sigmoid, _) => Err(Conflict::SIGMOID_LABELS),
            _ => Ok(labels),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conflict after a change to the default configuration, a classifier of tokens.
    fn conflict(change: impl Fn(&mut Config)) -> Option<Conflict> {
        let mut config = Config::default();
        change(&mut config);
        config.check().err()
    }

    #[test]
    fn each_task_has_its_inputs_and_outputs() {
        let checked =
            |task, input, output| conflict(|config| (config.task, config.input, config.output) = (task, input, output));
        use {Input::*, Output::*, Task::*};
        for (task, input, output, expected) in [
            (Classify, Tokens, Softmax, None),
            (Classify, Values, Sigmoid, None),
            (Classify, Tokens, Linear, Some(Conflict::CLASSIFIER_OUTPUT)),
            (LanguageModel, Tokens, Softmax, None),
            (LanguageModel, Values, Softmax, Some(Conflict::LANGUAGE_MODEL_INPUT)),
            (LanguageModel, Tokens, Sigmoid, Some(Conflict::LANGUAGE_MODEL_OUTPUT)),
            (Forecast, Values, Linear, None),
            (Forecast, Tokens, Linear, Some(Conflict::FORECAST_INPUT)),
            (Forecast, Values, Softmax, Some(Conflict::FORECAST_OUTPUT)),
        ] {
            assert_eq!(checked(task, input, output), expected, "{task} {input} {output}");
        }
    }

    #[test]
    fn a_language_model_reads_forwards_and_predicts_at_each_step() {
        let model = |change: fn(&mut Config)| {
            conflict(|config| {
                config.task = Task::LanguageModel;
                change(config);
            })
        };
        assert_eq!(model(|_| ()), None);
        assert_eq!(model(|config| config.bidirectional = true), Some(Conflict::LANGUAGE_MODEL_DIRECTIONS));
        assert_eq!(model(|config| config.pooling = Pooling::Mean), Some(Conflict::LANGUAGE_MODEL_POOLING));
    }

    #[test]
    fn merging_needs_two_directions_and_a_packing_its_cell() {
        assert_eq!(conflict(|config| config.merge = Merge::Sum), Some(Conflict::MERGE_OF_ONE_DIRECTION));
        assert_eq!(conflict(|config| (config.merge, config.bidirectional) = (Merge::Sum, true)), None);
        let error = conflict(|config| config.packing = Some(Packing::Interleaved3)).unwrap();
        assert_eq!(std::format!("{error}"), "`packing` must be interleaved4, paired16 or rows for LSTM cells");
    }

    #[test]
    fn a_sigmoid_is_one_output_for_two_labels() {
        let sigmoid = Config { output: Output::Sigmoid, ..Config::default() };
        assert_eq!((sigmoid.outputs(2), sigmoid.outputs(3)), (Ok(1), Err(Conflict::SIGMOID_LABELS)));
        assert_eq!(Config::default().outputs(3), Ok(3));
    }
}
