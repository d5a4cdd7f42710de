//! Tests of the receiver with a simple sender, over a line that damages, loses and repeats bytes.

use std::vec;
use std::vec::Vec;

use tern_runtime::testing::Random;

use super::block::CRC16;
use super::*;

fn block(number: u8, data: &[u8], fill: u8) -> Vec<u8> {
    let (kind, length) = if data.len() > 128 { (STX, 1024) } else { (SOH, 128) };
    let mut padded = data.to_vec();
    padded.resize(length, fill);
    let mut bytes = vec![kind, number, !number];
    bytes.extend_from_slice(&padded);
    bytes.extend_from_slice(&CRC16.checksum(&padded).to_be_bytes());
    bytes
}

fn block_0(name: &str, length: usize) -> Vec<u8> {
    block(0, std::format!("{name}\0{length} 14210 100644").as_bytes(), 0)
}

/// A receiver with everything that it replied and stored.
#[derive(Default)]
struct TestReceiver {
    receiver: Receiver,
    replies: Vec<u8>,
    begun: Option<u32>,
    file: Vec<u8>,
    done: bool,
    failure: Option<Failure>,
}

impl TestReceiver {
    fn new() -> Self {
        let mut end = TestReceiver::default();
        end.silence();
        assert_eq!(end.replied(), b"C");
        end
    }

    fn act(&mut self, action: impl FnOnce(&mut Receiver) -> Action<'_>) {
        let reply = match action(&mut self.receiver) {
            Action::Wait => return,
            Action::Reply(reply) => reply,
            Action::Begin(length) => {
                self.begun = Some(length);
                self.receiver.ready()
            }
            Action::Data(data) => {
                self.file.extend_from_slice(data);
                self.receiver.ready()
            }
            Action::Done(reply) => {
                self.done = true;
                reply
            }
            Action::Failed(reply, failure) => {
                self.failure = Some(failure);
                reply
            }
        };
        self.replies.extend_from_slice(reply);
    }

    fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        for &byte in bytes {
            self.act(|receiver| receiver.take(byte));
        }
        self.replied()
    }

    fn silence(&mut self) {
        self.act(Receiver::silence);
    }

    fn replied(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.replies)
    }
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 7 + i / 251) as u8).collect()
}

#[test]
fn files_arrive_in_short_and_long_blocks() {
    let file = content(2 * 1024 + 300);
    let mut end = TestReceiver::new();
    assert_eq!(end.send(&block_0("m.tern", file.len())), [ACK, b'C']);
    assert_eq!(end.begun, Some(file.len() as u32));
    for (i, piece) in file.chunks(1024).enumerate() {
        assert_eq!(end.send(&block(1 + i as u8, piece, 0x1a)), [ACK]);
    }
    assert_eq!(end.send(&[EOT]), [NAK]);
    assert_eq!(end.send(&[EOT]), [ACK, b'C']);
    assert!(!end.done);
    assert_eq!(end.send(&block(0, &[], 0)), [ACK]);
    assert!(end.done && end.file == file);
}

#[test]
fn block_numbers_wrap() {
    let file = content(300 * 128);
    let mut end = TestReceiver::new();
    end.send(&block_0("m", file.len()));
    for (i, piece) in file.chunks(128).enumerate() {
        assert_eq!(end.send(&block((1 + i) as u8, piece, 0)), [ACK], "{i}");
    }
    assert!(end.send(&[EOT, EOT]) == [NAK, ACK, b'C'] && end.file == file);
}

#[test]
fn damaged_blocks_are_requested_again_and_repeated_blocks_are_kept_once() {
    let file = content(1024 + 128);
    let mut end = TestReceiver::new();
    assert_eq!(end.send(&block_0("m", file.len())), [ACK, b'C']);
    // The sender repeats block 0 because the answer was lost.
    assert_eq!(end.send(&block_0("m", file.len())), [ACK, b'C']);
    let whole = block(1, &file[..1024], 0);
    for at in [1, 2, 3, 500, 1027, 1028] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        assert_eq!(end.send(&damaged), [], "byte {at}");
        // After a damaged block, bytes are ignored until the line is silent.
        assert_eq!(end.send(&[SOH, 7, EOT, CAN]), []);
        end.silence();
        assert_eq!(end.replied(), [NAK], "byte {at}");
    }
    // The first byte of the block is damaged or lost, and the file's bytes look like blocks, EOT and CAN CAN.
    let controls = block(1, &[SOH, STX, EOT, CAN, CAN].repeat(100), 0);
    for first in [&[0x42][..], &[]] {
        assert_eq!(end.send(&[first, &controls[1..]].concat()), [], "{first:?}");
        end.silence();
        assert_eq!((end.replied(), end.failure), (vec![NAK], None), "{first:?}");
    }
    // Some bytes of the block are lost.
    assert_eq!(end.send(&whole[..700]), []);
    end.silence();
    assert_eq!(end.replied(), [NAK]);
    assert_eq!(end.send(&whole), [ACK]);
    assert_eq!(end.send(&whole), [ACK]);
    assert_eq!(end.send(&block(2, &file[1024..], 0)), [ACK]);
    assert_eq!(end.send(&[EOT]), [NAK]);
    assert_eq!(end.send(&[EOT]), [ACK, b'C']);
    assert_eq!(end.send(&[EOT]), [ACK, b'C']);
    end.silence();
    assert_eq!(end.replied(), b"C");
    assert!(end.send(&block(0, &[], 0)) == [ACK] && end.done && end.file == file);
}

#[test]
fn failed_transfers_report_their_reason() {
    let fails = |name: &str, bytes: &[&[u8]], failure| {
        let mut end = TestReceiver::new();
        bytes.iter().for_each(|bytes| drop(end.send(bytes)));
        assert_eq!(end.failure, Some(failure), "{name}");
        assert!(!end.done);
    };
    let data = content(1024);
    fails("cancelled", &[&block_0("m", 9), &[CAN, CAN]], Failure::Cancelled);
    fails("typed", &[b"help\r", &[CTRL_C]], Failure::Cancelled);
    fails("no file", &[&block(0, &[], 0)], Failure::NoFile);
    fails("no length", &[&block(0, b"name", 0)], Failure::NoLength);
    fails("xmodem", &[&block(1, &data, 0)], Failure::NoLength);
    fails("huge", &[&block(0, b"name\x0099999999999", 0)], Failure::NoLength);
    fails("skipped", &[&block_0("m", 5000), &block(2, &data, 0)], Failure::Order { found: 2, expected: 1 });
    fails(
        "short",
        &[&block_0("m", 5000), &block(1, &data, 0), &[EOT], &[EOT]],
        Failure::Short { found: 1024, expected: 5000 },
    );
    fails("long", &[&block_0("m", 1000), &block(1, &data, 0), &block(2, &data, 0)], Failure::Long { expected: 1000 });
    fails("second", &[&block_0("m", 1000), &block(1, &data, 0), &[EOT, EOT], &block_0("n", 9)], Failure::SecondFile);
    assert!(std::format!("{}", Failure::Short { found: 1024, expected: 5000 }).contains("1024 bytes of 5000"));
}

#[test]
fn the_receiver_gives_up_after_too_many_silences() {
    let mut end = TestReceiver::new();
    (1..INVITATIONS).for_each(|_| end.silence());
    assert_eq!((end.replied().len(), end.failure), (29, None));
    end.silence();
    assert_eq!((end.failure, end.replied().first()), (Some(Failure::NoSender), Some(&CAN)));

    let mut end = TestReceiver::new();
    end.send(&block_0("m", 5000));
    (0..SILENCES).for_each(|_| end.silence());
    assert_eq!(end.failure, None);
    end.silence();
    assert_eq!(end.failure, Some(Failure::Silent));

    // The file is complete, and the sender goes away without its last block.
    let mut end = TestReceiver::new();
    end.send(&block_0("m", 128));
    end.send(&block(1, &content(128), 0));
    end.send(&[EOT, EOT]);
    (0..=SILENCES).for_each(|_| end.silence());
    assert!(end.done && end.failure.is_none());
}

/// A transfer of one or two blocks with changed, added, repeated and missing bytes, as steps: bytes, and `None` for a
/// silence of the line.
fn damaged_transfer(random: &mut Random) -> (usize, Vec<Option<u8>>) {
    let mut below = |n: usize| random.between(0, n as i64 - 1) as usize;
    let length = below(200);
    let mut parts = vec![block_0("m", length)];
    let file = content(length);
    parts.extend(file.chunks(128).zip(1..).map(|(piece, number)| block(number, piece, 0)));
    parts.extend([vec![EOT], vec![EOT], block(0, &[], 0)]);
    for _ in 0..below(4) {
        let (at, from) = (below(parts.len()), below(parts.len()));
        let controls = [SOH, STX, EOT, CAN, CTRL_C, ACK, NAK, WANT_CRC, 0, 0xff];
        match below(5) {
            0 => drop(parts.remove(at)),
            1 => parts.insert(at, parts[from].clone()),
            2 => parts[at] = vec![controls[below(10)]; 1 + below(3)],
            _ => {
                let place = below(parts[at].len());
                match below(3) {
                    0 => parts[at][place] ^= 1 << below(8),
                    1 => parts[at][place] = controls[below(10)],
                    _ => drop(parts[at].drain(place..)),
                }
            }
        }
        if parts.is_empty() || parts.iter().any(Vec::is_empty) {
            parts.retain(|part| !part.is_empty());
            parts.push(vec![EOT]);
        }
    }
    let mut steps = Vec::new();
    for part in parts {
        steps.extend(part.into_iter().map(Some));
        // A silence in place of the sender's wait for an answer.
        steps.extend(core::iter::repeat_n(None, below(8).saturating_sub(4)));
    }
    (length, steps)
}

/// Whatever arrives, the receiver stores no more than was announced, and a file that it calls complete has the
/// announced length. `TERN_SOAK_TRANSFERS` sets the number of transfers.
#[test]
fn damaged_transfers_never_stop_the_receiver() {
    let count = std::env::var("TERN_SOAK_TRANSFERS").map_or(20_000, |count| count.parse().expect("a number"));
    let mut random = Random(11);
    let (mut done, mut failed, mut wrong) = (0, 0, 0);
    for number in 0..count {
        let (length, steps) = damaged_transfer(&mut random);
        let mut end = TestReceiver::new();
        for step in steps {
            match step {
                Some(byte) => end.act(|receiver| receiver.take(byte)),
                None => end.silence(),
            }
            let announced = end.begun.unwrap_or(0) as usize;
            assert!(end.file.len() <= announced, "transfer {number}: {} of {announced} bytes", end.file.len());
            if end.done || end.failure.is_some() {
                break;
            }
        }
        // Without a sender, the receiver comes to an end by itself.
        let mut silences = 0;
        while !end.done && end.failure.is_none() {
            end.silence();
            silences += 1;
            assert!(silences <= 100, "transfer {number} does not end");
        }
        if end.done {
            done += 1;
            assert_eq!(end.begun, Some(end.file.len() as u32), "transfer {number}");
            wrong += usize::from(end.file != content(length));
        } else {
            failed += 1;
        }
    }
    std::println!("{count} transfers: {done} complete, {wrong} of them with other bytes, {failed} failed");
    // The checksum misses one damaged block in 65,536.
    assert!(wrong <= count / 10_000, "{wrong} files have other bytes");
    assert!(done > count / 10 && failed > count / 10, "{done} complete, {failed} failed");
}
