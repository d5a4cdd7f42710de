//! What the end-to-end tests share: the programs that they run, a model, and golden files.
//!
//! The tests themselves stand in `tests/tests/`. They treat trainer, runtime and firmware as a user does: `tern` as a
//! process, the firmware as an ELF file in an emulator.

mod browser;
pub mod device;
mod golden;
mod model;
mod programs;
mod python;
#[cfg(unix)]
pub mod sb;
pub mod tasks;

pub use browser::{Browser, chromium};
pub use golden::{assert_golden, golden_path};
pub use model::{Trained, argument, committed, folder, json, table, trained};
pub use programs::{emulator, firmware, firmware_of, root, signed_firmware, tern, text_of};
pub use python::python;
