//! Functions that read the result of a session.

use crate::handle::{copy_text, slice_mut, tern_t, with_model, with_session, write};
use crate::status::tern_status::{self, *};
use core::ffi::c_char;
use tern_runtime::{Answer, Ranked};

/// The largest number of classes that `tern_top` writes.
const MAX_RANKS: usize = 8;

/// Returns the number of classes of a classifier, of tokens of a language model or of predicted values of a forecast; 0
/// without a model.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_class_count(tern: *const tern_t) -> usize {
    // SAFETY: the caller guarantees it.
    unsafe { with_model(tern, |model| model.config().classes).unwrap_or(0) }
}

/// Copies the label of a class, with a NUL at its end, into `size` bytes at `buffer`; a longer label is cut. Returns
/// the length of the whole label without the NUL; 0 if there is no such class. With a NULL buffer it only returns the
/// length.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`; `size` bytes at `buffer` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_label(tern: *const tern_t, index: usize, buffer: *mut c_char, size: usize) -> usize {
    // SAFETY: the caller guarantees it.
    unsafe {
        let label = with_model(tern, |model| model.labels().get(index)).ok().flatten();
        copy_text(label.unwrap_or(""), buffer, size)
    }
}

/// Writes the logit of a class after the input so far, Q16, to `logit`. Returns `TERN_NO_SUCH_INDEX` if there is no
/// such class.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`; `logit` must be NULL or point to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_logit(tern: *mut tern_t, index: usize, logit: *mut i32) -> tern_status {
    // SAFETY: the caller guarantees it.
    let found = unsafe { with_session(tern, |session| session.logits().get(index)) };
    // SAFETY: the caller guarantees it.
    unsafe { write_found(found, logit) }
}

/// Writes the value of an index to `to`. Returns `TERN_OK`, or the reason why there is no value.
///
/// # Safety
/// `to` must be NULL or point to a number.
unsafe fn write_found(found: Result<Option<i32>, tern_status>, to: *mut i32) -> tern_status {
    match found {
        Ok(Some(value)) => {
            // SAFETY: the caller guarantees it.
            unsafe { write(to, value) };
            TERN_OK
        }
        Ok(None) => TERN_NO_SUCH_INDEX,
        Err(status) => status,
    }
}

/// Writes the logits of up to `count` classes after the input so far, Q16, to `logits`, and returns how many it wrote;
/// 0 without a session.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`; `count` integers at `logits` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_logits(tern: *mut tern_t, logits: *mut i32, count: usize) -> usize {
    // SAFETY: the caller guarantees it.
    let Ok(logits) = (unsafe { slice_mut(logits, count) }) else { return 0 };
    // SAFETY: the caller guarantees it.
    unsafe { with_session(tern, |session| session.logits_into(logits)).unwrap_or(0) }
}

/// Returns the class with the largest logit, the first of equal ones; −1 without a session.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_best(tern: *mut tern_t) -> i32 {
    // SAFETY: the caller guarantees it.
    unsafe { with_session(tern, |session| session.logits().best().class as i32).unwrap_or(-1) }
}

/// Returns the class that the classifier answers with. Returns −1 if the classifier refuses to answer, because no class
/// is probable enough or the most probable class is the label for inputs that fit no other label; also −1 without a
/// session. A model without a refusal rule always answers with the class that `tern_best` returns.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_answer(tern: *mut tern_t) -> i32 {
    // SAFETY: the caller guarantees it.
    let answer = unsafe { with_session(tern, |session| session.logits().answer()) };
    match answer {
        Ok(Answer::Class(class)) => class as i32,
        _ => -1,
    }
}

/// Writes up to `count` classes with the largest logits to `classes`, in descending order of the logits, and their
/// logits, Q16, to `logits`, which may be NULL. Returns the number of classes written, at most 8; 0 without a session.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`; `count` numbers at `classes`, and at `logits` unless it is NULL, must be
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_top(tern: *mut tern_t, classes: *mut u32, logits: *mut i32, count: usize) -> usize {
    let mut ranks = [Ranked::default(); MAX_RANKS];
    let ranks = ranks.get_mut(..count.min(MAX_RANKS)).unwrap_or_default();
    // SAFETY: the caller guarantees it.
    let filled = unsafe { with_session(tern, |session| session.logits().top(ranks)).unwrap_or(0) };
    let logits_count = if logits.is_null() { 0 } else { filled };
    // SAFETY: the caller guarantees it.
    let (Ok(classes), Ok(logits)) = (unsafe { (slice_mut(classes, filled), slice_mut(logits, logits_count)) }) else {
        return 0;
    };
    classes.iter_mut().zip(&*ranks).for_each(|(to, rank)| *to = rank.class as u32);
    logits.iter_mut().zip(&*ranks).for_each(|(to, rank)| *to = rank.logit);
    filled
}

/// Returns the probability of a class, from 0 to 65,536 (Q16), by softmax; 0 if there is no such class or no session.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_probability(tern: *mut tern_t, index: usize) -> u32 {
    // SAFETY: the caller guarantees it.
    unsafe { with_session(tern, |session| session.logits().probability(index)).unwrap_or(0) }
}

/// Writes a predicted value of a forecast to `value`: an integer of the channel that is predicted, as `tern_channel`
/// describes it. Returns `TERN_NO_SUCH_INDEX` if `index` is not less than `tern_class_count`, or if the model is no
/// forecast.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`; `value` must be NULL or point to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_predicted(tern: *mut tern_t, index: usize, value: *mut i32) -> tern_status {
    let predict =
        |session: &mut tern_runtime::Session<'static>| session.values().and_then(|values| values.predicted(index));
    // SAFETY: the caller guarantees it.
    let found = unsafe { with_session(tern, predict) };
    // SAFETY: the caller guarantees it.
    unsafe { write_found(found, value) }
}
