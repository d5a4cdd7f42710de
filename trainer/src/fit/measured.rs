//! The cost of a device file, and the budget that it must fit.

use crate::core_time;
use crate::device_file::DeviceFile;
use serde::{Deserialize, Serialize};

/// The core whose instructions are limited.
const CORE: &str = "cortex-m4";
/// The mean number of characters of a word with the separator after it. A token of characters or bytes has one.
const WORD_CHARACTERS: f64 = 5.0;

/// The largest costs that a device file may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Bytes of the whole file.
    pub flash: usize,
    /// Bytes of scratch.
    pub ram: Option<usize>,
    /// Instructions of a token on a Cortex-M4.
    pub instructions: Option<u64>,
}

/// The costs of a device file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Bytes of the file.
    pub file_bytes: usize,
    /// Bytes of scratch that a session needs.
    pub scratch_bytes: usize,
    /// Estimated instructions of a token on a Cortex-M4.
    pub instructions_per_token: u64,
}

impl Measured {
    /// Measures a device file.
    pub fn new(device: &DeviceFile) -> Self {
        let characters = if device.config.tokenizer().is_one_word() { 1.0 } else { WORD_CHARACTERS };
        let cores = core_time::instructions(device.model());
        let of_core = cores.iter().find(|cores| cores.core == CORE).map(|core| core.per_token(characters));
        Measured {
            file_bytes: device.bytes().len(),
            scratch_bytes: device.scratch_bytes(),
            instructions_per_token: of_core.unwrap_or(0.0).round() as u64,
        }
    }

    /// Returns the first limit of `budget` that is exceeded, as a sentence; `None` if the file fits.
    pub fn excess(&self, budget: &Budget) -> Option<String> {
        let Measured { file_bytes, scratch_bytes, instructions_per_token } = *self;
        if file_bytes > budget.flash {
            return Some(format!("the file has {file_bytes} bytes, the budget {}", budget.flash));
        }
        if let Some(ram) = budget.ram.filter(|ram| scratch_bytes > *ram) {
            return Some(format!("a session needs {scratch_bytes} bytes of RAM, the budget is {ram}"));
        }
        let limit = budget.instructions.filter(|limit| instructions_per_token > *limit)?;
        Some(format!("a token takes {instructions_per_token} instructions, the budget is {limit}"))
    }
}
