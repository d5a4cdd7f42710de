//! Why the device began anew, how often, and beginning anew.

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

use tern_firmware::hardware::{Hardware, Note, ResetReason};
use tern_firmware::starts::{Starts, WORDS};

use crate::board::Board;

/// A word that start code leaves as it is.
#[unsafe(link_section = ".uninit.NOTE")]
static NOTE: MaybeUninit<AtomicU32> = MaybeUninit::uninit();

/// More of them.
#[unsafe(link_section = ".uninit.STARTS")]
static STARTS: MaybeUninit<[AtomicU32; WORDS]> = MaybeUninit::uninit();

fn word() -> &'static AtomicU32 {
    // SAFETY: any bits are a u32; the memory is there from the beginning, whatever it holds.
    unsafe { NOTE.assume_init_ref() }
}

fn words() -> &'static [AtomicU32; WORDS] {
    // SAFETY: as for `word`.
    unsafe { STARTS.assume_init_ref() }
}

/// This start. Called once.
pub fn starts(board: &mut Board) -> Starts {
    let note = Note::read(word().load(Ordering::Relaxed));
    leave(Note::Running);
    let reason = ResetReason::of(board.reset_cause(), note);
    let starts = Starts::next(&words().each_ref().map(|word| word.load(Ordering::Relaxed)), reason);
    keep(&starts);
    starts
}

/// Keeps what is known of this start for the next.
pub fn keep(starts: &Starts) {
    for (to, word) in words().iter().zip(starts.words()) {
        to.store(word, Ordering::Relaxed);
    }
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
