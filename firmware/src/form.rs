//! The two forms of an answer: text for a person, JSON for a program.

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines of text for a person.
    Human,
    /// One line with one JSON object for a program.
    Machine,
}

impl Form {
    /// The argument of the console command `mode` that selects this form.
    pub fn word(self) -> &'static str {
        match self {
            Form::Human => "human",
            Form::Machine => "machine",
        }
    }
}
