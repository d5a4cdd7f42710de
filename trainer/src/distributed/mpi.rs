//! The processes of an MPI job. A thread of its own makes all calls of MPI, since not every MPI lets other threads
//! call.

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

/// The number of values that are passed on at once.
const PIECE: usize = 1 << 14;
/// The pause between two looks at the other processes.
const PAUSE: Duration = Duration::from_millis(5);

/// All processes of the job.
#[derive(Debug)]
pub struct World {
    rank: usize,
    world_size: usize,
    local_rank: usize,
    /// The requests to the thread that calls MPI. `None` when the job has ended.
    requests: Option<Sender<Request>>,
    /// True if this process ends without the others.
    is_detached: AtomicBool,
    thread: Option<JoinHandle<()>>,
}

/// A call of MPI, with the channel for its result.
enum Request {
    SumInOrder(Vec<Vec<Vec<f32>>>, Vec<usize>, Sender<Vec<Vec<f32>>>),
    AllGather(Vec<u8>, Sender<Vec<Vec<u8>>>),
    Send(usize, Vec<u8>),
    Receive(Sender<Option<(usize, Vec<u8>)>>),
    Wait(Option<Duration>, Sender<bool>),
    Abort(u8),
}

impl World {
    /// Starts MPI. Fails if it is started already or the thread cannot be started.
    pub fn start(local_rank: usize) -> anyhow::Result<Self> {
        let (requests, received) = mpsc::channel();
        let (started, sizes) = mpsc::channel();
        let thread = thread::Builder::new().name("mpi".to_owned()).spawn(move || {
            let Some(universe) = mpi::initialize() else { return };
            let world = universe.world();
            let _ = started.send((number(world.rank()), number(world.size())));
            serve(&world, &received);
        })?;
        let (rank, world_size) = sizes.recv().context("MPI cannot be started")?;
        Ok(World {
            rank,
            world_size,
            local_rank,
            requests: Some(requests),
            is_detached: AtomicBool::new(false),
            thread: Some(thread),
        })
    }

    fn request(&self, request: Request) {
        if let Some(requests) = &self.requests {
            let _ = requests.send(request);
        }
    }

    fn ask<T: Default>(&self, request: impl FnOnce(Sender<T>) -> Request) -> T {
        let (sender, result) = mpsc::channel();
        self.request(request(sender));
        result.recv().unwrap_or_default()
    }
}

impl Drop for World {
    /// Ends MPI, which waits for the other processes.
    fn drop(&mut self) {
        if self.is_detached.load(Ordering::Relaxed) {
            // The thread ends with the process.
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

/// Makes the calls until the channel of the requests is closed.
fn serve(world: &SimpleCommunicator, requests: &Receiver<Request>) {
    for request in requests {
        // The process that asked waits for the result, or has ended.
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
    // The address of an empty Vec is that of `MPI_IN_PLACE` in Open MPI, so both have room for a byte.
    bytes.reserve(1);
    let mut all = Vec::with_capacity(total + 1);
    all.resize(total, 0);
    let mut partition = PartitionMut::new(&mut all[..], &lengths[..], &begins[..]);
    world.all_gather_varcount_into(&bytes[..], &mut partition);
    let mut rest = all.as_slice();
    lengths
        .into_iter()
        .map(|length| {
            let (part, others) = rest.split_at(number(length));
            rest = others;
            part.to_vec()
        })
        .collect()
}

/// Passes the sums along the ranks, in pieces, so that all processes work at the same time; the last one passes the
/// results to all. Each value goes through each process twice, however many processes there are.
fn sum_in_order(world: &SimpleCommunicator, parts: &[Vec<Vec<f32>>], sizes: &[usize]) -> Vec<Vec<f32>> {
    // As in the threads that add in one process.
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

fn receive(world: &SimpleCommunicator) -> Option<(usize, Vec<u8>)> {
    let (bytes, status) = world.any_process().immediate_matched_probe()?.matched_receive_vec();
    Some((number(status.source_rank()), bytes))
}

fn wait(world: &SimpleCommunicator, patience: Option<Duration>) -> bool {
    let start = Instant::now();
    let mut barrier = world.immediate_barrier();
    loop {
        match barrier.test() {
            Ok(_) => return true,
            Err(unfinished) => barrier = unfinished,
        }
        if patience.is_some_and(|patience| start.elapsed() > patience) {
            // A request must not be dropped before it is finished.
            std::mem::forget(barrier);
            return false;
        }
        thread::sleep(PAUSE);
    }
}

/// Ranks, sizes and lengths that MPI returns are never negative.
fn number(count: Count) -> usize {
    usize::try_from(count).unwrap_or(0)
}

fn rank(number: usize) -> Count {
    count(number)
}

/// MPI counts bytes in 31 bits. Networks whose gradients are larger cannot be trained here.
fn count(length: usize) -> Count {
    Count::try_from(length).expect("the processes exchange less than 2 GiB in a step")
}
