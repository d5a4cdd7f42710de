//! Tests of the queue that shares the candidates among processes.

use super::*;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tern_nn::process_group::ProcessGroup;

/// The messages to each rank, with their senders.
type Inboxes = Mutex<Vec<VecDeque<(usize, Vec<u8>)>>>;

/// A process of a group whose processes are threads.
#[derive(Debug)]
struct InThread<'i> {
    rank: usize,
    world_size: usize,
    inboxes: &'i Inboxes,
    is_detached: AtomicBool,
}

impl<'i> InThread<'i> {
    fn new(rank: usize, world_size: usize, inboxes: &'i Inboxes) -> Self {
        inboxes.lock().unwrap().resize(world_size, VecDeque::new());
        InThread { rank, world_size, inboxes, is_detached: AtomicBool::new(false) }
    }
}

impl ProcessGroup for InThread<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn world_size(&self) -> usize {
        self.world_size
    }

    fn all_gather(&self, _bytes: Vec<u8>) -> Vec<Vec<u8>> {
        panic!("a search sends messages only")
    }

    fn sum_in_order(&self, _parts: Vec<Vec<Vec<f32>>>, _sizes: &[usize]) -> Vec<Vec<f32>> {
        panic!("a search sends messages only")
    }
}

impl Processes for InThread<'_> {
    fn send(&self, to: usize, message: Vec<u8>) {
        self.inboxes.lock().unwrap()[to].push_back((self.rank, message));
    }

    fn receive(&self) -> Option<(usize, Vec<u8>)> {
        self.inboxes.lock().unwrap()[self.rank].pop_front()
    }

    fn wait(&self, _patience: Option<Duration>) -> bool {
        panic!("a search sends messages only")
    }

    fn detach(&self) {
        self.is_detached.store(true, Ordering::Relaxed);
    }

    fn abort(&self, status: u8) -> ! {
        panic!("status {status}")
    }
}

/// The results of a round: the network of each trial, or the error.
#[derive(Default)]
struct Results(BTreeMap<usize, String>);

impl QueuedRound for Results {
    fn job(&mut self, index: usize) -> Option<Job> {
        let (candidate, settings) = (index + 10, Table::new());
        Some(Job { index, round: 0, candidate, settings, seconds_left: None, is_first: true })
    }

    fn on_progress(&mut self, _share: f64) {}

    fn on_result(&mut self, index: usize, result: anyhow::Result<Attempt>) -> anyhow::Result<()> {
        let text = match result {
            Ok(Attempt::Done { trial, .. }) => trial.network,
            Ok(Attempt::Unfit(excess)) => excess.reason,
            Ok(Attempt::Interrupted) => "interrupted".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        assert!(self.0.insert(index, text).is_none(), "two results of {index}");
        Ok(())
    }
}

/// Finds one trial, one file that is too large and one error.
fn attempt(job: &Job) -> anyhow::Result<Attempt> {
    match job.candidate % 3 {
        0 => Err(anyhow!("candidate {} is refused", job.candidate)),
        1 => {
            let trial = Trial { network: format!("network {}", job.candidate), ..Trial::default() };
            Ok(Attempt::Done { trial: Box::new(trial), trained: None, is_complete: true })
        }
        _ => Ok(Attempt::Unfit(Excess {
            reason: format!("{} is too large", job.candidate),
            measured: Default::default(),
        })),
    }
}

fn expected(count: usize) -> BTreeMap<usize, String> {
    let text = |candidate: usize| match candidate % 3 {
        0 => format!("candidate {candidate} is refused"),
        1 => format!("network {candidate}"),
        _ => format!("{candidate} is too large"),
    };
    (0..count).map(|index| (index, text(index + 10))).collect()
}

const TIMEOUT: Duration = Duration::from_secs(30);

#[test]
fn one_process_trains_all_candidates() {
    let processes = tern_nn::process_group::OneProcess;
    let mut results = Results::default();
    let train = |job: &Job, _: &mut (dyn FnMut(f64) + Send)| attempt(job);
    let indices: Vec<usize> = (0..7).collect();
    Queue::new(&processes, TIMEOUT).run(&indices, &mut results, &train, &AtomicBool::new(false)).unwrap();
    assert_eq!(results.0, expected(7));
}

#[test]
fn processes_share_the_candidates_and_one_that_dies_costs_its_own_only() {
    let inboxes = Inboxes::default();
    let [first, second, dead] = [0, 1, 2].map(|rank| InThread::new(rank, 3, &inboxes));
    let never = AtomicBool::new(false);
    let trained_by_second = Mutex::new(0);
    let mut results = Results::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let train = |job: &Job, _: &mut (dyn FnMut(f64) + Send)| {
                *trained_by_second.lock().unwrap() += 1;
                attempt(job)
            };
            work(&second, TIMEOUT, &train, &AtomicBool::new(false)).unwrap();
        });
        let train = |job: &Job, _: &mut (dyn FnMut(f64) + Send)| {
            thread::sleep(Duration::from_millis(50));
            attempt(job)
        };
        // The second process is heard from every second, the third one never.
        let mut queue = Queue::new(&first, Duration::from_secs(3));
        queue.run(&(0..20).collect::<Vec<_>>(), &mut results, &train, &never).unwrap();
        assert_eq!(queue.size(), 2);
        queue.end();
    });
    assert_eq!(results.0, expected(20));
    assert!(*trained_by_second.lock().unwrap() > 5, "{trained_by_second:?}");
    // The dead process got one candidate, which another one trained.
    let messages = dead.inboxes.lock().unwrap()[2].clone();
    let jobs = messages.iter().filter(|(_, bytes)| matches!(serde_json::from_slice(bytes), Ok(Message::Train(_))));
    assert_eq!(jobs.count(), 1);
    assert!([&first, &second].iter().all(|process| process.is_detached.load(Ordering::Relaxed)));
}

#[test]
fn an_interrupted_process_leaves_and_another_one_trains_its_candidate() {
    let inboxes = Inboxes::default();
    let [first, second] = [0, 1].map(|rank| InThread::new(rank, 2, &inboxes));
    let mut results = Results::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let interrupt = AtomicBool::new(false);
            let train = |_: &Job, _: &mut (dyn FnMut(f64) + Send)| {
                interrupt.store(true, Ordering::Relaxed);
                Ok(Attempt::Interrupted)
            };
            work(&second, TIMEOUT, &train, &interrupt).unwrap();
        });
        let train = |job: &Job, _: &mut (dyn FnMut(f64) + Send)| {
            thread::sleep(Duration::from_millis(20));
            attempt(job)
        };
        let mut queue = Queue::new(&first, TIMEOUT);
        queue.run(&(0..30).collect::<Vec<_>>(), &mut results, &train, &AtomicBool::new(false)).unwrap();
        assert_eq!(queue.size(), 1);
        queue.end();
    });
    assert_eq!(results.0, expected(30));
    assert!(!first.is_detached.load(Ordering::Relaxed), "nobody has died");
}

#[test]
fn an_interrupt_of_rank_0_ends_the_trainings_of_all() {
    let inboxes = Inboxes::default();
    let [first, second] = [0, 1].map(|rank| InThread::new(rank, 2, &inboxes));
    let interrupt = AtomicBool::new(false);
    let mut results = Results::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let interrupt = AtomicBool::new(false);
            let train = |_: &Job, _: &mut (dyn FnMut(f64) + Send)| {
                while !interrupt.load(Ordering::Relaxed) {
                    thread::sleep(PAUSE);
                }
                Ok(Attempt::Interrupted)
            };
            work(&second, TIMEOUT, &train, &interrupt).unwrap();
        });
        let train = |job: &Job, _: &mut (dyn FnMut(f64) + Send)| {
            thread::sleep(Duration::from_millis(100));
            interrupt.store(true, Ordering::Relaxed);
            attempt(job)
        };
        let mut queue = Queue::new(&first, TIMEOUT);
        queue.run(&[0, 1], &mut Stopping(&mut results, &interrupt), &train, &interrupt).unwrap();
        queue.end();
    });
    assert_eq!(results.0, BTreeMap::from([(0, "network 10".to_owned())]));
}

/// Begins no training after an interrupt.
struct Stopping<'r>(&'r mut Results, &'r AtomicBool);

impl QueuedRound for Stopping<'_> {
    fn job(&mut self, index: usize) -> Option<Job> {
        if self.1.load(Ordering::Relaxed) { None } else { self.0.job(index) }
    }

    fn on_progress(&mut self, _share: f64) {}

    fn on_result(&mut self, index: usize, result: anyhow::Result<Attempt>) -> anyhow::Result<()> {
        self.0.on_result(index, result)
    }
}

#[test]
fn a_process_ends_when_rank_0_is_silent() {
    let inboxes = Inboxes::default();
    let second = InThread::new(1, 2, &inboxes);
    let train = |job: &Job, _: &mut (dyn FnMut(f64) + Send)| attempt(job);
    let error = work(&second, Duration::from_millis(50), &train, &AtomicBool::new(false)).unwrap_err();
    assert!(error.to_string().contains("rank 0 has sent nothing"), "{error}");
    assert!(second.is_detached.load(Ordering::Relaxed));
}

#[test]
fn an_unknown_message_is_refused_with_its_sender() {
    let inboxes = Inboxes::default();
    let [first, second] = [0, 1].map(|rank| InThread::new(rank, 2, &inboxes));
    second.send(0, b"hello".to_vec());
    let error = receive(&first).unwrap_err().to_string();
    assert!(error.contains("rank 1 sent an unknown message") && error.contains("same version"), "{error}");
}
