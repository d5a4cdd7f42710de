//! Resets the device, and keeps a note of the reason and the boot count in memory that a reset does not clear.

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

use tern_firmware::boot_count::{BootCount, WORDS};
use tern_firmware::hardware::{Hardware, Note, ResetReason};

use crate::board::Board;

/// The [`Note`], as a word, by which the next boot finds out why this run ended. The start-up code does not clear it.
#[unsafe(link_section = ".uninit.NOTE")]
static NOTE: MaybeUninit<AtomicU32> = MaybeUninit::uninit();

/// The boot count, as [`BootCount::to_words`] stores it. The start-up code does not clear it.
#[unsafe(link_section = ".uninit.BOOT_COUNT")]
static BOOT_COUNT: MaybeUninit<[AtomicU32; WORDS]> = MaybeUninit::uninit();

fn note_word() -> &'static AtomicU32 {
    // SAFETY: the section is memory that keeps what the last run stored, or has any bits after power-up. Any bits are a
    // valid `u32`, and the compiler assumes no value of an atomic.
    unsafe { NOTE.assume_init_ref() }
}

fn boot_count_words() -> &'static [AtomicU32; WORDS] {
    // SAFETY: as for `note_word`.
    unsafe { BOOT_COUNT.assume_init_ref() }
}

/// Counts this boot, stores the count for the next boot, and returns it. Called once.
pub fn count_boot(board: &mut Board) -> BootCount {
    let last_note = Note::read(note_word().load(Ordering::Relaxed));
    // This note stays until a command, a panic or the watchdog's warning replaces it.
    leave(Note::Running);
    let reason = ResetReason::determine(board.reset_cause(), last_note);
    let boots = BootCount::next(&boot_count_words().each_ref().map(|word| word.load(Ordering::Relaxed)), reason);
    store(&boots);
    boots
}

/// Stores the boot count for the next boot. It is called by [`count_boot`], and then for each change: when the boot
/// reaches the prompt, and when the log level is set.
pub fn store(boots: &BootCount) {
    for (stored, word) in boot_count_words().iter().zip(boots.to_words()) {
        stored.store(word, Ordering::Relaxed);
    }
}

/// Leaves a note for the next boot.
pub fn leave(note: Note) {
    note_word().store(note as u32, Ordering::Relaxed);
}

/// Leaves `note`, from which the next boot learns the reason for this reset, waits until the serial port has sent
/// everything, and resets the device.
pub fn reset(note: Note) -> ! {
    leave(note);
    Board::flush();
    Board::reset()
}
