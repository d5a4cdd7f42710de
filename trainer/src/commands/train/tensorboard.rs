//! Writes the figures of a training as an event file of TensorBoard: a sequence of TFRecord frames, each with an
//! `Event` message of `tensorflow/core/util/event.proto`.
//!
//! Only the messages and fields for scalars are declared here, with the numbers and types of the `.proto` files.

use crate::checksum::CRC32C;
use crate::commands::note;
use crate::train::{BatchProgress, Callback, EpochFigures};
use prost::Message;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "Content", tags = "3, 5, 7")]
    content: Option<Content>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Content {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// The value `START` of `SessionLog.SessionStatus`. It makes TensorBoard discard the values that it has read for the
/// event's step and for later steps.
const START: i32 = 1;

/// The callback that writes an event file. If writing fails, it prints a warning once and the training continues.
#[derive(Debug)]
pub struct EventWriter {
    folder: PathBuf,
    /// `None` after writing has failed.
    file: Option<BufWriter<File>>,
    /// The number of batches of the whole training so far, those before it was resumed included.
    step: u64,
}

impl EventWriter {
    /// Creates an event file in `folder`, and the folder if it is missing.
    ///
    /// `step`: the number of batches before the checkpoint of a resumed training; 0 for a new training. The file of a
    /// resumed training begins with [`START`], so that TensorBoard discards the values of later batches in earlier
    /// files of the folder.
    pub fn create(folder: &Path, step: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let now = since_1970();
        // TensorBoard reads the files of a folder in the order of their names.
        let name = format!(
            "events.out.tfevents.{:010}.{:06}.tern.{}",
            now as u64,
            (now.fract() * 1e6) as u64,
            std::process::id()
        );
        let mut file = BufWriter::new(File::create_new(folder.join(name))?);
        write_event(&mut file, 0, Content::FileVersion("brain.Event:2".to_owned()))?;
        if step > 0 {
            // TensorBoard also discards the values of the event's own step, and those of `step` must be kept.
            write_event(&mut file, step + 1, Content::SessionLog(SessionLog { status: START }))?;
        }
        file.flush()?;
        Ok(EventWriter { folder: folder.to_owned(), file: Some(file), step })
    }

    /// Writes the values of the current step, `(tag, value)`, without those that are `None`. Flushes the file if
    /// `flush` is true.
    fn write(&mut self, scalars: &[(&str, Option<f64>)], flush: bool) {
        let Some(file) = &mut self.file else { return };
        let mut values = Vec::new();
        for &(tag, scalar) in scalars {
            if let Some(scalar) = scalar {
                values.push(Value { tag: tag.to_owned(), simple_value: Some(scalar as f32) });
            }
        }
        let written = write_event(file, self.step, Content::Summary(Summary { value: values }));
        if let Err(error) = written.and_then(|()| if flush { file.flush() } else { Ok(()) }) {
            note(format_args!("warning: {}: {error}; nothing more is written for TensorBoard", self.folder.display()));
            self.file = None;
        }
    }
}

impl Callback for EventWriter {
    fn on_batch(&mut self, progress: &BatchProgress) {
        self.step += 1;
        let scalars = [
            ("train/loss", Some(progress.loss)),
            ("train/accuracy", progress.accuracy),
            ("train/learning_rate", Some(progress.learning_rate)),
            ("train/gradient_norm", Some(progress.gradient_norm)),
        ];
        self.write(&scalars, false);
    }

    fn on_epoch(&mut self, figures: &EpochFigures, _: bool) {
        let valid = &figures.valid;
        let scalars = [
            ("valid/loss", Some(valid.loss)),
            ("valid/accuracy", valid.accuracy),
            ("valid/macro_f1", valid.macro_f1),
            ("valid/perplexity", valid.perplexity),
            ("valid/bits_per_character", valid.bits_per_character),
            ("valid/top_5", valid.top_5),
            ("valid/mae", valid.mae),
            ("valid/rmse", valid.rmse),
        ];
        self.write(&scalars, true);
    }
}

/// Writes an event in its frame.
fn write_event(file: &mut impl Write, step: u64, content: Content) -> io::Result<()> {
    let event = Event { wall_time: since_1970(), step: step as i64, content: Some(content) };
    file.write_all(&frame(&event.encode_to_vec()))
}

/// Returns the time in seconds since 1970.
fn since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Returns `data` in the frame of a TFRecord: the length (u64), its masked CRC-32C, the data, and their masked CRC-32C,
/// all little-endian.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked_crc(&length).to_le_bytes(), data, &masked_crc(data).to_le_bytes()].concat()
}

/// Returns the CRC-32C of `data`, masked as in `tensorflow/core/lib/hash/crc32c.h`.
fn masked_crc(data: &[u8]) -> u32 {
    CRC32C.checksum(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_training_continues_after_the_step_that_it_resumes_from() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path(), 7).unwrap();
        writer.step += 1;
        writer.write(&[("valid/loss", Some(0.5)), ("valid/mae", None), ("zero", Some(0.0))], true);
        let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        assert!(path.to_string_lossy().contains("tfevents"));
        let bytes = fs::read(path).unwrap();
        let (mut remaining, mut events) = (bytes.as_slice(), Vec::new());
        while !remaining.is_empty() {
            let length = u64::from_le_bytes(remaining[..8].try_into().unwrap()) as usize;
            let data = &remaining[12..12 + length];
            assert_eq!(remaining[..16 + length], frame(data));
            events.push(Event::decode(data).unwrap());
            remaining = &remaining[16 + length..];
        }
        assert_eq!(events[0].content, Some(Content::FileVersion("brain.Event:2".to_owned())));
        // TensorBoard keeps step 7 and discards step 8, which comes again.
        assert_eq!((events[1].step, &events[1].content), (8, &Some(Content::SessionLog(SessionLog { status: START }))));
        let Some(Content::Summary(summary)) = &events[2].content else { panic!("{events:?}") };
        let values: Vec<_> = summary.value.iter().map(|value| (value.tag.as_str(), value.simple_value)).collect();
        assert_eq!((events[2].step, values), (8, vec![("valid/loss", Some(0.5)), ("zero", Some(0.0))]));
    }

    #[test]
    fn the_checksum_is_crc_32c() {
        // The check value of CRC-32/ISCSI: https://reveng.sourceforge.io/crc-catalogue/17plus.htm#crc.cat.crc-32-iscsi
        assert_eq!(CRC32C.checksum(b"123456789"), 0xe306_9283);
    }
}
