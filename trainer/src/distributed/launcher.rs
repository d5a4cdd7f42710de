//! The program that started this process, as its environment variables describe it.

use anyhow::bail;

/// The programs that are recognised: the name, and the environment variables with the number of processes and with the
/// local rank.
const LAUNCHERS: [(&str, &str, &str); 3] = [
    ("mpirun of Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("mpiexec of MPICH", "PMI_SIZE", "MPI_LOCALRANKID"),
    ("srun", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID"),
];

/// A program that starts several processes.
#[derive(Debug, PartialEq)]
pub struct Launcher {
    /// The name of the program, for error messages.
    name: &'static str,
    /// The number of processes that it started.
    processes: usize,
    /// The number of this process among those on the same computer, from 0. 0 if the program does not tell it.
    pub local_rank: usize,
}

impl Launcher {
    /// Returns the launcher of this process; `None` if it was started alone. `variable` returns the value of an
    /// environment variable.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let number = |name: &str| variable(name).and_then(|value| value.parse::<usize>().ok());
        for (name, size, local_rank) in LAUNCHERS {
            let Some(processes) = number(size) else { continue };
            // Slurm runs a batch script itself as a step of one task, so such a step is no sign of `srun`.
            if name != "srun" || processes > 1 {
                return Some(Launcher { name, processes, local_rank: number(local_rank).unwrap_or(0) });
            }
        }
        None
    }

    /// Fails if `world_size`, the number of processes that are joined, is not the number of processes that were
    /// started. Otherwise each group of joined processes would do the whole work and write the same files.
    pub fn check(&self, world_size: usize) -> anyhow::Result<()> {
        let Launcher { name, processes, .. } = self;
        if *processes == world_size {
            return Ok(());
        }
        if !cfg!(feature = "mpi") {
            bail!(
                "{name} started {processes} processes, but this tern was built without the feature `mpi`; build with \
                 `cargo build --release --features mpi`, or start one process"
            );
        }
        bail!(
            "{name} started {processes} processes, but MPI joins {world_size}; start tern with the MPI that it was built \
             with: see with `ldd` which one that is; for srun, --mpi=pmix or --mpi=pmi2"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launcher(variables: &[(&str, &str)]) -> Option<Launcher> {
        Launcher::from_environment(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn launchers_are_known_by_their_variables() {
        let found = launcher(&[("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_LOCAL_RANK", "3")]);
        assert_eq!(found, Some(Launcher { name: "mpirun of Open MPI", processes: 4, local_rank: 3 }));
        let found = launcher(&[("PMI_SIZE", "2"), ("MPI_LOCALRANKID", "1")]);
        assert_eq!(found, Some(Launcher { name: "mpiexec of MPICH", processes: 2, local_rank: 1 }));
        let found = launcher(&[("SLURM_STEP_NUM_TASKS", "8")]);
        assert_eq!(found, Some(Launcher { name: "srun", processes: 8, local_rank: 0 }));
        assert_eq!(launcher(&[("SLURM_STEP_NUM_TASKS", "1")]), None);
        assert_eq!(launcher(&[("PMI_SIZE", "many")]), None);
        assert_eq!(launcher(&[]), None);
    }

    #[test]
    fn a_wrong_number_of_processes_is_refused_with_a_remedy() {
        let launcher = launcher(&[("PMI_SIZE", "2")]).unwrap();
        assert!(launcher.check(2).is_ok());
        let error = launcher.check(1).unwrap_err().to_string();
        let remedy = if cfg!(feature = "mpi") { "ldd" } else { "--features mpi" };
        assert!(error.starts_with("mpiexec of MPICH started 2 processes") && error.contains(remedy), "{error}");
    }
}
