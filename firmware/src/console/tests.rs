//! The console on a port that is two buffers, with a random model.

mod kinds;
mod machine;
mod overflow;
mod person;
mod program;
mod soak;
mod streams;

use core::convert::Infallible;
use core::mem;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use embedded_io::{ErrorType, Read, ReadReady, Write};
use tern_runtime::testing::{Aligned, Sizes, Spec, metadata, random_file, tensors};
use tern_runtime::write::{Tensor, to_bytes};
use tern_runtime::{Cell, Input, Output, Pooling, Task};

use super::*;
use crate::classifier::Found;
use crate::crc32::crc32;
use crate::port::{Event, Loss};
use crate::queue::{CAPACITY, Dropped, Feeder, Ring, Taker, split};
use crate::stream::{ACK, CREDIT, WINDOW};

const BOARD: Board = Board { name: "bench", clock_hz: 1_000_000, scratch_bytes: 4096 };
const SIZES: Sizes = Sizes { embedding_dim: 4, hidden_size: 6, classes: 3 };

/// A port on the real queue. Each measurement of the runtime takes 10 ticks.
struct Bench<'q> {
    feeder: Feeder<'q>,
    received: Taker<'q>,
    sent: Vec<u8>,
    ticks: u32,
    events: Vec<Event>,
    /// Arrives while the runtime works on the next text.
    meanwhile: Vec<u8>,
}

impl ErrorType for Bench<'_> {
    type Error = Infallible;
}

impl Read for Bench<'_> {
    fn read(&mut self, to: &mut [u8]) -> Result<usize, Infallible> {
        let bytes = core::iter::from_fn(|| self.received.pop());
        Ok(to.iter_mut().zip(bytes).map(|(to, byte)| *to = byte).count())
    }
}

impl ReadReady for Bench<'_> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.received.is_ready())
    }
}

impl Write for Bench<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.sent.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Port for Bench<'_> {
    fn take_loss(&mut self) -> Option<Loss> {
        self.received.take_loss()
    }

    fn ticks(&mut self) -> u32 {
        mem::take(&mut self.meanwhile).into_iter().for_each(|byte| self.feeder.push(byte));
        self.ticks = self.ticks.wrapping_add(10);
        self.ticks
    }

    fn wait(&mut self) {}

    fn note(&mut self, event: Event) {
        self.events.push(event);
    }
}

type Tested<'c, 'm, 'q> = &'c mut Console<'m, Bench<'q>>;

/// A console with the model in `file`, before its first word.
fn with_file(file: &[u8], scratch_words: usize, test: impl FnOnce(Tested<'_, '_, '_>)) {
    let (mut ring, dropped) = (Ring::new(), Dropped::new());
    let (feeder, received) = split(&mut ring, &dropped);
    // The counter wraps in the middle of a test.
    let port = Bench { feeder, received, sent: vec![], ticks: u32::MAX - 35, events: vec![], meanwhile: vec![] };
    let mut scratch = vec![0; scratch_words];
    let found = Found::in_slot(file);
    let model = match &found {
        Ok(found) => Classifier::new(found, &mut scratch),
        Err(refusal) => Err(*refusal),
    };
    test(&mut Console::new(port, BOARD, model));
}

/// A console with a random model.
fn with_model(test: impl FnOnce(Tested<'_, '_, '_>)) {
    with_file(&random_file(1, SIZES, "3"), 1024, test);
}

/// What the console answers to `bytes`.
fn ask(console: Tested<'_, '_, '_>, bytes: &[u8]) -> String {
    for &byte in bytes {
        console.port.feeder.push(byte);
        console.poll().unwrap();
    }
    sent(console)
}

fn sent(console: Tested<'_, '_, '_>) -> String {
    String::from_utf8(mem::take(&mut console.port.sent)).unwrap()
}

/// `json` of a machine answer, which must be all that is sent.
fn machine(console: Tested<'_, '_, '_>, line: &str) -> String {
    let answer = ask(console, format!("{line}\n").as_bytes());
    let json = answer.strip_suffix("\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(json.starts_with('{') && json.ends_with('}') && !json.contains(char::is_control), "{json:?}");
    json.into()
}

/// What the runtime itself says.
fn expected(text: &str) -> (Vec<i32>, u32, u32) {
    let file = random_file(1, SIZES, "3");
    let found = Found::in_slot(&file).unwrap();
    let mut scratch = vec![0; found.model.scratch_len()];
    let mut session = found.model.session(&mut scratch).unwrap();
    let logits = session.classify(text.as_bytes()).iter().collect();
    (logits, session.tokens(), session.unknown())
}

/// A machine answer without label and probability, which follow from its logits.
fn tail(text: &str) -> String {
    let (logits, tokens, unknown) = expected(text);
    let logits: Vec<String> = logits.iter().map(|logit| format!("{logit}")).collect();
    format!(r#""logits":[{}],"tokens":{tokens},"unknown":{unknown},"ticks":20}}"#, logits.join(","))
}

/// The parts of a framed answer: number, JSON, checksum of the request. Its own checksum must fit.
fn framed(line: &str) -> (u32, &str, u32) {
    let (before, sum) = line.rsplit_once(' ').unwrap();
    assert_eq!(sum, format!("{:08x}", crc32(before.as_bytes())), "{line}");
    let (before, request) = before.rsplit_once(' ').unwrap();
    let (number, json) = before.split_once(' ').unwrap();
    (number.parse().unwrap(), json, u32::from_str_radix(request, 16).unwrap())
}

/// Sends `line`, and `meanwhile` while it is answered.
fn flood(console: Tested<'_, '_, '_>, line: &[u8], meanwhile: &[u8]) -> String {
    console.port.meanwhile = meanwhile.to_vec();
    line.iter().for_each(|&byte| console.port.feeder.push(byte));
    console.poll().unwrap();
    sent(console)
}
