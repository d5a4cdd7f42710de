//! The errors of an import.

use crate::data::quoted;
use std::path::PathBuf;

/// Why a model cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The weights are a file of `torch.save`.
    #[error("{}: a file of torch.save, expected safetensors (a pickle can run any program); convert it in Python: \
        `from safetensors.torch import save_file; save_file(torch.load({:?}, weights_only=True), \"weights.safetensors\")`", path.display(), path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// The file is not in safetensors format.
    #[error("{}: {problem}, expected a safetensors file, as `safetensors.torch.save_file(model.state_dict(), …)` writes it", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The safetensors library's error.
        problem: String,
    },
    /// A tensor does not hold floats.
    #[error("{}: tensor `{name}` is {found}, expected F32, F64, F16 or BF16; convert it, or name it in `ignore`", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A part of the network was not found.
    #[error("{}: no {wanted}, expected {expected}; the tensors are {}. Rename yours under [rename]", path.display(), quoted(found))]
    Missing {
        /// The file.
        path: PathBuf,
        /// The part.
        wanted: String,
        /// Its usual name and shape.
        expected: String,
        /// The names of all tensors.
        found: Vec<String>,
    },
    /// A tensor was not recognised.
    #[error("{}: no place for {}; the network is {network}. Rename it under [rename], for example \"{}\" = \"fc.weight\", or list it in \
        `ignore` if the model does not use it", path.display(), quoted(names), names[0])]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// The tensors.
        names: Vec<String>,
        /// The network that was recognised.
        network: String,
    },
    /// A tensor has the wrong shape.
    #[error("{}: tensor `{name}` is {found:?}, expected {expected}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The expected shape, and why.
        expected: String,
    },
    /// The tensors do not form a network that Tern runs.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The settings are wrong.
    #[error("{}: {problem}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// The problem and its remedy.
        problem: String,
    },
    /// The file of `--check` is wrong, or the logits differ from it.
    #[error("{}: {problem}", path.display())]
    Check {
        /// The file.
        path: PathBuf,
        /// The problem and its remedy.
        problem: String,
    },
    /// The vocabulary is wrong.
    #[error("{}: {problem}", path.display())]
    Vocabulary {
        /// The file.
        path: PathBuf,
        /// The problem and its remedy.
        problem: String,
    },
}
