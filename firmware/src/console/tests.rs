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
use std::boxed::Box;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use tern_runtime::testing::{Aligned, Sizes, Spec, metadata, random_file, tensors};
use tern_runtime::write::{Tensor, to_bytes};
use tern_runtime::{Cell, Input, Output, Pooling, Task};

use super::*;
use crate::crc32::crc32;
use crate::loaded_model::LoadedModel;
use crate::port::{Event, LostBytes};
use crate::queue::{CAPACITY, Dropped, QueueReader, QueueWriter, Ring, split};
use crate::stream::{ACK, CREDIT, WINDOW};

const BOARD: BoardInfo = BoardInfo { name: "bench", clock_hz: 1_000_000, scratch_bytes: 4096 };
const SIZES: Sizes = Sizes { embedding_dim: 4, hidden_size: 6, classes: 3 };

/// A port on the real queue. Each measurement of the runtime takes 10 ticks.
struct TestPort {
    writer: QueueWriter<'static>,
    received: QueueReader<'static>,
    sent: Vec<u8>,
    ticks: u32,
    events: Vec<Event>,
    /// Bytes that arrive while the runtime works on the next text.
    meanwhile: Vec<u8>,
}

impl Port for TestPort {
    type Error = Infallible;

    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.received.is_ready())
    }

    fn read(&mut self, to: &mut [u8]) -> usize {
        self.received.read(to)
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.sent.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

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

type TestConsole = Console<'static, TestPort>;

/// A console with the model in `file`. It has not printed anything yet. Its memory is leaked, as that of a device.
fn console_with(file: &[u8], scratch_words: usize) -> TestConsole {
    fn leak<T>(value: T) -> &'static mut T {
        Box::leak(Box::new(value))
    }
    let (writer, received) = split(leak(Ring::new()), leak(Dropped::new()));
    // The tick counter wraps in the middle of a test.
    let port = TestPort { writer, received, sent: vec![], ticks: u32::MAX - 35, events: vec![], meanwhile: vec![] };
    let model = match LoadedModel::from_slot(leak(Aligned::new(file))) {
        Ok(loaded) => Engine::new(leak(loaded), leak(vec![0; scratch_words])),
        Err(refusal) => Err(refusal),
    };
    Console::new(port, BOARD, model)
}

/// A console with a random model.
fn console_with_model() -> TestConsole {
    console_with(&random_file(1, SIZES, "3"), 1024)
}

/// A console with a random model, after its banner and first prompt.
fn started_console() -> TestConsole {
    let mut console = console_with_model();
    console.start().unwrap();
    console.sent();
    console
}

impl TestConsole {
    /// Puts `bytes` into the queue at once.
    fn receive(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.port.writer.push(byte));
        self.poll().unwrap();
    }

    /// The answer to `bytes`, which arrive one by one.
    fn ask(&mut self, bytes: &[u8]) -> String {
        bytes.iter().for_each(|&byte| self.receive(&[byte]));
        self.sent()
    }

    /// Everything sent since the last call.
    fn sent(&mut self) -> String {
        String::from_utf8(mem::take(&mut self.port.sent)).unwrap()
    }

    /// The JSON answer to `line`, which must be everything that is sent.
    fn machine(&mut self, line: &str) -> String {
        let answer = self.ask(format!("{line}\n").as_bytes());
        let json = answer.strip_suffix("\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        assert!(json.starts_with('{') && json.ends_with('}') && !json.contains(char::is_control), "{json:?}");
        json.into()
    }

    /// Sends `line`, and `meanwhile` while it is being answered.
    fn flood(&mut self, line: &[u8], meanwhile: &[u8]) -> String {
        self.port.meanwhile = meanwhile.to_vec();
        self.receive(line);
        self.sent()
    }
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
