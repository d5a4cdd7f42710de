//! A [`Link`] over anything that can be read and written.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::qemu::Process;
use super::{Link, LinkError, interrupt};

/// How often a waiter looks whether the user wants to stop.
const SLICE: Duration = Duration::from_millis(50);
/// How long the other end may take no byte.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// A line to a device. Its receiving half is a thread that reads, so that waiting can end.
///
/// Dropping it closes the line, and ends the emulator if there is one.
pub struct Wire {
    incoming: Receiver<Result<Vec<u8>, String>>,
    /// Why nothing more comes.
    ended: Option<String>,
    sending: Sending,
    stop: Arc<AtomicBool>,
    process: Option<Process>,
}

/// The sending half of a [`Wire`], for another thread.
pub struct Sending {
    link: String,
    writer: Option<Box<dyn Write + Send>>,
}

impl Wire {
    /// A line called `link` in errors. Reads may time out, and must at times where the other end stays open after a drop.
    pub fn new(link: String, reader: impl Read + Send + 'static, writer: impl Write + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, incoming) = channel();
        let stopped = Arc::clone(&stop);
        thread::spawn(move || pump(reader, &sender, &stopped));
        let sending = Sending { link, writer: Some(Box::new(writer)) };
        Wire { incoming, ended: None, sending, stop, process: None }
    }

    /// The same line, with the emulator that must end with it.
    pub(super) fn with_process(mut self, process: Process) -> Self {
        self.process = Some(process);
        self
    }

    /// What the line is called.
    pub fn name(&self) -> &str {
        &self.sending.link
    }

    /// Takes the sending half out; after it, [`Link::send`] fails here.
    pub fn take_sending(&mut self) -> Sending {
        Sending { link: self.sending.link.clone(), writer: self.sending.writer.take() }
    }

    fn closed(&mut self, reason: String) -> LinkError {
        let reason = match &mut self.process {
            Some(process) => process.last_words(),
            None => reason,
        };
        LinkError::Closed { link: self.sending.link.clone(), reason }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Link for Wire {
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        match self.sending.send(bytes) {
            Err(LinkError::Closed { reason, .. }) => Err(self.closed(reason)),
            other => other,
        }
    }

    fn receive(&mut self, patience: Duration) -> Result<Vec<u8>, LinkError> {
        if let Some(reason) = self.ended.clone() {
            return Err(self.closed(reason));
        }
        let deadline = Instant::now() + patience;
        loop {
            if interrupt::is_asked() {
                return Err(LinkError::Interrupted);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.incoming.recv_timeout(left.min(SLICE)) {
                Ok(Ok(bytes)) => return Ok(bytes),
                Ok(Err(reason)) => {
                    self.ended = Some(reason.clone());
                    return Err(self.closed(reason));
                }
                Err(RecvTimeoutError::Timeout) if left > SLICE => (),
                Err(RecvTimeoutError::Timeout) => return Ok(Vec::new()),
                Err(RecvTimeoutError::Disconnected) => return Err(self.closed("its reader ended".to_owned())),
            }
        }
    }
}

impl Sending {
    /// As [`Link::send`].
    ///
    /// # Errors
    /// [`LinkError`] if the other end is gone, or takes no byte for ten seconds.
    pub fn send(&mut self, mut bytes: &[u8]) -> Result<(), LinkError> {
        let Some(writer) = &mut self.writer else {
            return Err(LinkError::Closed {
                link: self.link.clone(),
                reason: "its sending half is elsewhere".to_owned(),
            });
        };
        let start = Instant::now();
        while !bytes.is_empty() {
            match writer.write(bytes) {
                Ok(0) => return Err(self.gone("it takes no more bytes")),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_passing(&error) && start.elapsed() < WRITE_PATIENCE => (),
                Err(error) => return Err(self.failed(error)),
            }
        }
        match writer.flush() {
            Err(error) if !is_passing(&error) => Err(self.failed(error)),
            _ => Ok(()),
        }
    }

    fn gone(&self, reason: &str) -> LinkError {
        LinkError::Closed { link: self.link.clone(), reason: reason.to_owned() }
    }

    fn failed(&self, error: std::io::Error) -> LinkError {
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                self.gone(&error.to_string())
            }
            _ => LinkError::Io { link: self.link.clone(), error },
        }
    }
}

/// Reads until the end, an error, or until nobody listens.
fn pump(mut reader: impl Read, sender: &Sender<Result<Vec<u8>, String>>, stop: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        let event = match reader.read(&mut buffer) {
            Ok(0) => Err("it closed the connection".to_owned()),
            Ok(count) => Ok(buffer[..count].to_vec()),
            Err(error) if is_passing(&error) => continue,
            Err(error) => Err(error.to_string()),
        };
        let is_end = event.is_err();
        if sender.send(event).is_err() || is_end {
            return;
        }
    }
}

fn is_passing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
