//! The features of this build as constants. Code that needs a constant that is false is not linked.

/// True if models can be changed over the serial port: two slots, their record, YMODEM and signatures. If false, the
/// firmware runs the model that a flashing tool wrote into the first slot.
pub const UPDATES: bool = cfg!(feature = "updates");
/// True if a line can be edited at its cursor, completed, and recalled from the history. If false, only Backspace and
/// Ctrl-U edit it.
pub const EDITING: bool = cfg!(feature = "editing");
/// True if answers to a person have colours and bars, and a person sees the prediction while a streamed text arrives.
pub const COLORS: bool = cfg!(feature = "colors");
/// True if language models, forecasts and classifiers of numbers run, not only classifiers of texts.
pub const TASKS: bool = cfg!(feature = "tasks");
/// True if the console has the commands `selftest`, `bench` and `stats`.
pub const DIAGNOSTICS: bool = cfg!(feature = "diagnostics");
/// True if events are logged.
pub const LOG: bool = cfg!(feature = "log");
