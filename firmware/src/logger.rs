//! `defmt`'s way out: frames leave by the board's log port as they are made, and `defmt-print -e ELF` reads them.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use critical_section::RestoreState;
use tern_firmware::Hardware;

use crate::board::Board;

#[defmt::global_logger]
struct Logger;

/// What belongs to whom holds the log.
struct Held {
    taken: AtomicBool,
    inner: UnsafeCell<(RestoreState, defmt::Encoder)>,
}

// SAFETY: `inner` is touched between `acquire` and `release` only. In between interrupts are off and `taken` is set, so there is
// one that touches it.
unsafe impl Sync for Held {}

static HELD: Held =
    Held { taken: AtomicBool::new(false), inner: UnsafeCell::new((RestoreState::invalid(), defmt::Encoder::new())) };

// SAFETY: `acquire` excludes interrupts, and with them every other user on this single core; one that comes from within a log
// statement stops the firmware. `release` gives back what the last `acquire` took.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: `release` gives this state back.
        let restore = unsafe { critical_section::acquire() };
        if HELD.taken.load(Ordering::Relaxed) {
            panic!("a log statement within a log statement");
        }
        HELD.taken.store(true, Ordering::Relaxed);
        // SAFETY: it has just been taken.
        let (state, encoder) = unsafe { &mut *HELD.inner.get() };
        *state = restore;
        encoder.start_frame(Board::log);
    }

    unsafe fn flush() {}

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: defmt calls this between `acquire` and `release` only.
        let (_, encoder) = unsafe { &mut *HELD.inner.get() };
        encoder.write(bytes, Board::log);
    }

    unsafe fn release() {
        // SAFETY: defmt calls this after `acquire`, once.
        let (state, encoder) = unsafe { &mut *HELD.inner.get() };
        encoder.end_frame(Board::log);
        let restore = *state;
        HELD.taken.store(false, Ordering::Relaxed);
        // SAFETY: the state is that of the `acquire` before, and `inner` is not touched after this.
        unsafe { critical_section::release(restore) };
    }
}
