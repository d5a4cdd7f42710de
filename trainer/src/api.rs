//! The functions behind the commands `train`, `fit`, `import`, `export` and `report`, and the trait [`Model`] with
//! which models predict and are evaluated, for programs that embed the trainer, such as the Python package.

pub use crate::commands::Hooks;
pub use crate::commands::export::{Args as ExportArgs, write_device_file};
pub use crate::commands::fit::{Args as FitArgs, Fitting};
pub use crate::commands::import::{Args as ImportArgs, Written, write_model};
pub use crate::commands::quantities::{duration, size};
pub use crate::commands::report::write_page;
pub use crate::commands::train::{Args as TrainArgs, RecipeOptions, Trained, Training};
pub use crate::data::{Columns, Layout, normalise};
pub use crate::model::{DataFile, Model};
pub use crate::progress::log_to;
pub use crate::tasks::{PredictOptions, handler_of};
pub use tern_nn::process_group::OneProcess;
