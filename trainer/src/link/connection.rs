//! A [`Link`] over anything that can be read and written: a serial port, a TCP stream, the pipes of QEMU.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::holders::holders;
use super::process::Process;
use super::transport::{Link, LinkError, in_use, take_interrupt};

/// Interval at which a waiting receiver checks for an interrupt.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Time from the start of a send after which the send fails if the other end accepts no more bytes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The kind of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A serial port.
    Port,
    /// A TCP stream.
    Tcp,
    /// The pipes of QEMU.
    Emulated,
}

/// An open connection. A thread reads from it, so that waiting for bytes can time out. Dropping it closes the
/// connection and stops QEMU.
pub struct Connection {
    /// Bytes from the reading thread, and at last the reason why no more come.
    incoming: Receiver<Result<Vec<u8>, String>>,
    /// The reason why no more bytes come; `None` until [`Link::receive`] has met the end.
    ended: Option<String>,
    sending: SendHalf,
    kind: Kind,
    /// True if bytes have been received.
    has_received: bool,
    /// Set to true to end the reading thread.
    stop: Arc<AtomicBool>,
    /// QEMU, if it emulates the device.
    process: Option<Process>,
}

/// The sending half of a [`Connection`], which may be moved to another thread.
pub struct SendHalf {
    /// The name of the connection, for error messages.
    name: String,
    /// `None` once [`Connection::take_send_half`] has taken it.
    writer: Option<Box<dyn Write + Send>>,
}

impl Connection {
    /// Creates a connection with a `name` for error messages, and starts the thread that reads from `reader`. The reads
    /// must time out unless dropping the connection makes them fail, since the thread ends only between two reads.
    pub fn new(
        name: String,
        kind: Kind,
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, incoming) = channel();
        let stopped = Arc::clone(&stop);
        thread::spawn(move || read_all(reader, &sender, &stopped));
        let sending = SendHalf { name, writer: Some(Box::new(writer)) };
        Connection { incoming, ended: None, sending, kind, has_received: false, stop, process: None }
    }

    /// Adds the QEMU process that emulates the device. It ends with the connection.
    pub(super) fn with_process(mut self, process: Process) -> Self {
        self.process = Some(process);
        self
    }

    /// The name of the connection: the port, the address, or the emulated board.
    pub fn name(&self) -> &str {
        &self.sending.name
    }

    /// Takes the sending half out of the connection; afterwards [`Link::send`] fails.
    pub fn take_send_half(&mut self) -> SendHalf {
        SendHalf { name: self.sending.name.clone(), writer: self.sending.writer.take() }
    }

    /// Returns the error of a closed connection, with `reason`, or with the reason why QEMU ended if it emulates the
    /// device.
    fn closed(&mut self, reason: String) -> LinkError {
        let reason = self.process.as_mut().map_or(reason, Process::end_reason);
        LinkError::Closed { link: self.sending.name.clone(), reason }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Link for Connection {
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        match self.sending.send(bytes) {
            Err(LinkError::Closed { reason, .. }) => Err(self.closed(reason)),
            other => other,
        }
    }

    fn receive(&mut self, timeout: Duration) -> Result<Vec<u8>, LinkError> {
        if let Some(reason) = self.ended.clone() {
            return Err(self.closed(reason));
        }
        let deadline = Instant::now() + timeout;
        loop {
            if take_interrupt() {
                return Err(LinkError::Interrupted);
            }
            let time_left = deadline.saturating_duration_since(Instant::now());
            match self.incoming.recv_timeout(time_left.min(POLL_INTERVAL)) {
                Ok(Ok(bytes)) => {
                    // 0xff is telnet's IAC, with which a telnet server begins; the console never sends it.
                    let is_telnet = self.kind == Kind::Tcp && !self.has_received && bytes.first() == Some(&0xff);
                    self.has_received = true;
                    return if is_telnet { Err(LinkError::Telnet { link: self.name().to_owned() }) } else { Ok(bytes) };
                }
                Ok(Err(reason)) => {
                    self.ended = Some(reason.clone());
                    return Err(self.closed(reason));
                }
                Err(RecvTimeoutError::Timeout) if time_left > POLL_INTERVAL => (),
                Err(RecvTimeoutError::Timeout) => return Ok(Vec::new()),
                Err(RecvTimeoutError::Disconnected) => return Err(self.closed("its reader ended".to_owned())),
            }
        }
    }

    fn advice(&self) -> String {
        let firmware = "that the device runs the tern-firmware of this release";
        match self.kind {
            Kind::Tcp if !self.has_received => {
                format!(
                    "is another program connected to {}? A device serves one at a time. Also check {firmware}",
                    self.name()
                )
            }
            Kind::Port => {
                let holders = holders(self.name());
                let also =
                    if holders.is_empty() { String::new() } else { format!("; the port is also {}", in_use(&holders)) };
                format!("check the port, its speed (--baud), and {firmware}{also}")
            }
            Kind::Tcp | Kind::Emulated => format!("check {firmware}"),
        }
    }
}

impl SendHalf {
    /// Sends all bytes, as [`Link::send`].
    pub fn send(&mut self, mut bytes: &[u8]) -> Result<(), LinkError> {
        let closed = |reason: &str| LinkError::Closed { link: self.name.clone(), reason: reason.to_owned() };
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                closed(&error.to_string())
            }
            _ => LinkError::Io { link: self.name.clone(), error },
        };
        let Some(writer) = &mut self.writer else { return Err(closed("its sending half was moved to another thread")) };
        let start = Instant::now();
        while !bytes.is_empty() {
            match writer.write(bytes) {
                Ok(0) => return Err(closed("it accepts no more bytes")),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_temporary(&error) && start.elapsed() < WRITE_TIMEOUT => (),
                Err(error) => return Err(failed(error)),
            }
        }
        match writer.flush() {
            Err(error) if !is_temporary(&error) => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

/// Sends all bytes that `reader` returns to `sender`, until the end of the bytes, an error, or `stop`. Sends the reason
/// of an end or an error last.
fn read_all(mut reader: impl Read, sender: &Sender<Result<Vec<u8>, String>>, stop: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        let event = match reader.read(&mut buffer) {
            Ok(0) => Err("it closed the connection".to_owned()),
            Ok(count) => Ok(buffer[..count].to_vec()),
            Err(error) if is_temporary(&error) => continue,
            Err(error) => Err(error.to_string()),
        };
        let is_end = event.is_err();
        if sender.send(event).is_err() || is_end {
            return;
        }
    }
}

/// Returns true for an error after which the same call may succeed.
fn is_temporary(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
