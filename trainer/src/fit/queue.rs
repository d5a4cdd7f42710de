//! The queue from which the processes of a search take candidates: recipes, each of which is trained once in a round of
//! the search. A training and its figures are a [`Trial`].
//!
//! Each process has a number, its rank. The process of rank 0 coordinates: it gives a candidate of the round to each
//! idle process and to one thread of its own, and collects the trials. Every process sends a message each second. A
//! process that is silent for too long counts as dead, and its candidate is given to another process.

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

/// The time between two messages that show that a process is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The interval at which a process looks for messages.
const PAUSE: Duration = Duration::from_millis(10);

/// A candidate to be trained.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// The index of the candidate among those of the round, from 0.
    pub index: usize,
    /// The round, from 0.
    pub round: usize,
    /// The number of the candidate, from 1.
    pub candidate: usize,
    /// The settings of the candidate.
    pub settings: Table,
    /// The seconds until the training of a network is stopped; `None` without limit.
    pub seconds_left: Option<f64>,
    /// True if no trial is done yet. The trial then counts even if its training is cut short.
    pub is_first: bool,
}

/// The result of a job.
pub(super) enum Attempt {
    /// The candidate was trained.
    Done {
        trial: Box<Trial>,
        /// The trained model; `None` if another process trained it.
        trained: Option<Trained>,
        /// False if the training was cut short.
        is_complete: bool,
    },
    /// The device file of the candidate exceeds the budget.
    Unfit(Excess),
    /// A signal or the time limit ended the training.
    Interrupted,
}

/// A function that trains the candidate of a job. It calls its second argument with the share of the training that is
/// done. It fails if the recipe is refused, the data cannot be read or the training diverges.
pub(super) type Train<'t> = dyn Fn(&Job, &mut (dyn FnMut(f64) + Send)) -> anyhow::Result<Attempt> + Sync + 't;

/// A message between rank 0 and another process. It is sent as JSON.
#[derive(Debug, Serialize, Deserialize)]
enum Message {
    /// The sender is alive.
    Alive,
    /// From rank 0: train this candidate.
    Train(Job),
    /// From rank 0: end the training after the running batch.
    Stop,
    /// From rank 0: the search is over. `all_alive` is false if a process counts as dead.
    End { all_alive: bool },
    /// To rank 0: the job with this index has ended.
    Done { index: usize, report: Report },
    /// To rank 0: the sender was interrupted, and trains no further candidate.
    Leaving,
}

/// The result of a job in another process: an [`Attempt`] without the model, or the message of an error.
#[derive(Debug, Serialize, Deserialize)]
enum Report {
    Done { trial: Box<Trial>, is_complete: bool },
    Unfit(Excess),
    Interrupted,
    Failed(String),
}

impl Report {
    /// Makes the report of a job's result, without the trained model.
    fn new(result: anyhow::Result<Attempt>) -> Self {
        match result {
            Ok(Attempt::Done { trial, is_complete, .. }) => Report::Done { trial, is_complete },
            Ok(Attempt::Unfit(excess)) => Report::Unfit(excess),
            Ok(Attempt::Interrupted) => Report::Interrupted,
            Err(error) => Report::Failed(format!("{error:#}")),
        }
    }

    /// Returns the result that was reported.
    fn into_result(self) -> anyhow::Result<Attempt> {
        match self {
            Report::Done { trial, is_complete } => Ok(Attempt::Done { trial, trained: None, is_complete }),
            Report::Unfit(excess) => Ok(Attempt::Unfit(excess)),
            Report::Interrupted => Ok(Attempt::Interrupted),
            Report::Failed(message) => Err(anyhow!(message)),
        }
    }
}

/// Sends a message to the process of rank `to`.
fn send(processes: &dyn Processes, to: usize, message: &Message) {
    // A message has string keys and finite numbers only, so it can always be written as JSON.
    processes.send(to, serde_json::to_vec(message).unwrap_or_default());
}

/// Returns the next message and the rank of its sender; `None` if no message has arrived. Fails if the message cannot
/// be read, as when the sender runs another version.
fn receive(processes: &dyn Processes) -> anyhow::Result<Option<(usize, Message)>> {
    let Some((rank, bytes)) = processes.receive() else { return Ok(None) };
    match serde_json::from_slice(&bytes) {
        Ok(message) => Ok(Some((rank, message))),
        Err(error) => {
            bail!("rank {rank} sent an unknown message ({error}); run the same version of tern in all processes")
        }
    }
}

/// An event that a training thread of this process reports.
enum Event {
    /// The share of the running training that is done.
    Progress(f64),
    /// A training has ended: its index in the round and its result.
    Ended(usize, anyhow::Result<Attempt>),
}

/// The round of a search, as its queue sees it.
pub(super) trait QueuedRound {
    /// Returns the job of the candidate whose index in the round is `index`, and whose training begins now; `None` if
    /// no further training may begin.
    fn job(&mut self, index: usize) -> Option<Job>;
    /// Called with the share of the training in this process that is done.
    fn on_progress(&mut self, share: f64);
    /// Called with the result of the candidate whose index in the round is `index`. Fails if the trial cannot be
    /// written to the log.
    fn on_result(&mut self, index: usize, result: anyhow::Result<Attempt>) -> anyhow::Result<()>;
}

/// The state of a process, as rank 0 knows it.
#[derive(Clone, Debug)]
struct Worker {
    /// The index of the candidate that the process trains; `None` if it is idle.
    job: Option<usize>,
    /// The time of the last message from the process.
    last_message: Instant,
    /// False once the process was interrupted or has died. It then gets no further candidate.
    takes_jobs: bool,
    /// True once the process has been silent for too long. It then gets no messages.
    is_dead: bool,
}

/// The processes of a search, as rank 0 sees them.
pub(super) struct Queue<'a> {
    processes: &'a dyn Processes,
    /// The time after which a silent process counts as dead.
    timeout: Duration,
    /// The processes by rank. Rank 0 is this one.
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

    /// Trains the candidates of `round` with these indices, and returns when all trainings have ended. Once `interrupt`
    /// is true, the trainings of all processes end after the running batch. Fails if [`QueuedRound::on_result`] fails
    /// or a message cannot be read.
    pub(super) fn run(
        &mut self,
        candidates: &[usize],
        round: &mut dyn QueuedRound,
        train: &Train<'_>,
        interrupt: &AtomicBool,
    ) -> anyhow::Result<()> {
        let mut waiting: VecDeque<usize> = candidates.iter().copied().collect();
        let mut is_stopped = false;
        thread::scope(|scope| {
            let (events, received) = mpsc::channel();
            loop {
                // Waits for at most `PAUSE`; an event of this process ends the pause.
                match received.recv_timeout(PAUSE) {
                    Ok(Event::Progress(share)) => round.on_progress(share),
                    Ok(Event::Ended(index, result)) => {
                        self.workers[0].job = None;
                        round.on_result(index, result)?;
                    }
                    Err(_) => {}
                }
                self.read_messages(&mut waiting, round)?;
                self.remove_dead(&mut waiting);
                self.send_heartbeat();
                while let Some((rank, job)) = self.next_job(&mut waiting, round) {
                    if rank > 0 {
                        send(self.processes, rank, &Message::Train(job));
                    } else {
                        let events = events.clone();
                        scope.spawn(move || train_in_thread(train, &job, &events));
                    }
                }
                // Nothing runs, and nothing could begin.
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

    /// Takes the first candidate of `waiting` for the first idle process. Returns the rank of the process and its job;
    /// `None` if no process is idle, no candidate waits, or no further training may begin.
    fn next_job(&mut self, waiting: &mut VecDeque<usize>, round: &mut dyn QueuedRound) -> Option<(usize, Job)> {
        let rank = self.workers.iter().position(|worker| worker.takes_jobs && worker.job.is_none())?;
        let index = *waiting.front()?;
        let job = round.job(index)?;
        waiting.pop_front();
        self.workers[rank].job = Some(index);
        Some((rank, job))
    }

    /// Reads all messages that have arrived. Reports the results to `round`, and puts candidates that must be trained
    /// again at the front of `waiting`.
    fn read_messages(&mut self, waiting: &mut VecDeque<usize>, round: &mut dyn QueuedRound) -> anyhow::Result<()> {
        while let Some((rank, message)) = receive(self.processes)? {
            self.workers[rank].last_message = Instant::now();
            match message {
                // Other results are ignored: they come from a process that counts as dead or has left.
                Message::Done { index, report } if self.workers[rank].job == Some(index) => {
                    self.workers[rank].job = None;
                    match report {
                        // Another process trains it, unless the whole search is interrupted.
                        Report::Interrupted => waiting.push_front(index),
                        report => round.on_result(index, report.into_result())?,
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

    /// Removes the processes that have been silent for too long.
    fn remove_dead(&mut self, waiting: &mut VecDeque<usize>) {
        for rank in 1..self.workers.len() {
            let silence = self.workers[rank].last_message.elapsed();
            if !self.workers[rank].is_dead && silence > self.timeout {
                note(format_args!(
                    "warning: rank {rank} has sent nothing for {} s and counts as dead; another process trains its \
                     candidate",
                    silence.as_secs()
                ));
                self.workers[rank].is_dead = true;
                self.remove(rank, waiting);
            }
        }
    }

    /// Tells the other processes once a second that rank 0 is alive.
    fn send_heartbeat(&mut self) {
        if self.last_heartbeat.elapsed() > HEARTBEAT {
            self.last_heartbeat = Instant::now();
            self.tell_others(&Message::Alive);
        }
    }

    /// Gives no further candidates to a process, and puts the one that it trains back into the queue.
    fn remove(&mut self, rank: usize, waiting: &mut VecDeque<usize>) {
        self.workers[rank].takes_jobs = false;
        if let Some(index) = self.workers[rank].job.take() {
            waiting.push_front(index);
        }
    }

    /// Sends a message to all other processes that are alive. Messages to a dead one would fill the buffers of MPI.
    fn tell_others(&self, message: &Message) {
        for rank in 1..self.workers.len() {
            if !self.workers[rank].is_dead {
                send(self.processes, rank, message);
            }
        }
    }

    /// Ends the search in the other processes. If one has died, every process ends without waiting for the others.
    pub(super) fn end(&self) {
        let all_alive = self.workers.iter().all(|worker| !worker.is_dead);
        self.tell_others(&Message::End { all_alive });
        if !all_alive {
            self.processes.detach();
        }
    }
}

/// Trains a candidate in this thread, and sends the progress and the result to `events`.
fn train_in_thread(train: &Train<'_>, job: &Job, events: &Sender<Event>) {
    // Sending fails only if the queue has ended with an error; the result is then not needed.
    let result = train(job, &mut |share| drop(events.send(Event::Progress(share))));
    let _ = events.send(Event::Ended(job.index, result));
}

/// Trains the candidates that rank 0 sends, in a process of another rank, until the search is over. Fails if rank 0 is
/// silent for longer than `timeout` or sends a message that cannot be read. `interrupt` ends the trainings of this
/// process; it is also set when rank 0 asks for that, and before this function returns.
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
                    Message::End { all_alive } => {
                        if !all_alive {
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
        // Ends a training that may still run, whose result is not needed.
        interrupt.store(true, Ordering::Relaxed);
        result
    })
}

#[cfg(test)]
mod tests;
