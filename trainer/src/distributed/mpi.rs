//! The processes of an MPI job. One thread makes all calls of MPI, since not every implementation of MPI allows calls
//! from several threads.

use super::processes::Processes;
use anyhow::Context;
use mpi::Count;
use mpi::datatype::PartitionMut;
use mpi::point_to_point::MatchedReceiveVec;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Destination, Root, Source};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tern_nn::denormals::Flush;
use tern_nn::process_group::{ProcessGroup, add};

/// The number of values, 64 KB of f32, that a process adds before it sends their sums to the next rank, so that it adds
/// one piece of an array while the next rank adds the piece before.
const PIECE: usize = 1 << 14;
/// The pause between two checks whether all processes have called [`Processes::wait`].
const PAUSE: Duration = Duration::from_millis(5);

/// All processes of the job: `MPI_COMM_WORLD`. Dropping it ends MPI.
#[derive(Debug)]
pub struct World {
    rank: usize,
    world_size: usize,
    local_rank: usize,
    /// The requests to the thread that calls MPI. `None` only while this is dropped.
    requests: Option<Sender<Request>>,
    /// True if this process ends without waiting for the others: see [`Processes::detach`].
    is_detached: AtomicBool,
    thread: Option<JoinHandle<()>>,
}

/// A request to the thread that calls MPI. The fields are the arguments of the method of [`ProcessGroup`] or
/// [`Processes`] with the same name, and the channel for its result.
enum Request {
    SumInOrder(Vec<Vec<Vec<f32>>>, Vec<usize>, Sender<Vec<Vec<f32>>>),
    AllGather(Vec<u8>, Sender<Vec<Vec<u8>>>),
    Send(usize, Vec<u8>),
    Receive(Sender<Option<(usize, Vec<u8>)>>),
    Wait(Option<Duration>, Sender<bool>),
    Abort(u8),
}

impl World {
    /// Starts MPI. Fails if this process has started MPI before, or if the thread cannot be started.
    pub fn start(local_rank: usize) -> anyhow::Result<Self> {
        let (requests, received) = mpsc::channel();
        let (started, rank_and_size) = mpsc::channel();
        let thread = thread::Builder::new().name("mpi".to_owned()).spawn(move || {
            let Some(universe) = mpi::initialize() else { return };
            let world = universe.world();
            let _ = started.send((number(world.rank()), number(world.size())));
            serve(&world, &received);
        })?;
        let (rank, world_size) = rank_and_size.recv().context("MPI cannot be started")?;
        Ok(World {
            rank,
            world_size,
            local_rank,
            requests: Some(requests),
            is_detached: AtomicBool::new(false),
            thread: Some(thread),
        })
    }

    /// Sends a request to the thread that calls MPI.
    fn request(&self, request: Request) {
        if let Some(requests) = &self.requests {
            let _ = requests.send(request);
        }
    }

    /// Sends a request and waits for its result. Returns the default if the thread has ended.
    fn ask<T: Default>(&self, request: impl FnOnce(Sender<T>) -> Request) -> T {
        let (sender, result) = mpsc::channel();
        self.request(request(sender));
        result.recv().unwrap_or_default()
    }
}

impl Drop for World {
    /// Ends MPI, which waits for the other processes, unless this process is detached from them.
    fn drop(&mut self) {
        if self.is_detached.load(Ordering::Relaxed) {
            // The channel stays open, so that the thread does not end MPI; it ends with the process.
            std::mem::forget(self.requests.take());
            return;
        }
        self.requests = None;
        self.thread.take().map(JoinHandle::join);
    }
}

impl ProcessGroup for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn world_size(&self) -> usize {
        self.world_size
    }

    fn local_rank(&self) -> usize {
        self.local_rank
    }

    fn all_gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        self.ask(|result| Request::AllGather(bytes, result))
    }

    fn sum_in_order(&self, parts: Vec<Vec<Vec<f32>>>, sizes: &[usize]) -> Vec<Vec<f32>> {
        self.ask(|result| Request::SumInOrder(parts, sizes.to_vec(), result))
    }
}

impl Processes for World {
    fn send(&self, to: usize, message: Vec<u8>) {
        self.request(Request::Send(to, message));
    }

    fn receive(&self) -> Option<(usize, Vec<u8>)> {
        self.ask(Request::Receive)
    }

    fn wait(&self, patience: Option<Duration>) -> bool {
        self.is_detached.load(Ordering::Relaxed) || self.ask(|result| Request::Wait(patience, result))
    }

    fn detach(&self) {
        self.is_detached.store(true, Ordering::Relaxed);
    }

    fn abort(&self, status: u8) -> ! {
        self.request(Request::Abort(status));
        loop {
            thread::park();
        }
    }
}

/// Makes the requested calls of MPI until the channel of the requests is closed.
fn serve(world: &SimpleCommunicator, requests: &Receiver<Request>) {
    for request in requests {
        // Sending a result fails only if no thread waits for it any longer.
        let _ = match request {
            Request::SumInOrder(parts, sizes, result) => result.send(sum_in_order(world, &parts, &sizes)).ok(),
            Request::AllGather(bytes, result) => result.send(all_gather(world, bytes)).ok(),
            Request::Send(to, message) => {
                world.process_at_rank(rank(to)).send(&message[..]);
                None
            }
            Request::Receive(result) => result.send(receive(world)).ok(),
            Request::Wait(patience, result) => result.send(wait(world, patience)).ok(),
            Request::Abort(status) => world.abort(status.into()),
        };
    }
}

/// Implements [`ProcessGroup::all_gather`]: first all processes exchange the lengths, then the bytes.
fn all_gather(world: &SimpleCommunicator, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let size = number(world.size());
    let mut lengths: Vec<Count> = vec![0; size];
    world.all_gather_into(&count(bytes.len()), &mut lengths[..]);
    let mut total: usize = 0;
    let begins: Vec<Count> = lengths
        .iter()
        .map(|&length| {
            let begin = count(total);
            total += number(length);
            begin
        })
        .collect();
    // The address of an empty Vec is that of `MPI_IN_PLACE` in Open MPI, so both buffers have room for at least a byte.
    bytes.reserve(1);
    let mut all = Vec::with_capacity(total + 1);
    all.resize(total, 0);
    let mut partition = PartitionMut::new(&mut all[..], &lengths[..], &begins[..]);
    world.all_gather_varcount_into(&bytes[..], &mut partition);
    let mut remaining = all.as_slice();
    lengths
        .into_iter()
        .map(|length| {
            let (bytes_of_process, following) = remaining.split_at(number(length));
            remaining = following;
            bytes_of_process.to_vec()
        })
        .collect()
}

/// Implements [`ProcessGroup::sum_in_order`]. Each process receives the sums from the rank before it, adds its own
/// parts and sends them to the next rank, in pieces, so that all processes work at the same time. The last rank sends
/// the results to all. Each process receives each value at most twice, however many processes there are. `parts`:
/// `[part][array][value]`; `sizes`: the length of each array.
fn sum_in_order(world: &SimpleCommunicator, parts: &[Vec<Vec<f32>>], sizes: &[usize]) -> Vec<Vec<f32>> {
    // The threads that add in a single process flush denormals too; the sums must have the same bits.
    let _flush = Flush::denormals();
    let (own, last) = (world.rank(), world.size() - 1);
    let sum_of = |(array, &size): (usize, &usize)| {
        let mut sum = vec![0.0; size];
        for (index, piece) in sum.chunks_mut(PIECE).enumerate() {
            if own > 0 {
                world.process_at_rank(own - 1).receive_into(piece);
            }
            for part in parts {
                add(piece, &part[array][index * PIECE..]);
            }
            if own < last {
                world.process_at_rank(own + 1).send(piece);
            }
        }
        sum
    };
    let mut sums: Vec<Vec<f32>> = sizes.iter().enumerate().map(sum_of).collect();
    for sum in sums.iter_mut().filter(|sum| !sum.is_empty()) {
        world.process_at_rank(last).broadcast_into(&mut sum[..]);
    }
    sums
}

/// Implements [`Processes::receive`].
fn receive(world: &SimpleCommunicator) -> Option<(usize, Vec<u8>)> {
    let (bytes, status) = world.any_process().immediate_matched_probe()?.matched_receive_vec();
    Some((number(status.source_rank()), bytes))
}

/// Implements [`Processes::wait`]: a barrier that is polled, since a blocking one would keep the processor busy.
fn wait(world: &SimpleCommunicator, patience: Option<Duration>) -> bool {
    let start = Instant::now();
    let mut barrier = world.immediate_barrier();
    loop {
        match barrier.test() {
            Ok(_) => return true,
            Err(unfinished) => barrier = unfinished,
        }
        if patience.is_some_and(|patience| start.elapsed() > patience) {
            // MPI does not allow an unfinished request to be dropped.
            std::mem::forget(barrier);
            return false;
        }
        thread::sleep(PAUSE);
    }
}

/// Converts a rank, a size or a length that MPI returns, none of which is ever negative.
fn number(count: Count) -> usize {
    usize::try_from(count).unwrap_or(0)
}

/// Converts a rank to the type of MPI.
fn rank(number: usize) -> Count {
    count(number)
}

/// Converts a length or a rank to the type of MPI. Panics from 2^31 on: longer messages cannot be exchanged.
fn count(length: usize) -> Count {
    Count::try_from(length).expect("the processes exchange less than 2 GiB in a step")
}
