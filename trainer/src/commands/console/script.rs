//! Lines from a file or a pipe.

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::link::{Link, shown};

const PROMPT: &[u8] = b"> ";

/// A device's console as a program sees it: whether it is ready for the next line.
struct Session<'o, L, W> {
    link: L,
    patience: Duration,
    out: &'o mut W,
    /// What stands on the current line of the device's terminal.
    current: Vec<u8>,
    /// The current line began after the last line was sent.
    is_new: bool,
    /// The device waits at its prompt. If not, it is quiet after a machine answer.
    is_prompted: bool,
    seen: Vec<u8>,
    sequences: Sequences,
}

/// Takes escape sequences out: they drive a terminal, and here is none.
#[derive(Default)]
struct Sequences {
    /// After ESC; with `[` after that.
    is_begun: bool,
    is_long: bool,
}

impl Sequences {
    /// Whether the byte is part of a sequence.
    fn take(&mut self, byte: u8) -> bool {
        const ESC: u8 = 0x1b;
        match (self.is_begun, byte) {
            (_, ESC) => (self.is_begun, self.is_long) = (true, false),
            (false, _) => return false,
            (true, b'[') if !self.is_long => self.is_long = true,
            (true, 0x40..=0x7e) => self.is_begun = false,
            (true, _) => self.is_begun = self.is_long,
        }
        true
    }
}

/// Sends each line of `lines` when the one before is answered, and writes to `out` what the device sends. One that `is_starting`
/// says what it is first; one that is not, has given its prompt.
pub(super) fn run<L: Link, W: Write>(
    link: L,
    patience: Duration,
    is_starting: bool,
    mut lines: impl BufRead,
    out: &mut W,
) -> anyhow::Result<()> {
    let mut session = Session {
        link,
        patience,
        out,
        current: Vec::new(),
        is_new: false,
        is_prompted: false,
        seen: Vec::new(),
        sequences: Sequences::default(),
    };
    if is_starting {
        session.wait("its first prompt", false)?;
    } else {
        session.out.write_all(PROMPT)?;
        session.current.extend_from_slice(PROMPT);
        session.is_prompted = true;
    }
    let (mut line, mut number) = (Vec::new(), 0);
    while lines.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        line.pop_if(|last| *last == b'\n');
        line.pop_if(|last| *last == b'\r');
        session.line(&line, number)?;
        line.clear();
    }
    if !session.current.is_empty() {
        session.out.write_all(b"\n")?;
    }
    Ok(session.out.flush()?)
}

impl<L: Link, W: Write> Session<'_, L, W> {
    fn line(&mut self, line: &[u8], number: usize) -> anyhow::Result<()> {
        if matches!(line.trim_ascii_end(), b"stream" | b"@stream") {
            bail!(
                "line {number} of the input enters the streaming mode, where there are no lines; `tern classify` streams texts, \
                 and so does a person at a terminal"
            );
        }
        if matches!(line.trim_ascii_end(), b"mode machine" | b"@mode machine") {
            bail!(
                "line {number} of the input enters machine mode, which has no prompt to wait for; a line that begins with `@` is \
                 answered in JSON, too"
            );
        }
        let is_machine = line.starts_with(b"@");
        if !self.is_prompted && !is_machine {
            // Quiet, it would give its prompt at the line's first byte, which would look like that after the answer.
            self.send(b"\n", true)?;
            self.wait("a prompt", false)?;
        }
        self.send(&[line, b"\n"].concat(), !self.is_prompted)?;
        self.wait(&format!("the answer to line {number} of the input, {}", shown(line)), is_machine)
    }

    fn send(&mut self, bytes: &[u8], is_new: bool) -> anyhow::Result<()> {
        self.is_new = is_new;
        Ok(self.link.send(bytes)?)
    }

    /// Copies what comes until the prompt stands there, or, for a machine request, until a line of JSON has come.
    fn wait(&mut self, waiting_for: &str, is_machine: bool) -> anyhow::Result<()> {
        let mut deadline = Instant::now() + self.patience;
        loop {
            let mut bytes = self.link.receive(deadline.saturating_duration_since(Instant::now()))?;
            if bytes.is_empty() {
                let (seconds, last_seen) = (self.patience.as_secs_f64(), shown(&self.seen));
                bail!(
                    "the device sent nothing for {seconds} s while {waiting_for} was expected; the last bytes seen were {last_seen}"
                );
            }
            deadline = Instant::now() + self.patience;
            bytes.retain(|&byte| !self.sequences.take(byte));
            let is_answered = self.take(&bytes);
            // Lines of a transcript end like all others here.
            let text: Vec<u8> = bytes.into_iter().filter(|&byte| byte != b'\r').collect();
            self.out.write_all(&text)?;
            self.out.flush()?;
            self.is_prompted = self.is_new && self.current == PROMPT;
            if self.is_prompted || (is_answered && is_machine) {
                return Ok(());
            }
        }
    }

    /// Follows the device's terminal. Says whether a line of JSON was completed.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let mut is_answered = false;
        for &byte in bytes {
            match byte {
                b'\n' => {
                    is_answered |= self.current.first() == Some(&b'{');
                    self.current.clear();
                    self.is_new = true;
                }
                b'\r' => (),
                byte => self.current.push(byte),
            }
        }
        self.seen.extend_from_slice(bytes);
        self.seen.drain(..self.seen.len().saturating_sub(160));
        is_answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::LinkError;
    use std::collections::VecDeque;

    /// Answers each line by the next of a list, a few bytes at a time.
    struct Canned {
        answers: VecDeque<&'static str>,
        out: VecDeque<u8>,
        sent: Vec<u8>,
    }

    impl Canned {
        fn new(banner: &str, answers: &[&'static str]) -> Self {
            Canned { answers: answers.iter().copied().collect(), out: banner.bytes().collect(), sent: Vec::new() }
        }
    }

    impl Link for &mut Canned {
        fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
            assert!(self.out.is_empty(), "sent before the answer was read");
            self.sent.extend_from_slice(bytes);
            let count = bytes.iter().filter(|&&byte| byte == b'\n').count();
            for _ in 0..count {
                self.out.extend(self.answers.pop_front().expect("an answer for each line").bytes());
            }
            Ok(())
        }

        fn receive(&mut self, _: Duration) -> Result<Vec<u8>, LinkError> {
            let count = self.out.len().min(3);
            Ok(self.out.drain(..count).collect())
        }
    }

    fn transcript(device: &mut Canned, is_starting: bool, input: &str) -> anyhow::Result<String> {
        let mut out = Vec::new();
        run(device, Duration::from_secs(1), is_starting, input.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn each_line_waits_for_its_prompt() {
        let mut device = Canned::new(
            "\r\ntern\r\n> ",
            &["a > b\r\nspam\r\n> ", "\r\n> ", "@help\r\n{}\r\n", "{\"a\":1}\r\n", "> ", "x\r\nham\r\n> "],
        );
        let text = transcript(&mut device, true, "a > b\r\n\n@help\n@info\nx").unwrap();
        assert_eq!(device.sent, b"a > b\n\n@help\n@info\n\nx\n");
        assert_eq!(text, "\ntern\n> a > b\nspam\n> \n> @help\n{}\n{\"a\":1}\n> x\nham\n> \n");
    }

    #[test]
    fn a_device_that_has_started() {
        let mut device = Canned::new("", &["x\r\nham\r\n> "]);
        assert_eq!(transcript(&mut device, false, "x\n").unwrap(), "> x\nham\n> \n");
    }

    #[test]
    fn nothing_of_what_drives_a_terminal_is_kept() {
        let mut device = Canned::new("\r\ntern\r\n\x1b[c> ", &["x\x1b7\r\n\x1b[1mham\x1b[0m\r\n\x1b[c> "]);
        assert_eq!(transcript(&mut device, true, "x\n").unwrap(), "\ntern\n> x\nham\n> \n");
    }

    #[test]
    fn what_cannot_be() {
        let mut device = Canned::new("\r\n> ", &["x\r\nham\r\n"]);
        let error = transcript(&mut device, true, "x\n").unwrap_err().to_string();
        assert!(error.contains("the answer to line 1 of the input, \"x\"") && error.contains("ham"), "{error}");
        let error = transcript(&mut Canned::new("\r\n> ", &[]), true, "@stream \n").unwrap_err().to_string();
        assert!(error.starts_with("line 1 of the input enters the streaming mode"), "{error}");
        let error = transcript(&mut Canned::new("\r\n> ", &[]), true, "mode machine\n").unwrap_err().to_string();
        assert!(error.starts_with("line 1 of the input enters machine mode"), "{error}");
    }
}
