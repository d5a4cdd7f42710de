//! The `defmt` logger of boards with a log port: sends each frame byte by byte. `defmt-print -e ELF` decodes them.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use critical_section::RestoreState;
use tern_firmware::Hardware;

use crate::board::Board;

#[defmt::global_logger]
struct Logger;

/// The state of the log while a frame is written.
struct LogState {
    taken: AtomicBool,
    inner: UnsafeCell<(RestoreState, defmt::Encoder)>,
}

// SAFETY: `inner` is used only between `acquire` and `release`. Interrupts are off in between and `taken` is set, so only one frame
// uses it at a time.
unsafe impl Sync for LogState {}

static STATE: LogState = LogState {
    taken: AtomicBool::new(false),
    inner: UnsafeCell::new((RestoreState::invalid(), defmt::Encoder::new())),
};

// SAFETY: `acquire` disables interrupts, and with them every other user on this single core; a log statement inside another one
// panics. `release` restores the state that the last `acquire` saved.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: `release` restores this state.
        let restore = unsafe { critical_section::acquire() };
        if STATE.taken.load(Ordering::Relaxed) {
            panic!("a log statement within a log statement");
        }
        STATE.taken.store(true, Ordering::Relaxed);
        // SAFETY: `taken` has just been set.
        let (state, encoder) = unsafe { &mut *STATE.inner.get() };
        *state = restore;
        encoder.start_frame(Board::log);
    }

    unsafe fn flush() {}

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: defmt calls this only between `acquire` and `release`.
        let (_, encoder) = unsafe { &mut *STATE.inner.get() };
        encoder.write(bytes, Board::log);
    }

    unsafe fn release() {
        // SAFETY: defmt calls this once after `acquire`.
        let (state, encoder) = unsafe { &mut *STATE.inner.get() };
        encoder.end_frame(Board::log);
        let restore = *state;
        STATE.taken.store(false, Ordering::Relaxed);
        // SAFETY: the state is that of the last `acquire`, and `inner` is not used after this.
        unsafe { critical_section::release(restore) };
    }
}
