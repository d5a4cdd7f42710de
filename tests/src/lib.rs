//! Helpers of the end-to-end tests: programs under test, a trained model, an emulated device, a browser, golden files.
//!
//! The tests are in `tests/tests/`. They use trainer, runtime and firmware as a user does: `tern` as a process, the
//! firmware as an ELF file in an emulator.

mod browser;
pub mod device;
mod golden;
mod model;
mod programs;
#[cfg(unix)]
pub mod sb;
pub mod tasks;
mod tools;

pub use browser::Browser;
pub use golden::{assert_golden, golden_path};
pub use model::{Trained, argument, committed, folder, json, table, train, trained};
pub use programs::{emulator, firmware, firmware_of, root, signed_firmware, tern, text_of};
pub use tools::{chromium, python, skip};
