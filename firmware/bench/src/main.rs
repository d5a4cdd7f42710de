//! Measures the steps of a model in an emulated microcontroller. `cargo xtask bench` builds this program, lets the
//! emulator load it with a model and a list of ids, and reads the line that it prints:
//!
//!     steps 256 instructions 1234567 stack_bytes 96 image_bytes 12345 hash 0123abcd
//!
//! An id is a token or a byte of a text, with flags ([`TEXT_ENDS`], [`BYTE`]). `steps` is the number of ids;
//! `instructions` and `stack_bytes` are the cost of one run over all ids, and 0 if an id has the flag [`TEXT_ENDS`].
//! `hash`, from a second run, is over the state after every step and over the logits at the end of each text.

#![no_std]
#![no_main]

#[cfg(not(target_os = "none"))]
compile_error!("this measures microcontrollers: `cargo xtask bench device` builds it for each of them");

#[cfg_attr(target_arch = "arm", path = "machine/mps2.rs")]
#[cfg_attr(target_arch = "riscv32", path = "machine/virt.rs")]
mod machine;
mod memory;
mod semihosting;
mod stack;

use core::fmt::Write as _;
use core::panic::PanicInfo;

use semihosting::{Output, exit};
use tern_runtime::{Model, TextSession, file_len};

/// A flag of an id: the text ends after this token or byte.
const TEXT_ENDS: u32 = 1 << 31;
/// A flag of an id: the lowest 8 bits are a byte of a text, not a token.
const BYTE: u32 = 1 << 30;

/// The cost of one run over all ids: the instructions, and the most stack that was used at once.
#[derive(Default)]
struct Cost {
    instructions: u32,
    stack_bytes: usize,
}

/// Measures the loaded model, prints the line and ends the emulator. Called by the start code of [`machine`].
fn main() -> ! {
    let slot = memory::model_slot();
    let length = file_len(slot).unwrap_or_else(|error| panic!("no model: {error}"));
    let Some(file) = slot.get(..length) else { panic!("the model is longer than its slot") };
    let model = Model::from_bytes(file).unwrap_or_else(|error| panic!("{error}"));
    let scratch = memory::scratch();
    let mut session = model.text_session(scratch).unwrap_or_else(|error| panic!("{error}"));
    let ids = memory::ids();

    // Ids with ends of texts are run for the hash alone, because their instructions would overflow the counter.
    let is_one_text = ids.iter().all(|id| id & TEXT_ENDS == 0);
    let cost = if is_one_text { measure(&mut session, ids) } else { Cost::default() };
    let hash = hash(&mut session, ids);
    let (Cost { instructions, stack_bytes }, steps) = (cost, ids.len());
    let image_bytes = memory::image_bytes();
    let _ = writeln!(
        Output,
        "steps {steps} instructions {instructions} stack_bytes {stack_bytes} image_bytes {image_bytes} hash {hash:08x}"
    );
    exit(true)
}

/// Runs all ids as one text between two readings of the counter.
#[inline(never)]
fn measure(session: &mut TextSession<'_>, ids: &[u32]) -> Cost {
    session.reset();
    let painted_stack = stack::paint();
    let before = machine::read_counter();
    step_all(session, ids);
    let instructions = machine::instructions_since(before);
    Cost { instructions, stack_bytes: painted_stack.used_bytes() }
}

/// Runs all ids. A function of its own, so that its frame is below that of [`measure`], where the stack is measured.
#[inline(never)]
fn step_all(session: &mut TextSession<'_>, ids: &[u32]) {
    for &id in ids {
        step(session, id);
    }
}

/// Runs one id, which has no flag but [`BYTE`]. Does nothing in a build without the feature `steps`: the difference of
/// the two builds' sizes is the size of the code that runs the steps.
fn step(session: &mut TextSession<'_>, id: u32) {
    if !cfg!(feature = "steps") {
        return;
    }
    if cfg!(feature = "bytes") && id & BYTE != 0 {
        session.feed(&[id as u8]);
    } else {
        session.feed_id(id);
    }
}

/// Returns a hash of all states, and of the logits at the end of each text.
#[inline(never)]
fn hash(session: &mut TextSession<'_>, ids: &[u32]) -> u32 {
    session.reset();
    ids.iter().fold(0, |hash, &id| hash_after(id, hash, session))
}

/// Runs one id, and adds the new state to the hash. At the end of a text, adds the logits too and begins a new text.
#[inline(always)]
fn hash_after(id: u32, hash: u32, session: &mut TextSession<'_>) -> u32 {
    step(session, id & !TEXT_ENDS);
    let state_hash = add_word(hash, session.state_hash());
    // A build without the feature `steps` computes no logits either, because for a bidirectional model that runs steps.
    if !cfg!(feature = "steps") || id & TEXT_ENDS == 0 {
        return state_hash;
    }
    if cfg!(feature = "bytes") && id & BYTE != 0 {
        session.finish();
    }
    let text_hash = session.logits().iter().fold(state_hash, |hash, logit| add_word(hash, logit as u32));
    session.reset();
    text_hash
}

/// Returns the hash with one more word.
#[inline(always)]
fn add_word(hash: u32, word: u32) -> u32 {
    hash.rotate_left(1) ^ word
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Output, "stopped: {info}");
    exit(false)
}
