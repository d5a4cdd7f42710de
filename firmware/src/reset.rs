//! Why the device began anew, and beginning anew.

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

use tern_firmware::hardware::{Hardware, Note, ResetReason};

use crate::board::Board;

/// A word that start code leaves as it is.
#[unsafe(link_section = ".uninit.NOTE")]
static NOTE: MaybeUninit<AtomicU32> = MaybeUninit::uninit();

fn word() -> &'static AtomicU32 {
    // SAFETY: any bits are a u32; the memory is there from the beginning, whatever it holds.
    unsafe { NOTE.assume_init_ref() }
}

/// Why the device began anew. Called once, at the start.
pub fn reason(board: &mut Board) -> ResetReason {
    let note = Note::read(word().load(Ordering::Relaxed));
    leave(Note::Running);
    ResetReason::of(board.reset_cause(), note)
}

/// Leaves a note for the next start.
pub fn leave(note: Note) {
    word().store(note as u32, Ordering::Relaxed);
}

/// Begins anew, and leaves a note why.
pub fn reset(note: Note) -> ! {
    leave(note);
    Board::flush();
    Board::reset()
}
