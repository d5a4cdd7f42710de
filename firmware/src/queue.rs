//! The receive queue between a port's interrupt and the console.
//!
//! When the queue is full, the interrupt drops every byte until the console has read all bytes in the queue and then
//! called [`QueueReader::take_lost_bytes`], which reports the *loss*. So the lost bytes form one contiguous piece of
//! the input, directly after the bytes in the queue.
//!
//! Neither side blocks, and each atomic is written by one side only, so that the queue works on cores without
//! compare-and-swap.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use critical_section::Mutex;
use heapless::spsc;

use crate::port::LostBytes;

/// The number of bytes that fit the queue.
pub const CAPACITY: usize = 1024;

/// The storage of the queue. It has one place more than [`CAPACITY`], which stays free, so that a full ring differs
/// from an empty one.
pub type Ring = spsc::Queue<u8, { CAPACITY + 1 }>;

/// The counters of dropped bytes, shared by both sides.
#[derive(Debug, Default)]
pub struct Dropped {
    /// Bytes dropped since the start, wrapping. Written by the interrupt.
    count: AtomicU32,
    /// The last byte dropped. Written by the interrupt, before `count`.
    last: AtomicU8,
    /// The `count` up to which losses have been reported. Written by the console. While it differs from `count`, the
    /// interrupt drops bytes.
    reported: AtomicU32,
}

impl Dropped {
    /// The state before any byte is dropped.
    pub const fn new() -> Self {
        Dropped { count: AtomicU32::new(0), last: AtomicU8::new(0), reported: AtomicU32::new(0) }
    }
}

/// The interrupt's side of the queue.
pub struct QueueWriter<'q> {
    ring: spsc::Producer<'q, u8>,
    dropped: &'q Dropped,
}

/// The console's side of the queue.
pub struct QueueReader<'q> {
    ring: spsc::Consumer<'q, u8>,
    dropped: &'q Dropped,
}

/// Divides a queue into its two sides.
pub fn split<'q>(ring: &'q mut Ring, dropped: &'q Dropped) -> (QueueWriter<'q>, QueueReader<'q>) {
    let (producer, consumer) = ring.split();
    (QueueWriter { ring: producer, dropped }, QueueReader { ring: consumer, dropped })
}

impl QueueWriter<'_> {
    /// Returns true if the next byte would be queued, for ports that can make the sender wait.
    pub fn has_room(&self) -> bool {
        !self.is_dropping() && self.ring.ready()
    }

    /// Returns true while a loss has not been reported to the console.
    fn is_dropping(&self) -> bool {
        self.dropped.count.load(Ordering::Relaxed) != self.dropped.reported.load(Ordering::Acquire)
    }

    /// Queues a byte, or drops it if the queue is full or a loss has not been reported.
    pub fn push(&mut self, byte: u8) {
        if self.is_dropping() || self.ring.enqueue(byte).is_err() {
            self.drop_byte(byte);
        }
    }

    /// Counts one byte that the hardware lost before `next`, even if it lost more, and drops `next` too, so that the
    /// lost bytes stay contiguous.
    fn overrun(&mut self, next: u8) {
        // This call counts the byte that the hardware lost. Its value does not matter: only that of `next` is kept.
        self.drop_byte(next);
        self.drop_byte(next);
    }

    /// Counts a dropped byte, which begins or continues a loss.
    fn drop_byte(&mut self, byte: u8) {
        self.dropped.last.store(byte, Ordering::Relaxed);
        let count = self.dropped.count.load(Ordering::Relaxed);
        self.dropped.count.store(count.wrapping_add(1), Ordering::Release);
    }
}

/// A byte from a serial port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The byte.
    pub byte: u8,
    /// True if the hardware lost at least one byte before this one.
    pub is_overrun: bool,
}

/// A [`QueueWriter`] in a static, where an interrupt handler can reach it.
pub struct SharedWriter(Mutex<RefCell<Option<QueueWriter<'static>>>>);

impl Default for SharedWriter {
    fn default() -> Self {
        SharedWriter::new()
    }
}

impl SharedWriter {
    /// A writer without a queue, until [`open`](SharedWriter::open).
    pub const fn new() -> Self {
        SharedWriter(Mutex::new(RefCell::new(None)))
    }

    /// Sets the queue that received bytes go to.
    pub fn open(&self, writer: QueueWriter<'static>) {
        critical_section::with(|cs| self.0.borrow_ref_mut(cs).replace(writer));
    }

    /// Returns true if the next byte would be queued, for ports that can make the sender wait. False before
    /// [`open`](SharedWriter::open).
    pub fn has_room(&self) -> bool {
        critical_section::with(|cs| self.0.borrow_ref(cs).as_ref().is_some_and(QueueWriter::has_room))
    }

    /// Queues the bytes that `next` reads from the hardware, until `next` returns `None`. Called by the receive
    /// interrupt. Does nothing before [`open`](SharedWriter::open).
    pub fn receive(&self, mut next: impl FnMut() -> Option<Received>) {
        critical_section::with(|cs| {
            let mut shared = self.0.borrow_ref_mut(cs);
            let Some(writer) = shared.as_mut() else { return };
            while let Some(Received { byte, is_overrun }) = next() {
                if is_overrun { writer.overrun(byte) } else { writer.push(byte) }
            }
        });
    }
}

impl QueueReader<'_> {
    /// Takes the oldest byte; `None` if the queue is empty.
    pub fn pop(&mut self) -> Option<u8> {
        self.ring.dequeue()
    }

    /// Moves the oldest bytes to the beginning of `to`. Returns their number.
    pub fn read(&mut self, to: &mut [u8]) -> usize {
        let mut length = 0;
        for place in to {
            let Some(byte) = self.pop() else { break };
            *place = byte;
            length += 1;
        }
        length
    }

    /// Returns true if a byte is in the queue.
    pub fn is_ready(&self) -> bool {
        self.ring.ready()
    }

    /// Returns true if bytes are in the queue or a loss has not been reported.
    pub fn is_pending(&self) -> bool {
        self.is_ready() || self.dropped.count.load(Ordering::Acquire) != self.dropped.reported.load(Ordering::Relaxed)
    }

    /// Reports the bytes that were dropped since the last report: see
    /// [`Port::take_lost_bytes`](crate::Port::take_lost_bytes).
    pub fn take_lost_bytes(&mut self) -> Option<LostBytes> {
        let reported = self.dropped.reported.load(Ordering::Relaxed);
        let mut count = self.dropped.count.load(Ordering::Acquire);
        // The queue is checked after the counts are loaded: nothing is queued while they differ, so an empty queue now
        // means that all bytes before the loss have been read.
        if count == reported || self.is_ready() {
            return None;
        }
        // If the interrupt drops a byte between the loads of `count` and `last`, both are loaded again, so that `last`
        // belongs to `count`.
        let last = loop {
            let last = self.dropped.last.load(Ordering::Acquire);
            let count_after = self.dropped.count.load(Ordering::Acquire);
            if count_after == count {
                break last;
            }
            count = count_after;
        };
        // A byte that is dropped from here on belongs to the next loss.
        self.dropped.reported.store(count, Ordering::Release);
        Some(LostBytes { count: count.wrapping_sub(reported), last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capacity_is_exact_and_a_loss_is_contiguous() {
        let (mut ring, dropped) = (Ring::new(), Dropped::new());
        let (mut writer, mut reader) = split(&mut ring, &dropped);
        for i in 0..CAPACITY {
            writer.push(i as u8);
        }
        assert_eq!(reader.take_lost_bytes(), None);
        assert!(!writer.has_room());
        writer.push(b'x');
        assert_eq!(reader.pop(), Some(0));
        assert!(!writer.has_room(), "the loss has not been reported");
        // There is room again, but bytes after a dropped one are dropped too.
        writer.push(b'y');
        assert_eq!(reader.take_lost_bytes(), None, "bytes are waiting");
        for i in 1..CAPACITY {
            assert_eq!(reader.pop(), Some(i as u8));
        }
        assert!(!reader.is_ready() && reader.is_pending());
        writer.push(b'\n');
        assert_eq!(reader.take_lost_bytes(), Some(LostBytes { count: 3, last: b'\n' }));
        assert_eq!(reader.take_lost_bytes(), None);
        writer.push(b'z');
        assert_eq!((reader.pop(), reader.pop()), (Some(b'z'), None));
    }

    #[test]
    fn a_shared_writer_queues_bytes_and_an_overrun_is_a_loss() {
        static WRITER: SharedWriter = SharedWriter::new();
        static DROPPED: Dropped = Dropped::new();
        WRITER.receive(|| panic!("there is no queue yet"));
        assert!(!WRITER.has_room());
        let (writer, mut reader) = split(std::boxed::Box::leak(std::boxed::Box::new(Ring::new())), &DROPPED);
        WRITER.open(writer);
        assert!(WRITER.has_room());
        let mut arrived = [(b'a', false), (b'c', true)].into_iter();
        WRITER.receive(|| arrived.next().map(|(byte, is_overrun)| Received { byte, is_overrun }));
        assert_eq!((reader.pop(), reader.pop()), (Some(b'a'), None));
        assert_eq!(reader.take_lost_bytes(), Some(LostBytes { count: 2, last: b'c' }));
    }

    #[test]
    fn every_byte_is_read_or_counted_across_threads() {
        let (mut ring, dropped) = (Ring::new(), Dropped::new());
        let (mut writer, mut reader) = split(&mut ring, &dropped);
        const BYTES: u32 = 200_000;
        let seen = std::thread::scope(|scope| {
            let pushing = scope.spawn(move || (0..BYTES).for_each(|i| writer.push(i as u8)));
            let mut seen = 0;
            let mut expected = 0u8;
            loop {
                let all_pushed = pushing.is_finished();
                while let Some(byte) = reader.pop() {
                    assert_eq!(byte, expected);
                    (seen, expected) = (seen + 1, expected.wrapping_add(1));
                }
                if let Some(loss) = reader.take_lost_bytes() {
                    (seen, expected) = (seen + loss.count, expected.wrapping_add(loss.count as u8));
                }
                if all_pushed && !reader.is_pending() {
                    break seen;
                }
            }
        });
        assert_eq!(seen, BYTES);
    }
}
