//! Measures the steps of a model that the emulator has loaded into memory, and prints on standard output
//!
//!     steps 256 instructions 1234567 stack_bytes 96 image_bytes 12345 hash 0123abcd
//!
//! `instructions` is the number of instructions from before the first step to after the last; `hash` is over the state
//! after every step of a second run, and over the logits at the end of each text. `cargo xtask bench` builds this
//! program, runs it and reads its output. If the ids contain ends of texts, the instructions and the stack are not
//! measured, and their numbers are 0.

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

/// A bit of an id: the text ends after this token.
const TEXT_ENDS: u32 = 1 << 31;
/// A bit of an id: the id is a byte of a text, not a token.
const BYTE: u32 = 1 << 30;

/// The cost of one run over all ids.
#[derive(Default)]
struct Cost {
    instructions: u32,
    stack_bytes: usize,
}

/// The program; called by the machine's start code.
fn main() -> ! {
    let slot = memory::model_slot();
    let length = file_len(slot).unwrap_or_else(|error| panic!("no model: {error}"));
    let Some(file) = slot.get(..length) else { panic!("the model is longer than its slot") };
    let model = Model::from_bytes(file).unwrap_or_else(|error| panic!("{error}"));
    let scratch = memory::scratch();
    let mut session = model.text_session(scratch).unwrap_or_else(|error| panic!("{error}"));
    let ids = memory::ids();

    // Ids with ends of texts are run for the hash alone, because their instructions would overflow the counter.
    let measured = ids.iter().all(|id| id & TEXT_ENDS == 0);
    let cost = if measured { measure(&mut session, ids) } else { Cost::default() };
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
    let paint = stack::paint();
    let before = machine::instructions();
    step_all(session, ids);
    let instructions = machine::instructions_since(before);
    Cost { instructions, stack_bytes: paint.used() }
}

#[inline(never)]
fn step_all(session: &mut TextSession<'_>, ids: &[u32]) {
    for &id in ids {
        step(session, id);
    }
}

/// Runs one id. Does nothing in a build without the feature `steps`.
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
    ids.iter().fold(0, |hash: u32, &id| {
        step(session, id & !TEXT_ENDS);
        let hash = hash.rotate_left(1) ^ session.state_hash();
        // A build without the feature `steps` has no head either, because the head runs the steps of a bidirectional
        // model.
        if !cfg!(feature = "steps") || id & TEXT_ENDS == 0 {
            return hash;
        }
        if cfg!(feature = "bytes") && id & BYTE != 0 {
            session.finish();
        }
        let hash = session.logits().iter().fold(hash, |hash, logit| hash.rotate_left(1) ^ logit as u32);
        session.reset();
        hash
    })
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Output, "stopped: {info}");
    exit(false)
}
