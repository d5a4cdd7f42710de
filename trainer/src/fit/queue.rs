//! The queue from which the processes of a search take candidates.
//!
//! The process of rank 0 coordinates: it hands out the candidates of a round, one to each idle process and to a thread
//! of its own, and collects their trials. All processes send a message every second. One that is silent for too long
//! has died, and another process trains its candidate.

use super::fitting::Excess;
use super::training::Trained;
use super::trials::Trial;
use crate::distributed::Processes;
use crate::progress::note;
use anyhow::{anyhow, bail};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};
use toml::Table;

/// The time between two signs of life.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The pause between two looks at the messages.
const PAUSE: Duration = Duration::from_millis(10);

/// A candidate to be trained.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// The index in the round.
    pub index: usize,
    /// The round, from 0.
    pub round: usize,
    /// The number of the candidate, from 1.
    pub candidate: usize,
    /// The settings of the candidate.
    pub settings: Table,
    /// The seconds after which the training of a network ends; `None` without limit.
    pub seconds_left: Option<f64>,
    /// True if no trial is done yet, so that an incomplete one is better than none.
    pub is_first: bool,
}

/// The result of trying a candidate.
pub(super) enum Attempt {
    /// It is trained. The model is there if this process trained it.
    Done {
        trial: Box<Trial>,
        trained: Option<Trained>,
        /// False if the training was cut short.
        is_complete: bool,
    },
    /// Its device file exceeds the budget.
    Unfit(Excess),
    /// The user or the time limit ended its training.
    Interrupted,
}

/// Trains a candidate. The function that it is given is called with the share of the training that is done.
pub(super) type Train<'t> = dyn Fn(&Job, &mut (dyn FnMut(f64) + Send)) -> anyhow::Result<Attempt> + Sync + 't;

/// A message between rank 0 and another process, as JSON.
#[derive(Debug, Serialize, Deserialize)]
enum Message {
    /// The sender is alive.
    Alive,
    /// To a process: train this candidate.
    Train(Job),
    /// To a process: end the training after the running batch.
    Stop,
    /// To a process: the search is over. `is_complete` is false if a process has died.
    End { is_complete: bool },
    /// To rank 0: a trial is done.
    Done { index: usize, report: Report },
    /// To rank 0: the sender was interrupted, and trains no further candidate.
    Leaving,
}

/// The result of a trial in another process.
#[derive(Debug, Serialize, Deserialize)]
enum Report {
    Done { trial: Box<Trial>, is_complete: bool },
    Unfit(Excess),
    Interrupted,
    Failed(String),
}

impl Report {
    fn new(result: anyhow::Result<Attempt>) -> Self {
        match result {
            Ok(Attempt::Done { trial, is_complete, .. }) => Report::Done { trial, is_complete },
            Ok(Attempt::Unfit(excess)) => Report::Unfit(excess),
            Ok(Attempt::Interrupted) => Report::Interrupted,
            Err(error) => Report::Failed(format!("{error:#}")),
        }
    }

    fn result(self) -> anyhow::Result<Attempt> {
        match self {
            Report::Done { trial, is_complete } => Ok(Attempt::Done { trial, trained: None, is_complete }),
            Report::Unfit(excess) => Ok(Attempt::Unfit(excess)),
            Report::Interrupted => Ok(Attempt::Interrupted),
            Report::Failed(message) => Err(anyhow!(message)),
        }
    }
}

fn send(processes: &dyn Processes, to: usize, message: &Message) {
    // Tables have string keys and finite numbers only, so they can always be written.
    processes.send(to, serde_json::to_vec(message).unwrap_or_default());
}

/// Returns the next message. One that cannot be read is an error of the sender, which runs another version.
fn receive(processes: &dyn Processes) -> anyhow::Result<Option<(usize, Message)>> {
    let Some((rank, bytes)) = processes.receive() else { return Ok(None) };
    match serde_json::from_slice(&bytes) {
        Ok(message) => Ok(Some((rank, message))),
        Err(error) => {
            bail!("rank {rank} sent an unknown message ({error}); run the same version of tern in all processes")
        }
    }
}

/// The events of the trainings of this process.
enum Event {
    /// The share of the running training that is done.
    Progress(f64),
    /// A training has ended: its index in the round and its result.
    Ended(usize, anyhow::Result<Attempt>),
}

/// The trials of a round, for its queue.
pub(super) trait Trials {
    /// Returns the candidate with an index, whose training begins; `None` if no further training may begin.
    fn job(&mut self, index: usize) -> Option<Job>;
    /// Called with the share of this process's training that is done.
    fn on_progress(&mut self, share: f64);
    /// Called with the result of a candidate. Fails if it cannot be kept.
    fn on_result(&mut self, index: usize, result: anyhow::Result<Attempt>) -> anyhow::Result<()>;
}

/// The state of a process, as rank 0 knows it.
#[derive(Clone, Debug)]
struct Worker {
    /// The index of the candidate that it trains.
    job: Option<usize>,
    /// The time of its last message.
    last_message: Instant,
    /// False after its interruption and its death: it gets no further candidate.
    takes_jobs: bool,
    is_dead: bool,
}

/// The processes of a search, for rank 0.
pub(super) struct Queue<'a> {
    processes: &'a dyn Processes,
    /// The time after which a silent process counts as dead.
    timeout: Duration,
    workers: Vec<Worker>,
    last_heartbeat: Instant,
}

impl<'a> Queue<'a> {
    pub(super) fn new(processes: &'a dyn Processes, timeout: Duration) -> Self {
        let now = Instant::now();
        let worker = Worker { job: None, last_message: now, takes_jobs: true, is_dead: false };
        Queue { processes, timeout, workers: vec![worker; processes.world_size()], last_heartbeat: now }
    }

    /// Returns the number of processes that train.
    pub(super) fn size(&self) -> usize {
        self.workers.iter().filter(|worker| worker.takes_jobs).count()
    }

    /// Trains some candidates of a round, by their indices. Once `interrupt` is true, the trainings of all processes
    /// end after the running batch.
    pub(super) fn run(
        &mut self,
        candidates: &[usize],
        trials: &mut dyn Trials,
        train: &Train<'_>,
        interrupt: &AtomicBool,
    ) -> anyhow::Result<()> {
        let mut waiting: VecDeque<usize> = candidates.iter().copied().collect();
        let mut is_stopped = false;
        thread::scope(|scope| {
            let (events, received) = mpsc::channel();
            loop {
                // An event of this process ends the pause.
                match received.recv_timeout(PAUSE) {
                    Ok(Event::Progress(share)) => trials.on_progress(share),
                    Ok(Event::Ended(index, result)) => {
                        self.workers[0].job = None;
                        trials.on_result(index, result)?;
                    }
                    Err(_) => {}
                }
                self.read_messages(&mut waiting, trials)?;
                self.find_dead(&mut waiting);
                while let Some(rank) = self.workers.iter().position(|worker| worker.takes_jobs && worker.job.is_none())
                    && let Some(&index) = waiting.front()
                    && let Some(job) = trials.job(index)
                {
                    waiting.pop_front();
                    self.workers[rank].job = Some(index);
                    if rank > 0 {
                        send(self.processes, rank, &Message::Train(job));
                    } else {
                        let events = events.clone();
                        scope.spawn(move || train_in_thread(train, &job, &events));
                    }
                }
                if self.workers.iter().all(|worker| worker.job.is_none()) {
                    break Ok(());
                }
                if interrupt.load(Ordering::Relaxed) && !is_stopped {
                    is_stopped = true;
                    self.tell_others(&Message::Stop);
                }
            }
        })
    }

    fn read_messages(&mut self, waiting: &mut VecDeque<usize>, trials: &mut dyn Trials) -> anyhow::Result<()> {
        while let Some((rank, message)) = receive(self.processes)? {
            self.workers[rank].last_message = Instant::now();
            match message {
                // A result that comes too late is that of a process that was taken for dead.
                Message::Done { index, report } if self.workers[rank].job == Some(index) => {
                    self.workers[rank].job = None;
                    match report {
                        Report::Interrupted => waiting.push_front(index),
                        report => trials.on_result(index, report.result())?,
                    }
                }
                Message::Leaving => {
                    note(format_args!("rank {rank} was interrupted and leaves the search"));
                    self.remove(rank, waiting);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the processes that have died, and sends a sign of life to the others.
    fn find_dead(&mut self, waiting: &mut VecDeque<usize>) {
        for rank in 1..self.workers.len() {
            let silence = self.workers[rank].last_message.elapsed();
            if !self.workers[rank].is_dead && silence > self.timeout {
                note(format_args!(
                    "warning: rank {rank} has sent nothing for {} s and counts as dead; another process trains its candidate",
                    silence.as_secs()
                ));
                self.workers[rank].is_dead = true;
                self.remove(rank, waiting);
            }
        }
        if self.last_heartbeat.elapsed() > HEARTBEAT {
            self.last_heartbeat = Instant::now();
            self.tell_others(&Message::Alive);
        }
    }

    /// Gives the candidate of a process that trains no more to the next idle one.
    fn remove(&mut self, rank: usize, waiting: &mut VecDeque<usize>) {
        self.workers[rank].takes_jobs = false;
        if let Some(index) = self.workers[rank].job.take() {
            waiting.push_front(index);
        }
    }

    /// Sends a message to all other processes that are alive. Messages to a dead one would fill the buffers of MPI.
    fn tell_others(&self, message: &Message) {
        let alive = (1..self.workers.len()).filter(|&rank| !self.workers[rank].is_dead);
        alive.for_each(|rank| send(self.processes, rank, message));
    }

    /// Ends the search in the other processes. If one has died, no process waits for the others at its end.
    pub(super) fn end(&self) {
        let is_complete = self.workers.iter().all(|worker| !worker.is_dead);
        self.tell_others(&Message::End { is_complete });
        if !is_complete {
            self.processes.detach();
        }
    }
}

/// Trains a candidate in a thread of this process.
fn train_in_thread(train: &Train<'_>, job: &Job, events: &Sender<Event>) {
    // The receiver lives until all trainings have ended.
    let result = train(job, &mut |share| drop(events.send(Event::Progress(share))));
    let _ = events.send(Event::Ended(job.index, result));
}

/// Trains the candidates that rank 0 sends, in a process of another rank, until the search is over. Fails if rank 0 is
/// silent for longer than `timeout`. `interrupt` is set when rank 0 ends the trainings.
pub(super) fn work(
    processes: &dyn Processes,
    timeout: Duration,
    train: &Train<'_>,
    interrupt: &AtomicBool,
) -> anyhow::Result<()> {
    let (mut last_message, mut last_heartbeat) = (Instant::now(), Instant::now());
    let mut has_left = false;
    thread::scope(|scope| {
        let (events, received) = mpsc::channel();
        let result = loop {
            match received.recv_timeout(PAUSE) {
                Ok(Event::Ended(index, result)) => {
                    send(processes, 0, &Message::Done { index, report: Report::new(result) });
                }
                Ok(Event::Progress(_)) | Err(_) => {}
            }
            let message = match receive(processes) {
                Ok(message) => message,
                Err(error) => break Err(error),
            };
            if let Some((_, message)) = message {
                last_message = Instant::now();
                match message {
                    Message::Train(job) => {
                        let events = events.clone();
                        scope.spawn(move || train_in_thread(train, &job, &events));
                    }
                    Message::Stop => interrupt.store(true, Ordering::Relaxed),
                    Message::End { is_complete } => {
                        if !is_complete {
                            processes.detach();
                        }
                        break Ok(());
                    }
                    _ => {}
                }
            }
            if interrupt.load(Ordering::Relaxed) && !has_left {
                has_left = true;
                send(processes, 0, &Message::Leaving);
            }
            if last_heartbeat.elapsed() > HEARTBEAT {
                last_heartbeat = Instant::now();
                send(processes, 0, &Message::Alive);
            }
            if last_message.elapsed() > timeout {
                processes.detach();
                break Err(anyhow!("rank 0 has sent nothing for {} s and counts as dead", timeout.as_secs()));
            }
        };
        // Ends a training that nobody waits for.
        interrupt.store(true, Ordering::Relaxed);
        result
    })
}

#[cfg(test)]
mod tests;
