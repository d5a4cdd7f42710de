//! Functions that save and restore the state of a session.

use crate::handle::{slice, slice_mut, tern_t, with_session, write};
use crate::status::tern_status::{self, *};
use core::ffi::c_void;

/// Returns the number of bytes that `tern_save` writes now; 0 without a session.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_saved_len(tern: *mut tern_t) -> usize {
    // SAFETY: the caller guarantees it.
    unsafe { with_session(tern, |session| session.state_len()).unwrap_or(0) }
}

/// Writes the state of the session to `size` bytes at `buffer`, and its length to `length`, which may be NULL. After
/// `tern_restore`, on any device with the same model, the session continues as if there had been no break.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`; `size` bytes at `buffer` must be writable; `length` must be NULL or
/// point to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_save(
    tern: *mut tern_t,
    buffer: *mut c_void,
    size: usize,
    length: *mut usize,
) -> tern_status {
    // SAFETY: the caller guarantees it.
    let buffer = match unsafe { slice_mut(buffer.cast::<u8>(), size) } {
        Ok(buffer) => buffer,
        Err(status) => return status,
    };
    // SAFETY: the caller guarantees it.
    match unsafe { with_session(tern, |session| session.save(buffer)) } {
        Ok(Ok(written)) => {
            // SAFETY: the caller guarantees it.
            unsafe { write(length, written) };
            TERN_OK
        }
        Ok(Err(error)) => error.into(),
        Err(status) => status,
    }
}

/// Continues from a state that `tern_save` wrote: exactly its `length` bytes. If the state is refused, the session
/// begins a new text.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t`; `length` bytes at `bytes` must be readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tern_restore(tern: *mut tern_t, bytes: *const c_void, length: usize) -> tern_status {
    // SAFETY: the caller guarantees it.
    let bytes = match unsafe { slice(bytes.cast::<u8>(), length) } {
        Ok(bytes) => bytes,
        Err(status) => return status,
    };
    // SAFETY: the caller guarantees it.
    match unsafe { with_session(tern, |session| session.restore(bytes)) } {
        Ok(Ok(())) => TERN_OK,
        Ok(Err(error)) => error.into(),
        Err(status) => status,
    }
}
