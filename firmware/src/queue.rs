//! The receive queue between a port's interrupt and the console.
//!
//! From the first byte that does not fit, the interrupt drops every byte until the console has emptied the queue and
//! acknowledged the loss. So the bytes that are kept are always a prefix, and what is lost is one piece whose place is known.
//!
//! Neither side blocks, and each atomic is written by one side only: cores without compare-and-swap will do.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use critical_section::Mutex;
use heapless::spsc;

use crate::port::Loss;

/// How many bytes wait at most.
pub const CAPACITY: usize = 1024;

/// The storage: one more than [`CAPACITY`], since a full ring must differ from an empty one.
pub type Ring = spsc::Queue<u8, { CAPACITY + 1 }>;

/// What the two sides know of dropped bytes.
#[derive(Debug, Default)]
pub struct Dropped {
    /// Bytes dropped ever, wrapping. Written by the interrupt.
    count: AtomicU32,
    /// The last of them. Written by the interrupt before `count`.
    last: AtomicU8,
    /// The `count` that the console has taken. Written by the console; the interrupt drops while they differ.
    taken: AtomicU32,
}

impl Dropped {
    /// Nothing dropped.
    pub const fn new() -> Self {
        Dropped { count: AtomicU32::new(0), last: AtomicU8::new(0), taken: AtomicU32::new(0) }
    }
}

/// The interrupt's side.
pub struct Feeder<'q> {
    ring: spsc::Producer<'q, u8>,
    dropped: &'q Dropped,
}

/// The console's side.
pub struct Taker<'q> {
    ring: spsc::Consumer<'q, u8>,
    dropped: &'q Dropped,
}

/// Divides a queue among its two sides.
pub fn split<'q>(ring: &'q mut Ring, dropped: &'q Dropped) -> (Feeder<'q>, Taker<'q>) {
    let (producer, consumer) = ring.split();
    (Feeder { ring: producer, dropped }, Taker { ring: consumer, dropped })
}

impl Feeder<'_> {
    /// Whether the next byte would be queued. For a port that can make its other side wait.
    pub fn has_room(&self) -> bool {
        let is_taken = self.dropped.count.load(Ordering::Relaxed) == self.dropped.taken.load(Ordering::Acquire);
        is_taken && self.ring.ready()
    }

    /// Queues or drops a byte that arrived.
    pub fn push(&mut self, byte: u8) {
        let dropping = self.dropped.count.load(Ordering::Relaxed) != self.dropped.taken.load(Ordering::Acquire);
        if dropping || self.ring.enqueue(byte).is_err() {
            self.drop_byte(byte);
        }
    }

    /// Counts a byte that the hardware lost before `next`, and with it drops `next`: what stands in the queue stays a prefix.
    pub fn overrun(&mut self, next: u8) {
        self.drop_byte(next);
        self.drop_byte(next);
    }

    fn drop_byte(&mut self, byte: u8) {
        self.dropped.last.store(byte, Ordering::Relaxed);
        let count = self.dropped.count.load(Ordering::Relaxed);
        self.dropped.count.store(count.wrapping_add(1), Ordering::Release);
    }
}

/// Where an interrupt finds its side of the queue.
pub struct Inlet(Mutex<RefCell<Option<Feeder<'static>>>>);

impl Default for Inlet {
    fn default() -> Self {
        Inlet::new()
    }
}

impl Inlet {
    /// No queue yet.
    pub const fn new() -> Self {
        Inlet(Mutex::new(RefCell::new(None)))
    }

    /// From now on bytes go to `feeder`.
    pub fn open(&self, feeder: Feeder<'static>) {
        critical_section::with(|cs| self.0.borrow_ref_mut(cs).replace(feeder));
    }

    /// Lets a receive interrupt queue what has arrived. Nothing is asked of the interrupt before the inlet is open.
    pub fn with(&self, receive: impl FnOnce(&mut Feeder<'static>)) {
        critical_section::with(|cs| self.0.borrow_ref_mut(cs).as_mut().map(receive));
    }
}

impl Taker<'_> {
    /// The oldest byte.
    pub fn pop(&mut self) -> Option<u8> {
        self.ring.dequeue()
    }

    /// Whether a byte waits.
    pub fn is_ready(&self) -> bool {
        self.ring.ready()
    }

    /// Whether bytes wait, or were dropped.
    pub fn is_pending(&self) -> bool {
        self.is_ready() || self.dropped.count.load(Ordering::Acquire) != self.dropped.taken.load(Ordering::Relaxed)
    }

    /// See [`Port::take_loss`](crate::Port::take_loss).
    pub fn take_loss(&mut self) -> Option<Loss> {
        let taken = self.dropped.taken.load(Ordering::Relaxed);
        let mut count = self.dropped.count.load(Ordering::Acquire);
        // In this order: while they differ nothing is queued, so a queue found empty now was worked off before the loss.
        if count == taken || self.is_ready() {
            return None;
        }
        let last = loop {
            let last = self.dropped.last.load(Ordering::Acquire);
            let again = self.dropped.count.load(Ordering::Acquire);
            if again == count {
                break last;
            }
            count = again;
        };
        // A byte dropped from here on makes the two differ again, and is the next loss.
        self.dropped.taken.store(count, Ordering::Release);
        Some(Loss { bytes: count.wrapping_sub(taken), last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_is_exact_and_a_loss_is_one_piece() {
        let (mut ring, dropped) = (Ring::new(), Dropped::new());
        let (mut feeder, mut taker) = split(&mut ring, &dropped);
        for i in 0..CAPACITY {
            feeder.push(i as u8);
        }
        assert_eq!(taker.take_loss(), None);
        assert!(!feeder.has_room());
        feeder.push(b'x');
        assert_eq!(taker.pop(), Some(0));
        assert!(!feeder.has_room(), "a loss is not taken");
        // There is room again, but what follows a dropped byte is dropped too.
        feeder.push(b'y');
        assert_eq!(taker.take_loss(), None, "bytes are waiting");
        for i in 1..CAPACITY {
            assert_eq!(taker.pop(), Some(i as u8));
        }
        assert!(!taker.is_ready() && taker.is_pending());
        feeder.push(b'\n');
        assert_eq!(taker.take_loss(), Some(Loss { bytes: 3, last: b'\n' }));
        assert_eq!(taker.take_loss(), None);
        feeder.push(b'z');
        assert_eq!((taker.pop(), taker.pop()), (Some(b'z'), None));
    }

    #[test]
    fn an_inlet_leads_to_its_queue() {
        static INLET: Inlet = Inlet::new();
        static DROPPED: Dropped = Dropped::new();
        INLET.with(|_| panic!("there is no queue yet"));
        let (feeder, mut taker) = split(std::boxed::Box::leak(std::boxed::Box::new(Ring::new())), &DROPPED);
        INLET.open(feeder);
        INLET.with(|feeder| feeder.push(b'a'));
        assert_eq!(taker.pop(), Some(b'a'));
    }

    #[test]
    fn an_overrun_is_a_loss() {
        let (mut ring, dropped) = (Ring::new(), Dropped::new());
        let (mut feeder, mut taker) = split(&mut ring, &dropped);
        feeder.push(b'a');
        feeder.overrun(b'c');
        assert_eq!((taker.pop(), taker.pop()), (Some(b'a'), None));
        assert_eq!(taker.take_loss(), Some(Loss { bytes: 2, last: b'c' }));
    }

    #[test]
    fn two_threads_lose_no_count() {
        let (mut ring, dropped) = (Ring::new(), Dropped::new());
        let (mut feeder, mut taker) = split(&mut ring, &dropped);
        const BYTES: u32 = 200_000;
        let seen = std::thread::scope(|scope| {
            let pushed = scope.spawn(move || (0..BYTES).for_each(|i| feeder.push(i as u8)));
            let mut seen = 0;
            let mut expected = 0u8;
            loop {
                let done = pushed.is_finished();
                while let Some(byte) = taker.pop() {
                    assert_eq!(byte, expected);
                    (seen, expected) = (seen + 1, expected.wrapping_add(1));
                }
                if let Some(loss) = taker.take_loss() {
                    (seen, expected) = (seen + loss.bytes, expected.wrapping_add(loss.bytes as u8));
                }
                if done && !taker.is_pending() {
                    break seen;
                }
            }
        });
        assert_eq!(seen, BYTES);
    }
}
