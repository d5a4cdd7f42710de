//! The samples of a training or an evaluation. A [`Sample`] is a sequence, the input of the network, with its target.

/// A sequence of tokens or of values.
#[derive(Clone, Debug, PartialEq)]
pub enum Steps {
    /// One token id for each step.
    Tokens(Vec<u32>),
    /// Normalised numbers, `[steps, channels]`: a channel is a column of numbers, such as a sensor axis.
    Values {
        /// The numbers in row-major order.
        values: Vec<f32>,
        /// Numbers per step.
        channels: usize,
    },
}

impl Steps {
    /// Number of steps.
    pub fn len(&self) -> usize {
        match self {
            Steps::Tokens(ids) => ids.len(),
            Steps::Values { values, channels } => values.len() / channels,
        }
    }

    /// Returns true if the sequence has no steps.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The token ids.
    ///
    /// # Panics
    /// Panics if the sequence holds values.
    pub fn tokens(&self) -> &[u32] {
        match self {
            Steps::Tokens(ids) => ids,
            Steps::Values { .. } => panic!("a network that reads tokens was given values"),
        }
    }

    /// The numbers of each step: `[steps][channels]`.
    ///
    /// # Panics
    /// Panics if the sequence holds tokens.
    pub fn rows(&self) -> Vec<&[f32]> {
        match self {
            Steps::Tokens(_) => panic!("a network that reads values was given tokens"),
            Steps::Values { values, channels } => values.chunks_exact(*channels).collect(),
        }
    }

    /// Truncates the sequence to its first `steps` steps; a shorter one stays as it is. Returns true if it was longer.
    pub fn keep_first(&mut self, steps: usize) -> bool {
        let was_longer = self.len() > steps;
        match self {
            Steps::Tokens(ids) => ids.truncate(steps),
            Steps::Values { values, channels } => values.truncate(steps.saturating_mul(*channels)),
        }
        was_longer
    }

    /// Truncates the sequence to its last `steps` steps; a shorter one stays as it is. Returns true if it was longer.
    pub fn keep_last(&mut self, steps: usize) -> bool {
        let surplus = self.len().saturating_sub(steps);
        match self {
            Steps::Tokens(ids) => drop(ids.drain(..surplus)),
            Steps::Values { values, channels } => drop(values.drain(..surplus * *channels)),
        }
        surplus > 0
    }
}

/// The id of UNK, the token that replaces tokens that are not in the vocabulary and, in training, tokens that word
/// dropout selects.
pub const UNK: u32 = 1;

/// The value in [`Target::Tokens`] for a step without a target.
pub const NO_TOKEN: u32 = u32::MAX;

/// The target of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The index of the label, predicted after the last step.
    Class(usize),
    /// The next token after each step, or [`NO_TOKEN`].
    Tokens(Vec<u32>),
    /// Normalised numbers, predicted after the last step; a missing number is NaN.
    Values(Vec<f32>),
}

impl Target {
    /// Number of targets that have a loss: 1 for a label or for numbers, 1 for each token but [`NO_TOKEN`].
    pub fn count(&self) -> usize {
        match self {
            Target::Tokens(tokens) => tokens.iter().filter(|token| **token != NO_TOKEN).count(),
            Target::Class(_) | Target::Values(_) => 1,
        }
    }
}

/// A sequence with its target.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The input of the recurrent layers.
    pub steps: Steps,
    /// The rows of the n-gram table that the text's n-grams select, in the order in which the n-grams end in the text;
    /// an n-gram that occurs twice has two entries. Empty without an n-gram branch. Truncating `steps` does not change
    /// this list.
    pub ngrams: Vec<u32>,
    /// The expected output.
    pub target: Target,
    /// The probabilities that trained teacher models predict, for distillation: `[labels]`. Empty without teachers.
    pub teacher: Vec<f32>,
}

impl Sample {
    /// A sample without n-grams or teachers.
    pub fn new(steps: Steps, target: Target) -> Self {
        Sample { steps, ngrams: Vec::new(), target, teacher: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_truncated_at_either_end() {
        let mut tokens = Steps::Tokens(vec![1, 2, 3]);
        assert!(!tokens.keep_last(3) && tokens.keep_last(2));
        assert_eq!(tokens, Steps::Tokens(vec![2, 3]));
        let mut values = Steps::Values { values: vec![1.0, 2.0, 3.0, 4.0], channels: 2 };
        assert_eq!(values.len(), 2);
        assert!(values.keep_last(1));
        assert_eq!(values, Steps::Values { values: vec![3.0, 4.0], channels: 2 });
        let mut tokens = Steps::Tokens(vec![1, 2, 3]);
        assert!(!tokens.keep_first(3) && tokens.keep_first(2));
        assert_eq!(tokens, Steps::Tokens(vec![1, 2]));
    }
}
