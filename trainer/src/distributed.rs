//! Work that several processes share, which `mpirun` or `srun` starts: docs/mpi.md.

mod launcher;
#[cfg(feature = "mpi")]
mod mpi;
mod processes;

use crate::progress;
use anyhow::anyhow;
use launcher::Launcher;
pub use processes::Processes;
use std::time::Duration;
use tern_nn::process_group::OneProcess;

/// The time that rank 0 waits after an error for the other processes to end with the same error.
const PATIENCE_OF_FIRST: Duration = Duration::from_secs(5);
/// The time that another process waits. It is longer, since rank 0 may write the model of the best epoch meanwhile.
const PATIENCE_OF_OTHERS: Duration = Duration::from_secs(60);

/// Joins the processes that were started together with this one. Alone, this process is the only one of its group. A
/// process with another rank than 0 prints no notes. Fails if this program was built without the feature `mpi`.
pub fn join() -> anyhow::Result<Box<dyn Processes>> {
    let Some(launcher) = Launcher::from_environment(|name| std::env::var(name).ok()) else {
        return Ok(Box::new(OneProcess));
    };
    let processes = start(&launcher)?;
    if processes.rank() > 0 {
        progress::log_to(|_| {});
    }
    Ok(processes)
}

#[cfg(feature = "mpi")]
fn start(launcher: &Launcher) -> anyhow::Result<Box<dyn Processes>> {
    let world = mpi::World::start(launcher.local_rank)?;
    let world: Box<dyn Processes> = Box::new(world);
    launcher.check(world.world_size())?;
    Ok(world)
}

#[cfg(not(feature = "mpi"))]
fn start(launcher: &Launcher) -> anyhow::Result<Box<dyn Processes>> {
    launcher.check(1)?;
    Ok(Box::new(OneProcess))
}

/// Ends the work of a command. `error` is the message of an error that no other process may have, and `status` the exit
/// status.
pub fn leave(processes: &dyn Processes, error: Option<&str>, status: u8) {
    let patience = match (error, processes.rank()) {
        (None, _) => None,
        (Some(_), 0) => Some(PATIENCE_OF_FIRST),
        (Some(_), _) => Some(PATIENCE_OF_OTHERS),
    };
    if !processes.wait(patience) {
        match (error, processes.rank()) {
            (Some(error), 0) => eprintln!("error: {error}"),
            (Some(error), rank) => eprintln!("rank {rank}: error: {error}"),
            (None, _) => {}
        }
        processes.abort(status);
    }
}

/// Collective: returns the result of this process if all processes succeeded. If one failed, fails in all: with the
/// error of this process, or else with that of the first other one.
pub fn agree<T>(processes: &dyn Processes, result: anyhow::Result<T>) -> anyhow::Result<T> {
    if processes.world_size() == 1 {
        return result;
    }
    let fault = result.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
    processes.wait(None);
    let faults = processes.all_gather(fault.into_bytes());
    let result = result?;
    match faults.iter().enumerate().find(|(_, fault)| !fault.is_empty()) {
        None => Ok(result),
        Some((rank, fault)) => Err(anyhow!("rank {rank}: {}", String::from_utf8_lossy(fault))),
    }
}
