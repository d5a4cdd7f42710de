//! Tests of the console on a port of two buffers, with a random model.

mod interactive;
mod json_answers;
mod machine_mode;
mod model_kinds;
mod queue_overflow;
mod robustness;
mod stream_mode;

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
use crate::crc32::crc32;
use crate::engine::LoadedModel;
use crate::port::{Event, LostBytes};
use crate::queue::{CAPACITY, Dropped, QueueReader, QueueWriter, Ring, split};
use crate::stream::{ACK, CREDIT, WINDOW};

const BOARD: Board = Board { name: "bench", clock_hz: 1_000_000, scratch_bytes: 4096 };
const SIZES: Sizes = Sizes { embedding_dim: 4, hidden_size: 6, classes: 3 };

/// A port on the real queue. Each measurement of the runtime takes 10 ticks.
struct TestPort<'q> {
    writer: QueueWriter<'q>,
    received: QueueReader<'q>,
    sent: Vec<u8>,
    ticks: u32,
    events: Vec<Event>,
    /// Bytes that arrive while the runtime works on the next text.
    meanwhile: Vec<u8>,
}

impl ErrorType for TestPort<'_> {
    type Error = Infallible;
}

impl Read for TestPort<'_> {
    fn read(&mut self, to: &mut [u8]) -> Result<usize, Infallible> {
        let bytes = core::iter::from_fn(|| self.received.pop());
        Ok(to.iter_mut().zip(bytes).map(|(to, byte)| *to = byte).count())
    }
}

impl ReadReady for TestPort<'_> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.received.is_ready())
    }
}

impl Write for TestPort<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.sent.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Port for TestPort<'_> {
    fn take_lost_bytes(&mut self) -> Option<LostBytes> {
        self.received.take_lost_bytes()
    }

    fn ticks(&mut self) -> u32 {
        mem::take(&mut self.meanwhile).into_iter().for_each(|byte| self.writer.push(byte));
        self.ticks = self.ticks.wrapping_add(10);
        self.ticks
    }

    fn wait(&mut self) {}

    fn log_event(&mut self, event: Event) {
        self.events.push(event);
    }
}

type Tested<'c, 'm, 'q> = &'c mut Console<'m, TestPort<'q>>;

/// Runs `test` with a console and the model in `file`. The console has not printed anything yet.
fn with_file(file: &[u8], scratch_words: usize, test: impl FnOnce(Tested<'_, '_, '_>)) {
    let (mut ring, dropped) = (Ring::new(), Dropped::new());
    let (writer, received) = split(&mut ring, &dropped);
    // The tick counter wraps in the middle of a test.
    let port = TestPort { writer, received, sent: vec![], ticks: u32::MAX - 35, events: vec![], meanwhile: vec![] };
    let mut scratch = vec![0; scratch_words];
    let found = LoadedModel::from_slot(file);
    let model = match &found {
        Ok(found) => Engine::new(found, &mut scratch),
        Err(refusal) => Err(*refusal),
    };
    test(&mut Console::new(port, BOARD, model));
}

/// Runs `test` with a console and a random model.
fn with_model(test: impl FnOnce(Tested<'_, '_, '_>)) {
    with_file(&random_file(1, SIZES, "3"), 1024, test);
}

/// The console's answer to `bytes`.
fn ask(console: Tested<'_, '_, '_>, bytes: &[u8]) -> String {
    for &byte in bytes {
        console.port.writer.push(byte);
        console.poll().unwrap();
    }
    sent(console)
}

fn sent(console: Tested<'_, '_, '_>) -> String {
    String::from_utf8(mem::take(&mut console.port.sent)).unwrap()
}

/// The JSON answer to `line`, which must be everything that is sent.
fn machine(console: Tested<'_, '_, '_>, line: &str) -> String {
    let answer = ask(console, format!("{line}\n").as_bytes());
    let json = answer.strip_suffix("\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(json.starts_with('{') && json.ends_with('}') && !json.contains(char::is_control), "{json:?}");
    json.into()
}

/// The logits, tokens and unknown tokens that the runtime itself computes.
fn expected(text: &str) -> (Vec<i32>, u32, u32) {
    let file = random_file(1, SIZES, "3");
    let found = LoadedModel::from_slot(&file).unwrap();
    let mut scratch = vec![0; found.model.scratch_len()];
    let mut session = found.model.text_session(&mut scratch).unwrap();
    let logits = session.classify(text.as_bytes()).iter().collect();
    (logits, session.tokens(), session.unknown())
}

/// The end of a JSON answer, from its logits on.
fn tail(text: &str) -> String {
    let (logits, tokens, unknown) = expected(text);
    let logits: Vec<String> = logits.iter().map(|logit| format!("{logit}")).collect();
    format!(r#""logits":[{}],"tokens":{tokens},"unknown":{unknown},"ticks":20}}"#, logits.join(","))
}

/// The parts of a framed answer: its number, its JSON and the checksum of the request. Checks the answer's own
/// checksum.
fn framed(line: &str) -> (u32, &str, u32) {
    let (before, sum) = line.rsplit_once(' ').unwrap();
    assert_eq!(sum, format!("{:08x}", crc32(before.as_bytes())), "{line}");
    let (before, request) = before.rsplit_once(' ').unwrap();
    let (number, json) = before.split_once(' ').unwrap();
    (number.parse().unwrap(), json, u32::from_str_radix(request, 16).unwrap())
}

/// Sends `line`, and `meanwhile` while it is being answered.
fn flood(console: Tested<'_, '_, '_>, line: &[u8], meanwhile: &[u8]) -> String {
    console.port.meanwhile = meanwhile.to_vec();
    line.iter().for_each(|&byte| console.port.writer.push(byte));
    console.poll().unwrap();
    sent(console)
}
