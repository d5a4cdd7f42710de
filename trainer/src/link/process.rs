//! The process of QEMU, which emulates a device.

use std::io::Read;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Once this many bytes of QEMU's stderr are stored, later ones are discarded.
const MAX_ERROR_BYTES: usize = 4096;
/// Longest wait for the end of QEMU after its console has closed.
const END_WAIT: Duration = Duration::from_secs(1);
/// Time between two checks whether QEMU has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// QEMU's process. Dropping it kills the process.
pub(super) struct Process {
    /// The name of the program, for messages.
    program: &'static str,
    child: Child,
    /// The first bytes of QEMU's stderr.
    errors: Arc<Mutex<Vec<u8>>>,
}

impl Process {
    /// Takes over a started process, and collects what it writes to stderr if that is a pipe.
    pub(super) fn new(program: &'static str, mut child: Child) -> Self {
        let errors: Arc<Mutex<Vec<u8>>> = Arc::default();
        if let Some(mut stderr) = child.stderr.take() {
            let errors = Arc::clone(&errors);
            thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                    let Ok(mut stored) = errors.lock() else { return };
                    // The first error is the cause; later ones follow from it.
                    if stored.len() < MAX_ERROR_BYTES {
                        stored.extend_from_slice(&buffer[..count]);
                    }
                }
            });
        }
        Process { program, child, errors }
    }

    /// Describes how QEMU ended, after its console has closed. If QEMU still runs after [`END_WAIT`], the description
    /// is that its console closed. The first line of stderr follows, if there is one.
    pub(super) fn end_reason(&mut self) -> String {
        let program = self.program;
        let status = match self.wait_briefly() {
            Some(status) => format!("{program} ended ({status})"),
            None => format!("{program} closed its console"),
        };
        let errors = self.errors.lock().map(|stored| String::from_utf8_lossy(&stored).into_owned());
        // Only the first line is shown: after a fatal error QEMU also prints the processor's registers.
        match errors.unwrap_or_default().trim().lines().next() {
            Some(reason) => format!("{status}: {reason}"),
            None => status,
        }
    }

    /// Waits up to [`END_WAIT`] for QEMU to end, and returns its exit status. `None` if QEMU still runs, or if its
    /// status cannot be read.
    fn wait_briefly(&mut self) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(None) if start.elapsed() < END_WAIT => thread::sleep(POLL_INTERVAL),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both calls fail only if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
