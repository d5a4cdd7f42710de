//! Why a model cannot be imported.

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
        /// What the system says.
        source: std::io::Error,
    },
    /// The weights are a pickle.
    #[error("{}: a file of torch.save, expected safetensors (a pickle can run any program); in Python: \
        `from safetensors.torch import save_file; save_file(torch.load({:?}, weights_only=True), \"weights.safetensors\")`", path.display(), path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// The weights are no safetensors file.
    #[error("{}: {problem}, expected a safetensors file, as `safetensors.torch.save_file(model.state_dict(), …)` writes it", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What the library says.
        problem: String,
    },
    /// A tensor holds no floats.
    #[error("{}: tensor `{name}` is {found}, expected F32, F64, F16 or BF16; convert it, or name it in `ignore`", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// Nothing of a kind is there.
    #[error("{}: no {wanted}, expected {expected}; the tensors are {}. Name yours under [rename]", path.display(), quoted(found))]
    Missing {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: String,
        /// Its usual name and shape.
        expected: String,
        /// What there is.
        found: Vec<String>,
    },
    /// A tensor has no place in the network.
    #[error("{}: no place for {}; the network is {network}. Say what it is under [rename], for example \"{}\" = \"fc.weight\", or list it in \
        `ignore` where the model does without", path.display(), quoted(names), names[0])]
    Unexpected {
        /// The file.
        path: PathBuf,
        /// The tensors.
        names: Vec<String>,
        /// What was recognised.
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
        /// What it should be, and why.
        expected: String,
    },
    /// The weights do not make the network.
    #[error("{}: {problem}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The settings are wrong.
    #[error("{}: {problem}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The vocabulary is wrong.
    #[error("{}: {problem}", path.display())]
    Vocabulary {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
}
