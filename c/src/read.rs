//! Functions that give a session its input.

use crate::handle::{copy_text, slice, tern_t, with_model, with_session, write};
use crate::status::tern_status::{self, *};
use core::ffi::{c_char, c_void};
use core::num::NonZeroU32;
use tern_runtime::SessionBase;

/// The value of a channel that is missing, for example because a sensor failed. It counts as the mean of the channel.
pub const TERN_MISSING: i32 = i32::MIN;

/// Begins a new text or sequence. Without it, a second text continues the first one.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_reset(tern: *mut tern_t) -> tern_status {
    // The check in `xtask` that the library has no panic must find this one.
    #[cfg(feature = "panics")]
    assert!(!tern.is_null());
    // SAFETY: the caller guarantees it.
    unsafe { with_session(tern, |session| session.reset()) }.err().unwrap_or(TERN_OK)
}

/// Reads the next `length` bytes of a text in UTF-8, which may be cut anywhere. Each complete token costs one step.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`; `length` bytes at `text` must be readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_feed(tern: *mut tern_t, text: *const c_void, length: usize) -> tern_status {
    // SAFETY: the caller guarantees it.
    let text = match unsafe { slice(text.cast::<u8>(), length) } {
        Ok(text) => text,
        Err(status) => return status,
    };
    // SAFETY: the caller guarantees it.
    let result = unsafe { with_session(tern, |session| session.text().map(|reader| reader.feed(text))) };
    input_status(result, TERN_READS_VALUES)
}

/// Ends the text, which completes its last token. Call it before reading the logits of a text.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_finish(tern: *mut tern_t) -> tern_status {
    // SAFETY: the caller guarantees it.
    let result = unsafe { with_session(tern, |session| session.text().map(|reader| reader.finish())) };
    input_status(result, TERN_READS_VALUES)
}

/// Reads time steps of a sequence: `count` integers, one for each channel of each step. `tern_encode` makes them from
/// measured values; `TERN_MISSING` is a missing one.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`; `count` integers at `values` must be readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_feed_values(tern: *mut tern_t, values: *const i32, count: usize) -> tern_status {
    // SAFETY: the caller guarantees it.
    let (values, channels) = unsafe { (slice(values, count), tern_channel_count(tern)) };
    let values = match values {
        Ok(values) => values,
        Err(status) => return status,
    };
    if channels > 0 && !count.is_multiple_of(channels) {
        return TERN_CHANNELS;
    }
    let feed = |session: &mut tern_runtime::Session<'static>| {
        // A model that reads values has at least one channel; `max` only shows that the chunks are not empty.
        session.values().map(|reader| values.chunks(channels.max(1)).for_each(|step| reader.feed(step)))
    };
    // SAFETY: the caller guarantees it.
    input_status(unsafe { with_session(tern, feed) }, TERN_READS_TEXT)
}

/// Returns the status of a function that is for one kind of input only, text or values. `result`: `None` if the model
/// reads the other kind; `wrong_kind`: the status in this case.
fn input_status(result: Result<Option<()>, tern_status>, wrong_kind: tern_status) -> tern_status {
    match result {
        Ok(Some(())) => TERN_OK,
        Ok(None) => wrong_kind,
        Err(status) => status,
    }
}

/// Returns the number of channels of a time step; 0 for a model that reads text, and without a model.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_channel_count(tern: *const tern_t) -> usize {
    // SAFETY: the caller guarantees it.
    unsafe { with_model(tern, |model| (0..).take_while(|&index| model.channel(index).is_some()).count()).unwrap_or(0) }
}

/// Describes a channel of the input: an integer `v` stands for the real number `v / 2^point`. `point`, −16 to 30, may
/// be NULL. The name, with a NUL at its end, is copied into `size` bytes at `name`, and cut if it is longer; nothing is
/// copied if `name` is NULL.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`; `point` must be NULL or point to a number; `size` bytes at `name` must
/// be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_channel(
    tern: *const tern_t,
    index: usize,
    point: *mut i32,
    name: *mut c_char,
    size: usize,
) -> tern_status {
    // SAFETY: the caller guarantees it.
    match unsafe { with_model(tern, |model| model.channel(index)) } {
        Ok(Some(channel)) => {
            // SAFETY: the caller guarantees it.
            unsafe {
                write(point, channel.point);
                copy_text(channel.name, name, size);
            }
            TERN_OK
        }
        Ok(None) => TERN_NO_SUCH_INDEX,
        Err(status) => status,
    }
}

/// Returns the integer of a channel that stands for `numerator / denominator`, rounded to the nearest, saturating:
/// 21.37 degrees are `tern_encode(tern, 0, 2137, 100)`. Returns `TERN_MISSING` if the denominator is 0 or there is no
/// such channel.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_encode(tern: *const tern_t, channel: usize, numerator: i32, denominator: u32) -> i32 {
    let Some(denominator) = NonZeroU32::new(denominator) else { return TERN_MISSING };
    // SAFETY: the caller guarantees it.
    let channel = unsafe { with_model(tern, |model| model.channel(channel)) };
    channel.ok().flatten().map_or(TERN_MISSING, |channel| channel.encode(numerator, denominator))
}

/// Returns the number of tokens of the text so far, or of steps of the sequence; 0 without a session.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_tokens(tern: *const tern_t) -> u32 {
    // SAFETY: the caller guarantees it.
    unsafe { with_session(tern, |session| session.tokens()).unwrap_or(0) }
}

/// Returns the number of tokens so far that are not in the vocabulary; 0 without a session. A text without a known
/// token has no meaningful label.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_unknown_tokens(tern: *const tern_t) -> u32 {
    // SAFETY: the caller guarantees it.
    unsafe { with_session(tern, |session| session.unknown()).unwrap_or(0) }
}

/// Returns `TERN_TOO_LONG` if the scratch of a bidirectional model is too short for all tokens of the text, so that the
/// logits are those of the first tokens; `TERN_NOT_STARTED` without a session, `TERN_NULL` if `tern` is NULL; otherwise
/// `TERN_OK`.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_length_status(tern: *const tern_t) -> tern_status {
    let check = |session: &mut tern_runtime::Session<'static>| SessionBase::check_length(session);
    // SAFETY: the caller guarantees it.
    match unsafe { with_session(tern, check) } {
        Ok(Ok(())) => TERN_OK,
        Ok(Err(_)) => TERN_TOO_LONG,
        Err(status) => status,
    }
}
