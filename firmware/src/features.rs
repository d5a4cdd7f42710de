//! The cargo features of this build as constants. Code that is reached only if a constant is true is compiled in every
//! build, but linked only if the feature is on.

/// True if models can be changed over the serial port: two slots, their record, YMODEM and signatures. If false, the
/// firmware runs the model that a flashing tool wrote into the first slot.
pub const UPDATES: bool = cfg!(feature = "updates");
/// True if the typed line can be edited at its cursor and completed, and earlier lines can be recalled. If false, only
/// Backspace and Ctrl-U edit the line.
pub const EDITING: bool = cfg!(feature = "editing");
/// True if answers to a person (not in machine mode) have colours and bars, and the prediction is shown while a
/// streamed text arrives.
pub const COLORS: bool = cfg!(feature = "colors");
/// True if the firmware runs language models, forecasts and classifiers of numbers besides classifiers of texts.
pub const TASKS: bool = cfg!(feature = "tasks");
/// True if the console has the commands `selftest`, `bench` and `stats`.
pub const DIAGNOSTICS: bool = cfg!(feature = "diagnostics");
/// True if events are logged.
pub const LOG: bool = cfg!(feature = "log");
