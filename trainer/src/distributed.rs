//! Work that several processes share, as `docs/mpi.md` describes. `mpirun` or `srun` starts the processes and numbers
//! them: each has a rank, from 0. Rank 0 prints, and writes the files.

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
/// The time that any other process waits after an error. It is longer, since rank 0 may be writing the model of the
/// best epoch.
const PATIENCE_OF_OTHERS: Duration = Duration::from_secs(60);

/// Joins the processes that were started together with this one. A process that was started alone is the only one of
/// its group. A process with another rank than 0 prints no notes from now on. Fails if several processes were started
/// and this program was built without the feature `mpi`, or if MPI joins another number of processes.
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

/// Starts MPI, and checks that it joins as many processes as `launcher` started.
#[cfg(feature = "mpi")]
fn start(launcher: &Launcher) -> anyhow::Result<Box<dyn Processes>> {
    let world = mpi::World::start(launcher.local_rank)?;
    let world: Box<dyn Processes> = Box::new(world);
    launcher.check(world.world_size())?;
    Ok(world)
}

/// Returns this process alone. Fails if `launcher` started several.
#[cfg(not(feature = "mpi"))]
fn start(launcher: &Launcher) -> anyhow::Result<Box<dyn Processes>> {
    launcher.check(1)?;
    Ok(Box::new(OneProcess))
}

/// Waits until every process has ended its part of a command. Collective: every process must call it. `error`: the
/// message of the error that ended this process's part; `None` if all processes end in the same way. After an error the
/// other processes may never end, so the wait has a limit. When it is reached, this process prints `error` and ends all
/// processes with the exit status `status`.
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

/// Returns the result of this process if all processes succeeded. Collective: every process must call it. If one
/// failed, fails in every process: with the error of this process, or else with that of the failed process of the
/// lowest rank.
pub fn agree<T>(processes: &dyn Processes, result: anyhow::Result<T>) -> anyhow::Result<T> {
    if processes.world_size() == 1 {
        return result;
    }
    // The message of this process's error; empty if it succeeded.
    let fault = match &result {
        Ok(_) => String::new(),
        Err(error) => format!("{error:#}"),
    };
    // The slowest process may come much later. `wait` leaves the processor idle until then, which `all_gather` does
    // not.
    processes.wait(None);
    let faults = processes.all_gather(fault.into_bytes());
    let result = result?;
    match faults.iter().enumerate().find(|(_, fault)| !fault.is_empty()) {
        None => Ok(result),
        Some((rank, fault)) => Err(anyhow!("rank {rank}: {}", String::from_utf8_lossy(fault))),
    }
}
