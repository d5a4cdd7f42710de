//! The choices of one model, and which of them can be combined.

use crate::{Cell, Input, Merge, Output, Packing, Pooling, Task};

/// The choices of one model, without its sizes.
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
    /// The combination of the two directions. Must be `Concat` for one direction.
    pub merge: Merge,
    /// The reduction over time before the head.
    pub pooling: Pooling,
    /// The layout of recurrent weights, if the model is a device file.
    pub packing: Option<Packing>,
}

/// A field of [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// [`Config::input`]
    Input,
    /// [`Config::output`]
    Output,
    /// [`Config::bidirectional`]
    Bidirectional,
    /// [`Config::merge`]
    Merge,
    /// [`Config::pooling`]
    Pooling,
    /// [`Config::packing`]
    Packing,
}

impl Field {
    /// The field's name in recipes and in `config.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Field::Input => "input",
            Field::Output => "output",
            Field::Bidirectional => "bidirectional",
            Field::Merge => "merge",
            Field::Pooling => "pooling",
            Field::Packing => "packing",
        }
    }
}

/// The reason why choices cannot be combined. `Display` writes it as a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A language model must read tokens.
    LanguageModelInput,
    /// A forecast must read values.
    ForecastInput,
    /// A classifier's output is softmax or sigmoid.
    ClassifierOutput,
    /// A language model's output is softmax.
    LanguageModelOutput,
    /// A forecast's output is linear.
    ForecastOutput,
    /// A language model reads forwards only: in reverse it would read the tokens that it must predict.
    LanguageModelDirections,
    /// A language model uses the hidden state of each step.
    LanguageModelPooling,
    /// One direction has nothing to merge.
    MergeOfOneDirection,
    /// The packing is for other cells than these.
    PackingOfCell(Cell),
    /// A sigmoid is for two labels.
    SigmoidLabels,
}

impl Conflict {
    /// The field that must change.
    pub const fn field(self) -> Field {
        match self {
            Conflict::LanguageModelInput | Conflict::ForecastInput => Field::Input,
            Conflict::ClassifierOutput
            | Conflict::LanguageModelOutput
            | Conflict::ForecastOutput
            | Conflict::SigmoidLabels => Field::Output,
            Conflict::LanguageModelDirections => Field::Bidirectional,
            Conflict::LanguageModelPooling => Field::Pooling,
            Conflict::MergeOfOneDirection => Field::Merge,
            Conflict::PackingOfCell(_) => Field::Packing,
        }
    }

    /// The values that are allowed, and where.
    pub const fn expected(self) -> &'static str {
        match self {
            Conflict::LanguageModelInput => "tokens for the task language-model",
            Conflict::ForecastInput => "values for the task forecast",
            Conflict::ClassifierOutput => "softmax or sigmoid for the task classify",
            Conflict::LanguageModelOutput => "softmax for the task language-model",
            Conflict::ForecastOutput => "linear for the task forecast",
            Conflict::LanguageModelDirections => {
                "one direction for the task language-model, since in reverse it would read the tokens that it predicts"
            }
            Conflict::LanguageModelPooling => "last for the task language-model, since each state predicts a token",
            Conflict::MergeOfOneDirection => "concat where bidirectional is false, since there is nothing to merge",
            Conflict::PackingOfCell(Cell::Lstm) => "interleaved4, paired16 or rows for LSTM cells",
            Conflict::PackingOfCell(Cell::Gru) => "interleaved3 or rows for GRU cells",
            Conflict::PackingOfCell(_) => "interleaved1 or rows for plain cells",
            Conflict::SigmoidLabels => "softmax unless there are two labels",
        }
    }
}

impl core::fmt::Display for Conflict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "`{}` must be {}", self.field().name(), self.expected())
    }
}

impl core::error::Error for Conflict {}

impl Config {
    /// Checks that the choices can be combined.
    ///
    /// # Errors
    /// The first [`Conflict`].
    #[inline(always)]
    pub const fn check(&self) -> Result<(), Conflict> {
        if let Some(packing) = self.packing
            && !packing.fits(self.cell)
        {
            return Err(Conflict::PackingOfCell(self.cell));
        }
        if !self.bidirectional && !matches!(self.merge, Merge::Concat) {
            return Err(Conflict::MergeOfOneDirection);
        }
        match (self.task, self.input, self.output) {
            (Task::LanguageModel, Input::Values, _) => Err(Conflict::LanguageModelInput),
            (Task::Forecast, Input::Tokens, _) => Err(Conflict::ForecastInput),
            (Task::Classify, _, Output::Linear) => Err(Conflict::ClassifierOutput),
            (Task::LanguageModel, _, Output::Sigmoid | Output::Linear) => Err(Conflict::LanguageModelOutput),
            (Task::Forecast, _, Output::Softmax | Output::Sigmoid) => Err(Conflict::ForecastOutput),
            (Task::LanguageModel, ..) if self.bidirectional => Err(Conflict::LanguageModelDirections),
            (Task::LanguageModel, ..) if !matches!(self.pooling, Pooling::Last) => Err(Conflict::LanguageModelPooling),
            _ => Ok(()),
        }
    }

    /// The number of outputs of the last layer of a classifier with so many labels.
    ///
    /// # Errors
    /// [`Conflict::SigmoidLabels`] if the output is a sigmoid and there are not two labels.
    pub const fn outputs(&self, labels: usize) -> Result<usize, Conflict> {
        match (self.output, labels) {
            (Output::Sigmoid, 2) => Ok(1),
            (Output::Sigmoid, _) => Err(Conflict::SigmoidLabels),
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
            (Classify, Tokens, Linear, Some(Conflict::ClassifierOutput)),
            (LanguageModel, Tokens, Softmax, None),
            (LanguageModel, Values, Softmax, Some(Conflict::LanguageModelInput)),
            (LanguageModel, Tokens, Sigmoid, Some(Conflict::LanguageModelOutput)),
            (Forecast, Values, Linear, None),
            (Forecast, Tokens, Linear, Some(Conflict::ForecastInput)),
            (Forecast, Values, Softmax, Some(Conflict::ForecastOutput)),
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
        assert_eq!(model(|config| config.bidirectional = true), Some(Conflict::LanguageModelDirections));
        assert_eq!(model(|config| config.pooling = Pooling::Mean), Some(Conflict::LanguageModelPooling));
    }

    #[test]
    fn merging_needs_two_directions_and_a_packing_its_cell() {
        assert_eq!(conflict(|config| config.merge = Merge::Sum), Some(Conflict::MergeOfOneDirection));
        assert_eq!(conflict(|config| (config.merge, config.bidirectional) = (Merge::Sum, true)), None);
        let error = conflict(|config| config.packing = Some(Packing::Interleaved3)).unwrap();
        assert_eq!(std::format!("{error}"), "`packing` must be interleaved4, paired16 or rows for LSTM cells");
    }

    #[test]
    fn a_sigmoid_is_one_output_for_two_labels() {
        let sigmoid = Config { output: Output::Sigmoid, ..Config::default() };
        assert_eq!((sigmoid.outputs(2), sigmoid.outputs(3)), (Ok(1), Err(Conflict::SigmoidLabels)));
        assert_eq!(Config::default().outputs(3), Ok(3));
    }
}
