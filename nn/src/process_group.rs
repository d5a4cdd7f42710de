//! The communication of the processes that share one training, on one computer or several, as in `torch.distributed`:
//! the trait, and its implementation for a single process. `tern-trainer` implements it for MPI.

use std::fmt::Debug;

/// A group of processes that run the same training.
///
/// The functions marked as collective exchange data: such a function returns when all processes have called it. Every
/// process must call the collective functions in the same order.
pub trait ProcessGroup: Debug + Sync {
    /// The number of this process in the group, from 0.
    fn rank(&self) -> usize;

    /// The number of processes, at least 1.
    fn world_size(&self) -> usize;

    /// The number of this process among those on the same computer, from 0, by which it chooses its GPU.
    fn local_rank(&self) -> usize {
        0
    }

    /// Collective: sends `bytes` to all processes and returns the bytes of all processes, in the order of their ranks.
    fn all_gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>>;

    /// Collective: adds lists of arrays over all processes, array by array, and returns the list of the sums, which is
    /// the same in every process. `parts`: the lists of this process, any number of them; `sizes`: the lengths of the
    /// arrays of a list, the same for every list of every process. Each sum starts at 0; the parts of rank 0 are added
    /// first, in their order, then those of rank 1, and so on.
    fn sum_in_order(&self, parts: Vec<Vec<Vec<f32>>>, sizes: &[usize]) -> Vec<Vec<f32>>;

    /// Collective: returns true if `value` is true in any process.
    fn any(&self, value: bool) -> bool {
        if self.world_size() == 1 {
            return value;
        }
        let values = self.all_gather(vec![u8::from(value)]);
        values.iter().any(|bytes| bytes == &[u8::from(true)])
    }

    /// Collective: returns the bytes of the process with rank 0. Those of the other processes are ignored.
    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.world_size() == 1 {
            return bytes;
        }
        let own = if self.rank() == 0 { bytes } else { Vec::new() };
        self.all_gather(own).swap_remove(0)
    }
}

/// The group of a training that runs in a single process.
#[derive(Clone, Copy, Debug)]
pub struct OneProcess;

impl ProcessGroup for OneProcess {
    fn rank(&self) -> usize {
        0
    }

    fn world_size(&self) -> usize {
        1
    }

    fn all_gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        vec![bytes]
    }

    fn sum_in_order(&self, parts: Vec<Vec<Vec<f32>>>, sizes: &[usize]) -> Vec<Vec<f32>> {
        let mut sums: Vec<Vec<f32>> = sizes.iter().map(|&size| vec![0.0; size]).collect();
        for arrays in &parts {
            for (sum, array) in sums.iter_mut().zip(arrays) {
                add(sum, array);
            }
        }
        sums
    }
}

/// Adds `array` to `sum`, value by value.
pub fn add(sum: &mut [f32], array: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(array) {
        *sum += value;
    }
}
