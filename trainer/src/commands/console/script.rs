//! Sends lines from a file or a pipe to a device's console, and prints the session.
//!
//! The device prints a prompt when it is ready for a line. A line that begins with `@` is answered with one line of
//! JSON, and without a prompt.

use std::io::{BufRead, Write};
use std::time::Duration;

use anstream::adapter::StripBytes;
use anyhow::bail;
use tern_format::times;

use crate::commands::note;
use crate::link::{Link, is_banner, milliseconds, patience, quoted};
use crate::progress::Stage;

/// The prompt of the device.
const PROMPT: &[u8] = b"> ";
/// The number of bytes of the device's output that an error message quotes.
const RECENT_BYTES: usize = 160;

/// The end of the output that [`Session::wait`] waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OutputEnd {
    Prompt,
    /// A line of JSON; or the prompt, which a device shows after it has restarted.
    JsonOrPrompt,
}

/// The session with a device's console. It follows the device's output to know when the device is ready for a line.
struct Session<'o, L, W> {
    link: L,
    /// The longest silence of the device, unless a command is known to take longer.
    timeout: Duration,
    /// The destination of the device's output.
    out: &'o mut W,
    /// The current line of the device's output.
    output_line: Vec<u8>,
    /// True if the current line began after the last bytes were sent to the device, so that a prompt in it is new.
    is_line_new: bool,
    /// True if the device has printed its banner since the last input line was sent.
    has_restarted: bool,
    /// True if the device shows its prompt. After an answer in JSON it shows none until it receives the next byte.
    is_prompted: bool,
    /// The last bytes of the output, for error messages.
    recent: Vec<u8>,
    /// Removes the escape sequences that control a terminal.
    escapes: StripBytes,
}

/// Sends each line of `lines` once the device has answered the line before, up to `quit` or `exit`, and writes the
/// device's output to `out`. `timeout`: as in [`Session`]. `is_starting`: true if the device has yet to
/// print its banner and prompt, false if it shows its prompt already. Fails if the device falls silent, if it restarts
/// after another line than `reset`, or if a line would start the streaming mode or the machine mode.
pub(super) fn run<L: Link, W: Write>(
    link: L,
    timeout: Duration,
    is_starting: bool,
    mut lines: impl BufRead,
    out: &mut W,
) -> anyhow::Result<()> {
    let mut session = Session {
        link,
        timeout,
        out,
        output_line: Vec::new(),
        is_line_new: false,
        has_restarted: false,
        is_prompted: false,
        recent: Vec::new(),
        escapes: StripBytes::new(),
    };
    if is_starting {
        // A start takes as long as a restart.
        session.wait("its first prompt", OutputEnd::Prompt, patience(b"reset", timeout))?;
    } else {
        session.out.write_all(PROMPT)?;
        session.output_line.extend_from_slice(PROMPT);
        session.is_prompted = true;
    }
    // The current line of the input, and its number, from 1.
    let (mut line, mut number) = (Vec::new(), 0);
    while lines.read_until(b'\n', &mut line)? > 0 {
        number += 1;
        line.pop_if(|last| *last == b'\n');
        line.pop_if(|last| *last == b'\r');
        if is_leave_command(&line) {
            note(format_args!("left the console at line {number}"));
            break;
        }
        session.send_line(&line, number)?;
        line.clear();
    }
    if !session.output_line.is_empty() {
        session.out.write_all(b"\n")?;
    }
    Ok(session.out.flush()?)
}

/// Returns true if `line` is `quit` or `exit`, which leave the console and are not sent to the device.
pub(super) fn is_leave_command(line: &[u8]) -> bool {
    matches!(line, b"quit" | b"exit")
}

impl<L: Link, W: Write> Session<'_, L, W> {
    /// Sends a line and waits for the answer. `number`: its number in the input, from 1. Fails as [`run`] does.
    fn send_line(&mut self, line: &[u8], number: usize) -> anyhow::Result<()> {
        if matches!(line.trim_ascii_end(), b"stream" | b"@stream") {
            bail!(
                "line {number} of the input enters the streaming mode, which has no lines; use `tern classify`, which streams \
                 texts, or a terminal"
            );
        }
        if matches!(line.trim_ascii_end(), b"mode machine" | b"@mode machine") {
            bail!(
                "line {number} of the input enters machine mode, which has no prompt to wait for; begin lines with `@` for \
                 answers in JSON"
            );
        }
        let end = if line.starts_with(b"@") { OutputEnd::JsonOrPrompt } else { OutputEnd::Prompt };
        if !self.is_prompted && end == OutputEnd::Prompt {
            // The device prints the missing prompt when the first byte arrives. If that byte began the line, the prompt
            // would look like the one after the answer, so an empty line is sent first.
            self.send(b"\n")?;
            self.wait("a prompt", end, self.timeout)?;
        }
        self.send(&[line, b"\n"].concat())?;
        self.has_restarted = false;
        let waiting_for = format!("the answer to line {number} of the input, {}", quoted(line));
        // A large model may take as long for a text as a device for the checks after `activate`.
        let text_wait = milliseconds(times::CHECKS_WAIT);
        self.wait(&waiting_for, end, patience(line, self.timeout).max(text_wait))?;
        if self.has_restarted && !matches!(line.trim_ascii_end(), b"reset" | b"@reset") {
            bail!("the device restarted while {waiting_for} was expected; `stats` gives the reason");
        }
        Ok(())
    }

    /// Sends bytes to the device.
    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        // If the device shows no prompt, the current line of its output is empty and begins after these bytes.
        self.is_line_new = !self.is_prompted;
        Ok(self.link.send(bytes)?)
    }

    /// Copies the device's output up to `end`. Fails if the device sends nothing for `max_silence`. `waiting_for`: a
    /// noun phrase for the messages.
    fn wait(&mut self, waiting_for: &str, end: OutputEnd, max_silence: Duration) -> anyhow::Result<()> {
        loop {
            let mut received = self.link.receive(max_silence.min(self.timeout))?;
            if received.is_empty() && max_silence > self.timeout {
                // While `_stage` lives, the terminal shows what is waited for.
                let _stage = Stage::new(format!("waiting for {waiting_for}"));
                received = self.link.receive(max_silence - self.timeout)?;
            }
            if received.is_empty() {
                let (seconds, last_seen) = (max_silence.as_secs_f64(), quoted(&self.recent));
                bail!(
                    "the device sent nothing for {seconds} s while {waiting_for} was expected; the last bytes seen were {last_seen}"
                );
            }
            let output: Vec<u8> = self.escapes.strip_next(&received).flatten().copied().collect();
            let has_json_line = self.track_lines(&output);
            // The device ends lines with CR LF, the printed session with LF alone.
            let text: Vec<u8> = output.into_iter().filter(|&byte| byte != b'\r').collect();
            self.out.write_all(&text)?;
            self.out.flush()?;
            self.is_prompted = self.is_line_new && self.output_line == PROMPT;
            if self.is_prompted || (end == OutputEnd::JsonOrPrompt && has_json_line) {
                return Ok(());
            }
        }
    }

    /// Updates the fields about the device's output by its next bytes. Returns true if they complete a line of JSON,
    /// one that begins with `{`.
    fn track_lines(&mut self, bytes: &[u8]) -> bool {
        let mut has_json_line = false;
        for &byte in bytes {
            match byte {
                b'\n' => {
                    has_json_line |= self.output_line.first() == Some(&b'{');
                    self.has_restarted |= is_banner(&self.output_line);
                    self.output_line.clear();
                    self.is_line_new = true;
                }
                b'\r' => (),
                byte => self.output_line.push(byte),
            }
        }
        self.recent.extend_from_slice(bytes);
        self.recent.drain(..self.recent.len().saturating_sub(RECENT_BYTES));
        has_json_line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::LinkError;
    use std::collections::VecDeque;

    /// A device that answers each line with the next of a list, a few bytes at a time.
    struct Canned {
        answers: VecDeque<&'static str>,
        /// The output that is not yet received.
        out: VecDeque<u8>,
        /// All bytes that were sent to the device.
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
    fn a_device_that_has_started_shows_its_prompt() {
        let mut device = Canned::new("", &["x\r\nham\r\n> "]);
        assert_eq!(transcript(&mut device, false, "x\nquit\ny\n").unwrap(), "> x\nham\n> \n");
    }

    #[test]
    fn a_device_that_restarts_is_recognised_by_its_banner() {
        let banner = "\r\ntern 0.1.0 on host\r\nmodel `a`: 2 classes\r\ntype a text\r\n> ";
        let mut device = Canned::new(banner, &[banner, banner, "x\r\nham\r\n> "]);
        let error = transcript(&mut device, true, "reset\nfree prize\nx\n").unwrap_err().to_string();
        assert!(
            error.contains("the device restarted while the answer to line 2 of the input, \"free prize\""),
            "{error}"
        );
    }

    #[test]
    fn escape_sequences_are_removed() {
        let mut device = Canned::new("\r\ntern\r\n\x1b[c> ", &["x\x1b7\r\n\x1b[1mham\x1b[0m\r\n\x1b[c> "]);
        assert_eq!(transcript(&mut device, true, "x\n").unwrap(), "\ntern\n> x\nham\n> \n");
    }

    #[test]
    fn a_missing_prompt_and_other_modes_are_errors() {
        let mut device = Canned::new("\r\n> ", &["x\r\nham\r\n"]);
        let error = transcript(&mut device, true, "x\n").unwrap_err().to_string();
        assert!(error.contains("the answer to line 1 of the input, \"x\"") && error.contains("ham"), "{error}");
        let error = transcript(&mut Canned::new("\r\n> ", &[]), true, "@stream \n").unwrap_err().to_string();
        assert!(error.starts_with("line 1 of the input enters the streaming mode"), "{error}");
        let error = transcript(&mut Canned::new("\r\n> ", &[]), true, "mode machine\n").unwrap_err().to_string();
        assert!(error.starts_with("line 1 of the input enters machine mode"), "{error}");
    }
}
