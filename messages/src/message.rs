//! A message and its class.

/// The class of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Danger or damage right now: someone must act at once.
    Alarm,
    /// Someone asks for work, an object or an answer; nobody is in danger.
    Request,
    /// A report about the present or the past, good or bad, that asks for nothing.
    Status,
    /// Advertising or fraud.
    Spam,
    /// Private talk that does not concern the building.
    Chatter,
}

impl Label {
    /// All classes.
    pub const ALL: [Label; 5] = [Label::Alarm, Label::Request, Label::Status, Label::Spam, Label::Chatter];

    /// The name of the class in the CSV files.
    pub fn name(self) -> &'static str {
        match self {
            Label::Alarm => "alarm",
            Label::Request => "request",
            Label::Status => "status",
            Label::Spam => "spam",
            Label::Chatter => "chatter",
        }
    }
}

/// A text and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The text, a single line.
    pub text: String,
    /// The class that the writer of the text meant.
    pub label: Label,
}
