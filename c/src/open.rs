//! Functions that load a model and begin a session.

use crate::handle::{Handle, TERN_STATE_SIZE, copy_text, slice, slice_mut, tern_t, with_model, write};
use crate::status::tern_status::{self, *};
use core::ffi::{c_char, c_void};
use tern_runtime::Model;

/// Checks a device file and loads it into `tern`. The file is used where it is: it must stay readable and unchanged for
/// as long as `tern` is used. Its address must be a multiple of 8. An earlier model and its session end, also if the
/// file is refused.
///
/// The check reads the whole file once. After it succeeds, no other function can fail because of the file.
///
/// # Safety
/// `tern` must point to a `tern_t`, and `length` bytes at `file` must be readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_load(tern: *mut tern_t, file: *const c_void, length: usize) -> tern_status {
    let Some(handle) = Handle::new(tern) else { return TERN_NULL };
    // SAFETY: the caller guarantees it.
    unsafe {
        handle.clear();
        let file = match slice(file.cast::<u8>(), length) {
            Ok(file) => file,
            Err(status) => return status,
        };
        match Model::from_bytes(file) {
            Ok(model) => handle.set_model(model),
            Err(error) => return error.into(),
        }
    }
    TERN_OK
}

/// Returns the number of 32-bit words of scratch that a session needs; 0 without a model. For a bidirectional model
/// this scratch has room for 128 tokens.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_scratch_words(tern: *const tern_t) -> usize {
    // SAFETY: the caller guarantees it.
    unsafe { with_model(tern, Model::scratch_len).unwrap_or(0) }
}

/// Returns the number of 32-bit words of scratch for texts of up to `tokens` tokens, or sequences of as many steps; 0
/// without a model. The number of tokens matters to bidirectional models only.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_scratch_words_for(tern: *const tern_t, tokens: usize) -> usize {
    // SAFETY: the caller guarantees it.
    unsafe { with_model(tern, |model| model.scratch_len_for(tokens)).unwrap_or(0) }
}

/// Begins a session of the loaded model, which keeps its state in `words` 32-bit words at `scratch`. The scratch must
/// not be used for anything else until the next `tern_start` or `tern_load`.
///
/// # Safety
/// `tern` must point to a `tern_t`, and `words` words at `scratch` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_start(tern: *mut tern_t, scratch: *mut i32, words: usize) -> tern_status {
    let Some(handle) = Handle::new(tern) else { return TERN_NULL };
    // SAFETY: the caller guarantees it.
    unsafe {
        let Some(model) = handle.model() else { return TERN_NOT_LOADED };
        let scratch = match slice_mut(scratch, words) {
            Ok(scratch) => scratch,
            Err(status) => return status,
        };
        match model.session(scratch) {
            Ok(session) => handle.set_session(session),
            Err(_) => return TERN_SCRATCH_TOO_SHORT,
        }
    }
    TERN_OK
}

/// Loads a device file and begins a session: `tern_load` and `tern_start`.
///
/// # Safety
/// The requirements of `tern_load` and `tern_start`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_open(
    tern: *mut tern_t,
    file: *const c_void,
    length: usize,
    scratch: *mut i32,
    words: usize,
) -> tern_status {
    // SAFETY: the caller guarantees it.
    match unsafe { tern_load(tern, file, length) } {
        // SAFETY: the caller guarantees it.
        TERN_OK => unsafe { tern_start(tern, scratch, words) },
        status => status,
    }
}

/// Returns the length in bytes of the device file that begins at `bytes`, by its header; 0 if none begins there. Use it
/// for a file in a flash partition that is larger than the file.
///
/// # Safety
/// `length` bytes at `bytes` must be readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_file_len(bytes: *const c_void, length: usize) -> usize {
    // SAFETY: the caller guarantees it.
    let bytes = unsafe { slice(bytes.cast::<u8>(), length) };
    bytes.ok().and_then(|bytes| tern_runtime::file_len(bytes).ok()).unwrap_or(0)
}

/// Copies the name of the model, with a NUL at its end, into `size` bytes at `buffer`; a longer name is cut. Returns
/// the length of the whole name without the NUL; 0 without a model. With a NULL buffer it only returns the length.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`; `size` bytes at `buffer` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_model_name(tern: *const tern_t, buffer: *mut c_char, size: usize) -> usize {
    // SAFETY: the caller guarantees it.
    unsafe { with_model(tern, |model| copy_text(model.name(), buffer, size)).unwrap_or(0) }
}

/// Returns the size of a `tern_t` in bytes, `TERN_STATE_SIZE`, for languages that do not read this header.
#[unsafe(no_mangle)]
pub extern "C" fn tern_state_size() -> usize {
    TERN_STATE_SIZE
}

/// Returns the number of multiply-accumulates of a token or time step; 0 without a model.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_macs_per_token(tern: *const tern_t) -> usize {
    // SAFETY: the caller guarantees it.
    unsafe { with_model(tern, Model::macs_per_token).unwrap_or(0) }
}

/// Returns a number that identifies the model, the same in every packing; 0 without a model.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_fingerprint(tern: *const tern_t) -> u32 {
    // SAFETY: the caller guarantees it.
    unsafe { with_model(tern, Model::fingerprint).unwrap_or(0) }
}

/// Runs the golden examples of the file and compares their logits with those in the file. Writes the number of examples
/// with equal logits to `passed` and the number of all examples to `total`; both pointers may be NULL. A running
/// session ends, even if it uses other scratch.
///
/// Returns `TERN_OK` if all logits are equal, `TERN_SELF_TEST_FAILED` if one differs, or one of the errors of
/// `tern_start`.
///
/// # Safety
/// The requirements of `tern_start`; `passed` and `total` must be NULL or point to numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_self_test(
    tern: *mut tern_t,
    scratch: *mut i32,
    words: usize,
    passed: *mut usize,
    total: *mut usize,
) -> tern_status {
    let Some(handle) = Handle::new(tern) else { return TERN_NULL };
    // SAFETY: the caller guarantees it.
    unsafe {
        let Some(model) = handle.model() else { return TERN_NOT_LOADED };
        handle.end_session();
        let scratch = match slice_mut(scratch, words) {
            Ok(scratch) => scratch,
            Err(status) => return status,
        };
        let Ok(result) = model.self_test(scratch) else { return TERN_SCRATCH_TOO_SHORT };
        write(passed, result.passed);
        write(total, result.total);
        if result.passed == result.total { TERN_OK } else { TERN_SELF_TEST_FAILED }
    }
}
