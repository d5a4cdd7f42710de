//! Helpers of the end-to-end tests: programs under test, a trained model, an emulated device, a browser, golden files.
//!
//! The tests are in `tests/tests/`. They use trainer, runtime and firmware as a user does: `tern` as a process, the
//! firmware as an ELF file in an emulator.

mod browser;
pub mod device;
mod golden;
mod model;
pub mod pico;
mod programs;
pub mod relay;
#[cfg(unix)]
pub mod sb;
pub mod tasks;
mod tools;

pub use browser::Browser;
pub use golden::assert_golden;
pub use model::{Trained, argument, assert_same_logits, committed, folder, json, table, train, trained};
pub use programs::{
    console_session, decoded_log, error_of, firmware, firmware_of, root, signed_firmware, stdout_of, tern, text_of,
};
pub use tools::{chromium, python, skip};
