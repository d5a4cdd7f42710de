//! The cross-validation of `tern train`, which measures a small training set: each fold, a part of its rows, is the
//! validation split once. After it, the network of the model is trained on all rows.

use super::run_directory::RunDirectory;
use crate::commands::{Hooks, note};
use crate::recipe::Recipe;
use crate::tasks::{self, TaskData};
use crate::train::{self, CrossValidation, TrainError};
use anyhow::bail;

/// Runs the cross-validation, if the data has folds, and prints its progress. Returns `None` without folds and after an
/// interrupt. Fails if a training diverges, and then deletes the run directory. `run_directory`: `None` in processes
/// other than that of rank 0.
pub(super) fn cross_validate(
    recipe: &Recipe,
    data: &dyn TaskData,
    run_directory: Option<&RunDirectory>,
    hooks: &Hooks<'_>,
) -> anyhow::Result<Option<CrossValidation>> {
    if data.problem().folds.is_empty() {
        return Ok(None);
    }
    let after_fold = |fold, folds| note(format_args!("fold {fold} of {folds} done"));
    let validation = match train::cross_validate(recipe, data.problem(), hooks.stop, hooks.processes, after_fold) {
        Err(error @ TrainError::Diverged { .. }) => {
            // A cross-validation writes no checkpoints from which it could be resumed.
            if let Some(run_directory) = run_directory {
                run_directory.remove()?;
            }
            bail!("in the cross-validation: {}", tasks::describe_divergence(&error, data));
        }
        result => result?,
    };
    match &validation {
        Some(cross_validation) => {
            let (metric, epochs) = (recipe.metric().title(), cross_validation.best_epoch);
            note(format_args!("best {metric} over all folds after {epochs} epochs; now training on all rows"));
        }
        None => note("warning: the cross-validation was interrupted: the figures below are measured on training rows"),
    }
    Ok(validation)
}
