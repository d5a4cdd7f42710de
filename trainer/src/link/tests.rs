//! Tests of the machine mode and the streaming mode with a fake device, and of connections.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tern_runtime::Model;
use tern_runtime::testing::{Aligned, Sizes, random_file};

use super::fake_device::{CREDIT, FakeDevice, Fault, WINDOW};
use super::stream::StreamEnd;
use super::*;
use crate::checksum::crc32_hex;

const TIMEOUT: Duration = Duration::from_millis(300);

fn file() -> Aligned {
    random_file(1, Sizes { embedding_dim: 4, hidden_size: 6, classes: 3 }, "2")
}

fn with_fake<T>(seed: u64, fault: Fault, test: impl FnOnce(Client<&mut FakeDevice<'_>>) -> T) -> (T, u64) {
    let file = file();
    let model = Model::from_bytes(&file).unwrap();
    let mut fake = FakeDevice::new(&model, &file, seed);
    fake.fault = fault;
    let result = test(Client::new(&mut fake, TIMEOUT));
    (result, fake.most_outstanding)
}

impl<L: Link> Link for &mut L {
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        (**self).send(bytes)
    }

    fn receive(&mut self, timeout: Duration) -> Result<Vec<u8>, LinkError> {
        (**self).receive(timeout)
    }
}

/// Streams `texts`, at most `depth` at once, and leaves.
fn stream_all<L: Link>(client: &mut Client<L>, texts: &[Vec<u8>], depth: usize) -> Result<Vec<Reply>, ClientError> {
    client.synchronize()?;
    client.info()?;
    let mut streaming = client.stream(0)?;
    let mut replies = Vec::new();
    for text in texts {
        while streaming.outstanding() >= depth {
            replies.extend(streaming.reply()?);
        }
        streaming.send(text)?;
    }
    while let Some(reply) = streaming.reply()? {
        replies.push(reply);
    }
    streaming.leave()?;
    client.release();
    Ok(replies)
}

proptest! {
    #[test]
    fn every_text_arrives_and_is_answered(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1200), 0..8), depth in 1..5usize, seed: u64,
    ) {
        assert_all_answered(&texts, depth, seed);
    }
}

#[test]
fn every_byte_value_arrives() {
    assert_all_answered(&[(0..=255).collect(), Vec::new(), vec![0x04, 0x03, 0x10, 0x18, 0x44]], 2, 4);
}

/// Streams `texts`, at most `depth` at once, and checks that each arrives and that its logits come back.
fn assert_all_answered(texts: &[Vec<u8>], depth: usize, seed: u64) {
    let file = file();
    let model = Model::from_bytes(&file).unwrap();
    let mut fake = FakeDevice::new(&model, &file, seed);
    let replies = stream_all(&mut Client::new(&mut fake, TIMEOUT), texts, depth).unwrap();
    assert_eq!(fake.texts, texts);
    assert_eq!(replies.len(), texts.len());
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    for (reply, text) in replies.iter().zip(texts) {
        let Reply::Answer(answer) = reply else { panic!("{reply:?}") };
        assert_eq!(answer.logits, session.classify(text).iter().collect::<Vec<_>>());
    }
}

#[test]
fn the_window_is_filled_and_never_exceeded() {
    let long = vec![vec![0x10; 20_000]];
    let (replies, most) = with_fake(3, Fault::None, |mut client| stream_all(&mut client, &long, 1));
    assert_eq!((replies.unwrap().len(), most), (1, WINDOW));
}

/// The error of streaming a few texts to a device with a fault.
fn error_of(fault: Fault) -> String {
    let texts = vec![vec![b'a'; 500]; 6];
    with_fake(5, fault, |mut client| stream_all(&mut client, &texts, 2)).0.unwrap_err().to_string()
}

#[test]
fn every_fault_of_a_device_or_of_the_line_is_an_error() {
    for (fault, parts) in [
        (Fault::SilentAfter(1000), &["sent nothing for 0.3 s", "bytes acknowledged", "the last bytes seen were"][..]),
        (Fault::ExtraAck(1), &["ACKs for", "as were sent"]),
        (Fault::LostByte, &["received 3006 bytes and answered 6 texts, expected 3007 bytes"]),
        (Fault::Flipped(3), &["that of its bytes"]),
        (Fault::Misread(3), &["it answers a request with the checksum"]),
    ] {
        let error = error_of(fault);
        assert!(parts.iter().all(|part| error.contains(part)), "{fault:?}: {error}");
    }
}

#[test]
fn garbage_is_an_error() {
    for garbage in [
        &b"spam  99 %\r\n"[..],
        b"{\"label\":3}\r\n",
        b"\xff\xfe{}\r\n",
        b"{\"label\"\r\n",
        &[b'x'; 5000],
        b"[]\n",
        b"\n",
    ] {
        let error = error_of(Fault::Garbage(1, garbage));
        assert!(error.starts_with("the device sent "), "{error}");
        assert!(error.contains("expected "), "{error}");
    }
    let end = b"{\"stream\":false,\"bytes\":1,\"texts\":0}\r\n";
    assert!(error_of(Fault::Garbage(1, end)).contains("expected an answer"));
}

/// The firmware's tests write the transcript: this side must send the requests in it and understand the answers.
#[test]
fn the_golden_transcript_is_sent_and_understood() {
    struct Transcript {
        sent: Vec<u8>,
        /// Requests, and the answers to each.
        expected: VecDeque<(Vec<u8>, String)>,
        out: String,
    }
    impl Link for &mut Transcript {
        fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
            self.sent.extend_from_slice(bytes);
            while let Some((request, answers)) =
                self.expected.front().filter(|(request, _)| self.sent.ends_with(request))
            {
                let before = self.sent.len() - request.len();
                assert!(
                    self.sent[..before].iter().all(|&byte| byte == 3),
                    "{:?} before a request",
                    &self.sent[..before]
                );
                self.out += answers;
                self.sent.clear();
                self.expected.pop_front();
            }
            Ok(())
        }
        fn receive(&mut self, _: Duration) -> Result<Vec<u8>, LinkError> {
            Ok(std::mem::take(&mut self.out).into_bytes())
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/link/machine.txt");
    let mut expected = VecDeque::<(Vec<u8>, String)>::new();
    for line in std::fs::read_to_string(path).unwrap().lines().skip(1) {
        match line.split_at(2) {
            ("> ", request) => {
                let end = if request.contains(['␄', '␃']) { "" } else { "\n" };
                expected
                    .push_back(((request.replace('␄', "\x04").replace('␃', "\x03") + end).into_bytes(), String::new()));
            }
            (_, answer) => expected.back_mut().unwrap().1 += &format!("{answer}\r\n"),
        }
    }
    let mut device = Transcript { sent: Vec::new(), expected, out: String::new() };
    let mut client = Client::new(&mut device, TIMEOUT);
    client.synchronize().unwrap();
    assert_eq!(client.info().unwrap().model.unwrap().name, "random");
    let labels = client.request("labels").unwrap();
    assert_eq!(labels["labels"].as_array().unwrap().len(), 3);
    let one = client.request("classify free prize").unwrap();
    assert!(client.request("classify xyzzy").unwrap()["label"].is_null());
    assert_eq!(client.request("top 2 call now").unwrap()["top"].as_array().unwrap().len(), 2);
    for (request, code) in [("bob", "unknown_command"), ("top x", "usage")] {
        let ClientError::Refused { error, .. } = client.request(request).unwrap_err() else { panic!("{request}") };
        assert_eq!(error.code, code);
    }
    let mut streaming = client.stream(0).unwrap();
    for text in ["free prize, call now", ""] {
        streaming.send(text.as_bytes()).unwrap();
        let Some(Reply::Answer(answer)) = streaming.reply().unwrap() else { panic!("{text:?}") };
        assert_eq!((answer.logits.len(), answer.label.is_some()), (3, one["label"].is_string() && !text.is_empty()));
    }
    assert_eq!(streaming.leave().unwrap().texts, 2);
    client.release();
    assert!(device.expected.is_empty(), "{:?}", device.expected);
}

/// Firmware of protocol 1 had no machine mode: it took the request for a text.
#[test]
fn firmware_of_another_protocol_is_recognised() {
    struct Old(VecDeque<u8>);
    impl Link for Old {
        fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
            let is_info = bytes.ends_with(b"@info\n");
            let answer = if is_info { r#"{"protocol":1,"firmware":"0.0.9"}"# } else { "spam  99 %" };
            self.0.extend(format!("{}\r\n{answer}\r\n> ", String::from_utf8_lossy(bytes)).bytes());
            Ok(())
        }
        fn receive(&mut self, timeout: Duration) -> Result<Vec<u8>, LinkError> {
            if self.0.is_empty() {
                std::thread::sleep(timeout);
            }
            Ok(self.0.drain(..).collect())
        }
    }
    let error = Client::new(Old(VecDeque::new()), TIMEOUT).synchronize().unwrap_err().to_string();
    assert!(error.starts_with("the device uses protocol 1, expected 2"), "{error}");
}

/// A device in machine mode that takes 0.6 s for each answer, twice its host's timeout.
struct Slow {
    number: u32,
    answer: Vec<u8>,
    ready_at: Instant,
}

impl Link for Slow {
    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        let request = bytes.strip_suffix(b"\n").unwrap();
        let line = format!("{} {{}} {}", self.number, crc32_hex(request));
        self.answer = format!("{line} {}\r\n", crc32_hex(line.as_bytes())).into_bytes();
        (self.number, self.ready_at) = (self.number + 1, Instant::now() + 2 * TIMEOUT);
        Ok(())
    }

    fn receive(&mut self, timeout: Duration) -> Result<Vec<u8>, LinkError> {
        let wait = self.ready_at.saturating_duration_since(Instant::now());
        std::thread::sleep(wait.min(timeout));
        Ok(if wait > timeout { Vec::new() } else { std::mem::take(&mut self.answer) })
    }
}

#[test]
fn a_command_that_may_take_long_is_waited_for_and_another_is_not() {
    for request in ["activate", "rollback", "selftest", "@bench", "erase"] {
        let link = Slow { number: 0, answer: Vec::new(), ready_at: Instant::now() };
        assert!(Client::new(link, TIMEOUT).request(request).is_ok(), "{request}");
    }
    let link = Slow { number: 0, answer: Vec::new(), ready_at: Instant::now() };
    let error = Client::new(link, TIMEOUT).request("labels").unwrap_err().to_string();
    assert!(error.contains("sent nothing for 0.3 s while the answer to `labels`"), "{error}");
}

/// The wait for the answer to a text grows with the model and the text.
#[test]
fn a_large_model_has_time_for_a_long_text() {
    let texts = [b"free prize".repeat(30)];
    // 1.2 ms for each of 300 bytes.
    for (macs, is_answered) in [(0, false), (2_000, true)] {
        let (replied, _) = with_fake(9, Fault::SilentFor(2 * TIMEOUT), |mut client| {
            client.synchronize().unwrap();
            let mut streaming = client.stream(macs).unwrap();
            streaming.send(&texts[0]).unwrap();
            streaming.reply().is_ok()
        });
        assert_eq!(replied, is_answered, "{macs}");
    }
}

#[test]
fn an_overflow_is_returned_as_a_reply() {
    let texts = vec![b"free prize".to_vec(), b"call now".to_vec(), b"now".to_vec()];
    let (replies, _) = with_fake(6, Fault::Overflow(1), |mut client| stream_all(&mut client, &texts, 1));
    let replies = replies.unwrap();
    assert!(matches!(&replies[1], Reply::Rejected(error) if error.code == "overflow"), "{replies:?}");
    assert!(matches!(&replies[2], Reply::Answer(_)));
}

#[test]
fn a_restart_forgets_texts_without_a_reply() {
    let ((), most) = with_fake(7, Fault::None, |mut client| {
        client.synchronize().unwrap();
        let mut streaming = client.stream(0).unwrap();
        (0..3).for_each(|_| streaming.send(&[b'x'; 700]).unwrap());
        streaming.restart().unwrap();
        assert_eq!((streaming.outstanding(), streaming.reply().unwrap()), (0, None));
        streaming.send(b"free").unwrap();
        assert!(matches!(
            streaming.reply().unwrap(),
            Some(Reply::Answer(Classification { tokens: 1, unknown: 0, .. }))
        ));
        let left = streaming.leave().unwrap();
        assert_eq!(left, StreamEnd { bytes: 6, texts: 1 });
    });
    assert!(most <= WINDOW + 1 && most > CREDIT);
}

#[test]
fn a_missing_console_protocol_or_model_is_an_error() {
    struct Noise;
    impl Link for Noise {
        fn send(&mut self, _: &[u8]) -> Result<(), LinkError> {
            Ok(())
        }
        fn receive(&mut self, timeout: Duration) -> Result<Vec<u8>, LinkError> {
            std::thread::sleep(timeout.min(Duration::from_millis(20)));
            Ok(b"~bab{ble\n".to_vec())
        }
    }
    let start = Instant::now();
    let error = Client::new(Noise, TIMEOUT).synchronize().unwrap_err().to_string();
    assert!(error.contains("no tern console answers") && error.contains("bab{ble"), "{error}");
    assert!(Client::new(Noise, TIMEOUT).info().unwrap_err().to_string().contains("`info`"));
    assert!(start.elapsed() < Duration::from_secs(5));

    let file = file();
    let model = Model::from_bytes(&file).unwrap();
    let mut fake = FakeDevice::new(&model, &file, 8);
    fake.info["protocol"] = 3.into();
    let mut client = Client::new(&mut fake, TIMEOUT);
    assert!(client.synchronize().unwrap_err().to_string().contains("uses protocol 3, expected 2"));
    fake.info["protocol"] = 2.into();
    fake.info["model"] = serde_json::Value::Null;
    let mut client = Client::new(&mut fake, TIMEOUT);
    client.synchronize().unwrap();
    let error = client.stream(0).err().unwrap().to_string();
    assert_eq!(error, "the device refuses `stream`: no model: empty (no_model)");
}

#[test]
fn a_tcp_connection_sends_receives_and_reports_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let device = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"hello").unwrap();
        std::thread::sleep(Duration::from_millis(50));
    });
    let mut connection = Target::Tcp { address: address.clone() }.open().unwrap();
    connection.send(b"some bytes").unwrap();
    assert_eq!(connection.receive(TIMEOUT).unwrap(), b"hello");
    device.join().unwrap();
    let error = connection.receive(Duration::from_secs(2)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{address}: the device is gone")), "{error}");
    drop(connection);
    let error = Target::Tcp { address }.open().err().unwrap().to_string();
    assert!(error.contains("expected HOST:PORT"), "{error}");
}

#[test]
fn a_telnet_server_and_a_silent_tcp_port_are_recognised() {
    for (greeting, expected) in [
        (&b"\xff\xfb\x01\xff\xfb\x03"[..], "the other end speaks telnet"),
        (b"", "is another program connected to 127.0.0.1:"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(greeting).unwrap();
            std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
        });
        let connection = Target::Tcp { address }.open().unwrap();
        let error = Client::new(connection, TIMEOUT).synchronize().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        // The server ends when the reading thread has closed the connection.
        drop(server);
    }
}

#[test]
fn a_missing_serial_port_is_an_error() {
    let target = Target::Port { path: "/dev/tern-none".to_owned(), baud: 115_200 };
    let error = target.open().err().unwrap().to_string();
    assert!(error.starts_with("/dev/tern-none: "), "{error}");
}
