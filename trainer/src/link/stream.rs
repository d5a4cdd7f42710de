//! The host's side of the console's streaming mode, in which texts of any length are sent without overflowing the
//! device's receive queue.
//!
//! The device acknowledges the bytes that it has read: one ACK for each `credit` bytes. At most `window` of the bytes
//! that the host has sent are not acknowledged.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tern_format::times;

use super::client::{Client, ETX, Event, json, parse, unexpected, unreadable};
use super::client_error::{ClientError, DeviceError};
use super::transport::Link;

/// Control byte that ends a text.
const EOT: u8 = 0x04;
/// Control byte that escapes the next byte, which is sent XOR 0x40.
const DLE: u8 = 0x10;
/// Control byte that abandons a text. The host never sends it as such, but escapes it in texts.
const CAN: u8 = 0x18;

/// The classification of a text by the device.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Classification {
    /// The predicted label. `None` if no token of the text is in the vocabulary, or the model refuses to answer.
    pub label: Option<String>,
    /// The index of the predicted label; `None` if `label` is.
    pub class: Option<usize>,
    /// The logits of the labels, `[labels]`, Q16.
    pub logits: Vec<i32>,
    /// Number of tokens in the text.
    pub tokens: u64,
    /// Number of tokens that are not in the vocabulary.
    pub unknown: u64,
    /// Ticks of the device's clock during which the model ran.
    pub ticks: u64,
}

/// The reply to a text: its classification, or an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The device classified the text.
    Answer(Classification),
    /// The device rejected the text with an error.
    Rejected(DeviceError),
}

/// The device's counts at the end of the streaming mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct StreamEnd {
    /// Bytes received, the final ETX included.
    pub bytes: u64,
    /// Texts that the device classified.
    pub texts: u64,
}

/// A device in streaming mode.
#[derive(Debug)]
pub struct Streaming<'c, L> {
    client: &'c mut Client<L>,
    /// Largest number of bytes that are sent and not yet acknowledged.
    window: u64,
    /// Number of bytes that one ACK acknowledges.
    credit: u64,
    /// Bytes sent since the start of the mode.
    sent: u64,
    /// Bytes of `sent` that the device has acknowledged.
    acknowledged: u64,
    /// The longest time that the device takes for a token. A text has at most one token for each byte.
    token_time: Duration,
    /// Length in bytes of the longest text that was sent.
    longest_text: u32,
    /// Number of texts sent whose reply [`reply`](Self::reply) has not returned yet.
    outstanding: usize,
    /// Replies received and not returned yet.
    replies: VecDeque<Reply>,
    /// Number of texts that the device classified.
    answered: u64,
}

/// The answer to `stream`.
#[derive(Deserialize)]
struct StreamStart {
    window: u64,
    credit: u64,
}

impl<L: Link> Client<L> {
    /// Enters the streaming mode. `macs_per_token`: the multiply-accumulates of the device's model for one token, from
    /// which the longest wait for an answer is computed.
    pub fn stream(&mut self, macs_per_token: usize) -> Result<Streaming<'_, L>, ClientError> {
        let StreamStart { window, credit } = enter(self)?;
        let token_time = Duration::from_nanos(times::NANOSECONDS_PER_MAC * macs_per_token as u64);
        Ok(Streaming {
            client: self,
            window,
            credit,
            sent: 0,
            acknowledged: 0,
            token_time,
            longest_text: 0,
            outstanding: 0,
            replies: VecDeque::new(),
            answered: 0,
        })
    }
}

impl<L: Link> Streaming<'_, L> {
    /// Sends a whole text; waits for ACKs whenever the window is full. [`reply`](Self::reply) returns the replies in
    /// the order of the texts.
    pub fn send(&mut self, text: &[u8]) -> Result<(), ClientError> {
        let mut bytes = escape(text);
        bytes.push(EOT);
        self.client.frames.sent(text);
        self.outstanding += 1;
        self.longest_text = self.longest_text.max(u32::try_from(text.len()).unwrap_or(u32::MAX));
        let mut unsent = bytes.as_slice();
        while !unsent.is_empty() {
            let room = self.window - (self.sent - self.acknowledged);
            if room == 0 {
                self.handle_next("an ACK")?;
                continue;
            }
            let (next, later) = unsent.split_at(unsent.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            self.sent += next.len() as u64;
            self.client.send(next)?;
            unsent = later;
        }
        Ok(())
    }

    /// Number of texts sent whose reply was not returned yet.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Waits for the next reply and returns it. `None` if the reply to every text has been returned.
    pub fn reply(&mut self) -> Result<Option<Reply>, ClientError> {
        if self.outstanding == 0 {
            return Ok(None);
        }
        loop {
            if let Some(reply) = self.replies.pop_front() {
                self.outstanding -= 1;
                return Ok(Some(reply));
            }
            self.handle_next("an answer")?;
        }
    }

    /// Leaves the mode and enters it again, and discards the replies that were not returned yet. This is needed if the
    /// device dropped bytes after several texts had been sent, since it is unknown to which texts the bytes belonged.
    pub fn restart(&mut self) -> Result<(), ClientError> {
        self.client.frames.lose_requests();
        self.end()?;
        self.client.frames.reset();
        StreamStart { window: self.window, credit: self.credit } = enter(self.client)?;
        (self.sent, self.acknowledged, self.outstanding, self.answered) = (0, 0, 0, 0);
        self.replies.clear();
        Ok(())
    }

    /// Leaves the mode, and checks that the device received every byte and that its count of classified texts is that
    /// of the classifications received.
    pub fn leave(mut self) -> Result<StreamEnd, ClientError> {
        let found = self.end()?;
        let expected = StreamEnd { bytes: self.sent, texts: self.answered };
        if found == expected {
            return Ok(found);
        }
        Err(ClientError::Unexpected {
            found: format!("that it received {} bytes and answered {} texts", found.bytes, found.texts),
            expected: format!("{} bytes and {} texts, as were sent and received", expected.bytes, expected.texts),
        })
    }

    /// Ends the mode, and returns the device's counts. Replies that come before the counts are stored.
    fn end(&mut self) -> Result<StreamEnd, ClientError> {
        const WAITING_FOR: &str = "the end of the streaming mode, with `bytes` and `texts`";
        // ETX may exceed the window: the device's queue has room for it.
        self.sent += 1;
        self.client.frames.sent(&[]);
        self.client.send(&[ETX])?;
        loop {
            if let Some(value) = self.receive(WAITING_FOR)? {
                return parse(&value, WAITING_FOR);
            }
        }
    }

    /// Handles the next ACK or reply.
    fn handle_next(&mut self, waiting_for: &str) -> Result<(), ClientError> {
        match self.receive(waiting_for)? {
            // The device has left the mode, although the host did not end it: it misread a byte.
            Some(value) => Err(unexpected(&value, waiting_for)),
            None => Ok(()),
        }
    }

    /// Waits for the next ACK or reply, counts or stores it, and returns `None`; or returns the answer that ends the
    /// mode.
    fn receive(&mut self, waiting_for: &str) -> Result<Option<Value>, ClientError> {
        let waiting_for = format!("{waiting_for} ({} of {} bytes acknowledged)", self.acknowledged, self.sent);
        let patience = self.client.timeout().saturating_add(self.token_time.saturating_mul(self.longest_text));
        let Event::Line(line) = self.client.next_event(&waiting_for, patience)? else {
            self.acknowledged += self.credit;
            if self.acknowledged > self.sent {
                return Err(ClientError::Unexpected {
                    found: format!("ACKs for {} bytes", self.acknowledged),
                    expected: format!("at most {}, as were sent", self.sent),
                });
            }
            return Ok(None);
        };
        let value = json(&line).ok_or_else(|| unreadable(&line, &waiting_for))?;
        if value.get("stream") == Some(&Value::Bool(false)) {
            return Ok(Some(value));
        }
        if self.replies.len() == self.outstanding {
            return Err(unexpected(&value, "no answer, since every text has one"));
        }
        let reply = if value.get("error").is_some() {
            Reply::Rejected(parse(&value, "an error with its message")?)
        } else {
            self.answered += 1;
            Reply::Answer(parse(&value, "the answer to a text")?)
        };
        self.replies.push_back(reply);
        Ok(None)
    }
}

/// Asks the device to enter the streaming mode. Fails if the window that it names is smaller than the credit.
fn enter<L: Link>(client: &mut Client<L>) -> Result<StreamStart, ClientError> {
    let value = client.request("stream")?;
    let entered: StreamStart = parse(&value, "the answer to `stream`, with `window` and `credit`")?;
    // With a window smaller than the credit the first ACK would never come.
    if entered.credit == 0 || entered.window < entered.credit {
        return Err(unexpected(&value, "a credit of at least 1 and a window of at least the credit"));
    }
    Ok(entered)
}

/// Escapes each control byte in a text: DLE, and the byte XOR 0x40.
fn escape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 1);
    for &byte in text {
        match byte {
            ETX | EOT | DLE | CAN => bytes.extend([DLE, byte ^ 0x40]),
            byte => bytes.push(byte),
        }
    }
    bytes
}
