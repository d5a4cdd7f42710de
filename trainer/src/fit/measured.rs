//! The costs of a device file, the quantised model, and the budget that they must not exceed.

use crate::core_time;
use crate::device_file::DeviceFile;
use serde::{Deserialize, Serialize};

/// The core for which instructions are estimated.
const CORE: &str = "cortex-m4";
/// The assumed mean number of characters of a word, including the separator after it. With the tokenizers `chars` and
/// `bytes`, a token has one character.
const WORD_CHARACTERS: f64 = 5.0;

/// The largest costs that a device file may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Bytes of the whole file.
    pub flash: usize,
    /// Bytes of scratch memory; `None` without limit.
    pub ram: Option<usize>,
    /// Instructions of a token on a Cortex-M4; `None` without limit.
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
        // True for the tokenizers `chars` and `bytes`.
        let has_character_tokens = device.config.tokenizer().is_one_word();
        let token_characters = if has_character_tokens { 1.0 } else { WORD_CHARACTERS };
        let cores = core_time::instructions(device.model());
        let instructions = cores.iter().find(|core| core.core == CORE).map(|core| core.per_token(token_characters));
        Measured {
            file_bytes: device.bytes().len(),
            scratch_bytes: device.scratch_bytes(),
            // Never `None`: a candidate has 8-bit recurrent weights, and every cell and kind of n-gram table was
            // measured on this core with the packing of such weights.
            instructions_per_token: instructions.unwrap_or(0.0).round() as u64,
        }
    }

    /// Describes the first limit of `budget` that is exceeded; `None` if the file fits.
    pub fn excess(&self, budget: &Budget) -> Option<String> {
        let Measured { file_bytes, scratch_bytes, instructions_per_token } = *self;
        if file_bytes > budget.flash {
            return Some(format!("the file has {file_bytes} bytes, the budget is {}", budget.flash));
        }
        if let Some(ram) = budget.ram
            && scratch_bytes > ram
        {
            return Some(format!("a session needs {scratch_bytes} bytes of RAM, the budget is {ram}"));
        }
        if let Some(limit) = budget.instructions
            && instructions_per_token > limit
        {
            return Some(format!("a token takes {instructions_per_token} instructions, the budget is {limit}"));
        }
        None
    }
}
