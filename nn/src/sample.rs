//! What a network learns from: inputs and what it should make of them.

/// What a network reads, step by step.
#[derive(Clone, Debug, PartialEq)]
pub enum Steps {
    /// A token a step.
    Tokens(Vec<u32>),
    /// Normalised numbers, `[steps, channels]`.
    Values {
        /// Row-major.
        values: Vec<f32>,
        /// How many numbers a step has.
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

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens.
    ///
    /// # Panics
    ///
    /// Where these are values.
    pub fn tokens(&self) -> &[u32] {
        match self {
            Steps::Tokens(ids) => ids,
            Steps::Values { .. } => panic!("a network that reads tokens was given values"),
        }
    }

    /// The numbers of each step.
    ///
    /// # Panics
    ///
    /// Where these are tokens.
    pub fn rows(&self) -> Vec<&[f32]> {
        match self {
            Steps::Tokens(_) => panic!("a network that reads values was given tokens"),
            Steps::Values { values, channels } => values.chunks_exact(*channels).collect(),
        }
    }

    /// Leaves the first `steps` of them. Returns whether there were more.
    pub fn keep_first(&mut self, steps: usize) -> bool {
        let surplus = self.len() > steps;
        match self {
            Steps::Tokens(ids) => ids.truncate(steps),
            Steps::Values { values, channels } => values.truncate(steps.saturating_mul(*channels)),
        }
        surplus
    }

    /// Leaves the last `steps` of them. Returns whether there were more.
    pub fn keep_last(&mut self, steps: usize) -> bool {
        let surplus = self.len().saturating_sub(steps);
        match self {
            Steps::Tokens(ids) => drop(ids.drain(..surplus)),
            Steps::Values { values, channels } => drop(values.drain(..surplus * *channels)),
        }
        surplus > 0
    }
}

/// The token that stands for a dropped word, and for one that is not in the vocabulary.
pub const UNK: u32 = 1;

/// In [`Target::Tokens`]: the step is read, and what follows it is not learnt.
pub const NO_TOKEN: u32 = u32::MAX;

/// What the outputs for a sequence should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The label after the last step.
    Class(usize),
    /// The token that follows each step; [`NO_TOKEN`] where nothing is asked.
    Tokens(Vec<u32>),
    /// Normalised numbers after the last step; those that are not known are NaN.
    Values(Vec<f32>),
}

impl Target {
    /// How many losses there are.
    pub fn count(&self) -> usize {
        match self {
            Target::Tokens(tokens) => tokens.iter().filter(|token| **token != NO_TOKEN).count(),
            Target::Class(_) | Target::Values(_) => 1,
        }
    }
}

/// A sequence to learn from, or to measure by.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What the network reads.
    pub steps: Steps,
    /// What it should say.
    pub target: Target,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
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
