//! A simulated device for tests: a model behind the console's machine and streaming modes (`docs/console.md`). It
//! panics if the host violates the protocol.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use tern_runtime::testing::Random;
use tern_runtime::{Answer, Model};

use super::transport::{Link, LinkError};
use crate::checksum::{crc32, crc32_hex};

// The console's control bytes, as in `docs/console.md`.
const ETX: u8 = 0x03;
const EOT: u8 = 0x04;
const ACK: u8 = 0x06;
const DLE: u8 = 0x10;
const CAN: u8 = 0x18;

/// Largest number of bytes that a host may have sent without an ACK for them.
pub(crate) const WINDOW: u64 = 768;
/// Number of bytes that one ACK acknowledges.
pub(crate) const CREDIT: u64 = 256;

/// A fault that the device simulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No fault.
    None,
    /// Answers nothing after this many streamed bytes.
    SilentAfter(u64),
    /// Sends nothing for this long after the end of a text.
    SilentFor(Duration),
    /// The first logit of the answer to this text is too large by 1. Texts count from 0.
    WrongLogit(usize),
    /// Answers this text with `overflow` and drops the rest of the queue.
    Overflow(usize),
    /// Sends these bytes in place of the answer to this text.
    Garbage(usize, &'static [u8]),
    /// Sends four ACKs too many after this text.
    ExtraAck(usize),
    /// Reports one streamed byte less at the end.
    LostByte,
    /// One bit of the answer to this text changes on the line.
    Flipped(usize),
    /// One byte of this text changes on the line.
    Misread(usize),
}

/// The counts since the start of the streaming mode.
#[derive(Default)]
struct Counts {
    /// Bytes that the host sent.
    sent: u64,
    /// Bytes that the device read.
    consumed: u64,
    /// ACKs that the host has received.
    credited: u64,
    /// Texts that the device answered.
    answered: u64,
}

/// A simulated device: the other end of a [`Link`].
pub(crate) struct FakeDevice<'m> {
    model: &'m Model<'m>,
    scratch: Vec<i32>,
    /// The answer to `info`.
    pub(crate) info: Value,
    pub(crate) fault: Fault,
    random: Random,
    /// Bytes that the host sent and the device has not read.
    queue: VecDeque<u8>,
    /// Bytes that the device sent and the host has not received.
    out: VecDeque<u8>,
    /// The line received so far.
    line: Vec<u8>,
    /// True if the device has sent its prompt, so that it echoes the line.
    prompted: bool,
    /// Number of the next answer; `None` outside of machine mode.
    number: Option<u32>,
    /// Checksum of the request that is being answered; 0 if there is none.
    request: u32,
    /// True in the streaming mode.
    streaming: bool,
    /// True if the last streamed byte was the escape byte.
    escaped: bool,
    /// The streamed text received so far.
    text: Vec<u8>,
    /// All texts received.
    pub(crate) texts: Vec<Vec<u8>>,
    counts: Counts,
    /// The largest number of bytes that were sent and not acknowledged at any time.
    pub(crate) most_outstanding: u64,
    /// The number of times that the host entered the streaming mode.
    pub(crate) restarts: usize,
}

impl<'m> FakeDevice<'m> {
    /// Creates a device with the model of the device file `file`. `seed` determines the lengths of the pieces in which
    /// it receives and sends bytes.
    pub(crate) fn new(model: &'m Model<'m>, file: &[u8], seed: u64) -> Self {
        // `later` stands for a key of later firmware, which a host must ignore.
        let info = json!({
            "protocol": 2, "firmware": "0.1.0", "board": "fake", "clock_hz": 25_000_000, "later": "ignored",
            "model_error": null, "model": {"name": model.name(), "crc32": crc32_hex(file), "bytes": file.len()},
        });
        FakeDevice {
            model,
            scratch: vec![0; model.scratch_len()],
            info,
            fault: Fault::None,
            random: Random(seed),
            queue: VecDeque::new(),
            // The last host stopped in the middle of a line.
            out: b"\x06\x06noise {\"echo\"\r\n> ".iter().copied().collect(),
            line: b"half a line".to_vec(),
            prompted: true,
            number: None,
            request: 0,
            streaming: false,
            escaped: false,
            text: Vec::new(),
            texts: Vec::new(),
            counts: Counts::default(),
            most_outstanding: 0,
            restarts: 0,
        }
    }

    /// Sends a line, in machine mode within its frame.
    fn send_line(&mut self, text: &str) {
        match &mut self.number {
            Some(number) => {
                let framed = format!("{number} {text} {:08x}", self.request);
                self.out.extend(format!("{framed} {}", crc32_hex(framed.as_bytes())).bytes());
                (*number, self.request) = (*number + 1, 0);
            }
            None => self.out.extend(text.bytes()),
        }
        self.out.extend(b"\r\n");
    }

    /// Handles a byte from the host.
    fn take(&mut self, byte: u8) {
        if self.streaming {
            return self.take_streamed(byte);
        }
        match byte {
            ETX => {
                self.line.clear();
                if self.number.is_none() {
                    self.send_line("^C");
                    self.out.extend(b"> ");
                    self.prompted = true;
                }
            }
            b'\n' => self.run_line(),
            byte => self.line.push(byte),
        }
    }

    /// Answers the command in `line`.
    fn run_line(&mut self) {
        let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
        if std::mem::take(&mut self.prompted) {
            self.send_line(&line);
        }
        self.request = crc32(line.as_bytes());
        match line.as_str() {
            "@mode machine" => {
                self.number = Some(0);
                self.send_line(&json!({"mode": "machine", "protocol": self.info["protocol"]}).to_string());
            }
            "mode human" => {
                self.send_line(r#"{"mode":"human"}"#);
                self.number = None;
                self.out.extend(b"> ");
                self.prompted = true;
            }
            "info" => self.send_line(&self.info.to_string()),
            "stream" if self.info["model"].is_null() => {
                self.send_line(r#"{"error":"no_model","message":"no model: empty"}"#)
            }
            "stream" => {
                self.streaming = true;
                self.counts = Counts { sent: self.queue.len() as u64, ..Counts::default() };
                self.restarts += 1;
                self.send_line(&json!({"stream": true, "window": WINDOW, "credit": CREDIT}).to_string());
            }
            line => panic!("a host sent {line:?}"),
        }
    }

    /// Handles a byte of the streaming mode.
    fn take_streamed(&mut self, byte: u8) {
        if let Fault::SilentAfter(bytes) = self.fault
            && self.counts.consumed >= bytes
        {
            return;
        }
        self.consume();
        if std::mem::take(&mut self.escaped) {
            return self.text.push(byte ^ 0x40);
        }
        match byte {
            DLE => self.escaped = true,
            EOT => self.answer(),
            ETX => {
                self.streaming = false;
                let bytes = self.counts.consumed - u64::from(self.fault == Fault::LostByte);
                self.send_line(&json!({"stream": false, "bytes": bytes, "texts": self.counts.answered}).to_string());
            }
            CAN => panic!("a host abandoned a text"),
            byte => self.text.push(byte),
        }
    }

    /// Counts a streamed byte and acknowledges every `CREDIT`th.
    fn consume(&mut self) {
        self.counts.consumed += 1;
        if self.counts.consumed.is_multiple_of(CREDIT) {
            self.out.push_back(ACK);
        }
    }

    /// Answers the streamed text, with the fault if it is for this text.
    fn answer(&mut self) {
        let (index, mut text) = (self.texts.len(), std::mem::take(&mut self.text));
        if self.fault == Fault::Misread(index) {
            text[0] ^= 1;
        }
        self.request = crc32(&text);
        let mut session = self.model.text_session(&mut self.scratch).unwrap();
        let logits = session.classify(&text);
        let (class, refused) = (logits.best().class, logits.answer() == Answer::Refused);
        let mut integers: Vec<i32> = logits.iter().collect();
        let (tokens, unknown) = (session.tokens(), session.unknown());
        self.texts.push(text);
        match self.fault {
            Fault::Overflow(faulty) if faulty == index => {
                // The rest of the queue is lost.
                self.fault = Fault::None;
                while self.queue.pop_front().is_some() {
                    self.consume();
                }
                self.request = 0;
                let error = r#"{"error":"overflow","message":"overflow: 9 bytes","lost":9,"queue_bytes":1024}"#;
                return self.send_line(error);
            }
            Fault::Garbage(faulty, bytes) if faulty == index => return self.out.extend(bytes),
            Fault::WrongLogit(faulty) if faulty == index => integers[0] += 1,
            Fault::ExtraAck(faulty) if faulty == index => self.out.extend([ACK; 4]),
            _ => (),
        }
        self.counts.answered += 1;
        let known = tokens > unknown;
        let label = (known && !refused).then(|| self.model.labels().get(class).unwrap());
        let answer = json!({
            "label": label, "class": label.map(|_| class), "probability": known.then_some(0.5), "logits": integers,
            "tokens": tokens, "unknown": unknown, "ticks": 100 * u64::from(tokens),
        });
        self.send_line(&answer.to_string());
        if self.fault == Fault::Flipped(index) {
            // The line ends in two checksums and CR LF, 20 bytes in all, so this byte is part of the JSON object.
            let position = self.out.len() - 30;
            self.out[position] ^= 1;
        }
    }
}

impl Link for FakeDevice<'_> {
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.queue.extend(bytes);
        if self.streaming {
            self.counts.sent += bytes.len() as u64;
            let outstanding = self.counts.sent.saturating_sub(CREDIT * self.counts.credited);
            self.most_outstanding = self.most_outstanding.max(outstanding);
            // The byte that ends the mode may exceed the window.
            let limit = if bytes == [ETX] { WINDOW + 1 } else { WINDOW };
            assert!(outstanding <= limit, "{outstanding} bytes outstanding, the window is {WINDOW}");
        }
        Ok(())
    }

    /// Reads and sends random numbers of bytes, since a host must not depend on the lengths of the pieces.
    fn receive(&mut self, timeout: Duration) -> Result<Vec<u8>, LinkError> {
        if let Fault::SilentFor(time) = &mut self.fault
            && self.queue.contains(&EOT)
        {
            let wait = timeout.min(*time);
            *time -= wait;
            std::thread::sleep(wait);
            if !time.is_zero() {
                return Ok(Vec::new());
            }
        }
        loop {
            for _ in 0..self.random.between(0, 400) {
                let Some(byte) = self.queue.pop_front() else { break };
                self.take(byte);
            }
            let most = self.random.between(1, 60) as usize;
            let bytes: Vec<u8> = self.out.drain(..most.min(self.out.len())).collect();
            if self.streaming {
                self.counts.credited += bytes.iter().filter(|&&byte| byte == ACK).count() as u64;
            }
            if !bytes.is_empty() || self.queue.is_empty() {
                return Ok(bytes);
            }
        }
    }
}
