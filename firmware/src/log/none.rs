//! Replaces `log.rs` in a firmware without the feature `log`: the same functions, which log nothing.

use core::fmt;

use tern_firmware::boot_count::BootCount;
use tern_firmware::log_level::Level;
use tern_firmware::{Engine, Event, Refusal};

/// Does nothing.
pub fn start() {}

/// Does nothing.
pub fn boot(_: &BootCount) {}

/// Does nothing.
pub fn model(_: &Result<Engine<'_>, Refusal>, _: Level) {}

/// Does nothing.
pub fn event(_: Event) {}

/// Does nothing.
pub fn stopped(_: fmt::Arguments<'_>) {}
