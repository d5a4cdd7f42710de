//! The least that a product needs: it loads a classifier, reads a text and returns the index of its label.
//! `cargo xtask size` builds this image for a microcontroller and measures its code.

#![no_std]
#![no_main]

mod bare;
#[cfg(target_arch = "arm")]
mod memory;

use bare::Given;
use tern_runtime::Model;

/// The inputs that are not known when the image is built.
#[repr(C)]
pub struct Inputs {
    file: Given<u8>,
    scratch: Given<i32>,
    text: Given<u8>,
}

/// The entry point. Returns the index of the most probable label, or −1 if the file cannot be loaded or the scratch is
/// too small.
#[unsafe(no_mangle)]
pub extern "C" fn _start(inputs: &mut Inputs) -> i32 {
    let Inputs { file, scratch, text } = inputs;
    // The values below are borrowed, not moved out of their `Result` or `Option`: a model takes half a kilobyte, and
    // moving it costs code.
    let model = Model::from_bytes(file.slice());
    let Ok(model) = &model else { return -1 };
    let mut session = model.text_session(scratch.slice()).ok();
    let Some(session) = &mut session else { return -1 };
    session.feed(text.slice());
    session.finish();
    session.logits().best().class as i32
}
