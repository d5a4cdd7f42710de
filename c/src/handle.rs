//! The object that holds a model and a session in the caller's memory: [`tern_t`] for C, [`Handle`] for the functions
//! of this library. Also functions that read and write other memory of the caller.

use crate::status::tern_status::{self, *};
use core::mem::{MaybeUninit, align_of, size_of};
use core::ptr;
use tern_runtime::{Model, Session};

// The assertions below check that these words are enough for a `State`.
/// The size of a `tern_t` in words of 64 bits.
#[cfg(target_pointer_width = "64")]
pub const TERN_STATE_WORDS: usize = 360;
/// The size of a `tern_t` in words of 64 bits.
#[cfg(target_pointer_width = "32")]
pub const TERN_STATE_WORDS: usize = 196;

/// The size of a `tern_t` in bytes.
pub const TERN_STATE_SIZE: usize = TERN_STATE_WORDS * 8;

/// The alignment of a `tern_t` in bytes.
pub const TERN_STATE_ALIGN: usize = 8;

/// A model and one session on it.
///
/// The caller provides the memory, set to zero, and may not move or copy it once a model is loaded, because its parts
/// refer to each other. Nothing needs to be freed: the memory can be reused at any time. A `tern_t` may be used by one
/// thread at a time.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct tern_t {
    /// The library's own data.
    private_data: [u64; TERN_STATE_WORDS],
}

/// The contents of a [`tern_t`].
struct State {
    /// [`LOADED`], [`STARTED`], or any other number if there is no model.
    stage: u32,
    model: MaybeUninit<Model<'static>>,
    session: MaybeUninit<Session<'static>>,
}

/// The value of [`State::stage`] with a model but no session. The high bytes, "te", make it unlikely that arbitrary
/// memory counts as a loaded model.
const LOADED: u32 = 0x7465_0001;
/// The value of [`State::stage`] with a model and a session.
const STARTED: u32 = 0x7465_0002;

const _: () = {
    assert!(size_of::<State>() <= TERN_STATE_SIZE && align_of::<State>() <= TERN_STATE_ALIGN);
    assert!(size_of::<tern_t>() == TERN_STATE_SIZE && align_of::<tern_t>() == TERN_STATE_ALIGN);
};

/// A pointer, not NULL, to the contents of a `tern_t`.
#[derive(Clone, Copy)]
pub struct Handle(*mut State);

impl Handle {
    /// Returns the contents of `tern`; `None` if the pointer is NULL.
    pub fn new(tern: *const tern_t) -> Option<Self> {
        if tern.is_null() { None } else { Some(Handle(tern.cast_mut().cast())) }
    }

    /// Makes the state empty.
    ///
    /// # Safety
    /// The pointer must be that of a `tern_t` which no other thread uses. The same holds for all functions below.
    pub unsafe fn clear(self) {
        // SAFETY: the caller guarantees that the memory is a `tern_t`, whose size and alignment suffice.
        unsafe { ptr::addr_of_mut!((*self.0).stage).write(0) }
    }

    /// Stores a model.
    ///
    /// # Safety
    /// As for [`clear`](Self::clear).
    pub unsafe fn set_model(self, model: Model<'static>) {
        // SAFETY: as above.
        unsafe {
            ptr::addr_of_mut!((*self.0).model).write(MaybeUninit::new(model));
            ptr::addr_of_mut!((*self.0).stage).write(LOADED);
        }
    }

    /// Ends the session; the model stays.
    ///
    /// # Safety
    /// As for [`clear`](Self::clear).
    pub unsafe fn end_session(self) {
        // SAFETY: as above.
        unsafe {
            let stage = ptr::addr_of_mut!((*self.0).stage);
            if stage.read() == STARTED {
                stage.write(LOADED);
            }
        }
    }

    /// Stores a session on the model.
    ///
    /// # Safety
    /// As for [`clear`](Self::clear).
    pub unsafe fn set_session(self, session: Session<'static>) {
        // SAFETY: as above.
        unsafe {
            ptr::addr_of_mut!((*self.0).session).write(MaybeUninit::new(session));
            ptr::addr_of_mut!((*self.0).stage).write(STARTED);
        }
    }

    /// Returns the model; `None` if none is loaded.
    ///
    /// # Safety
    /// As for [`clear`](Self::clear). The model must not be used after another one is loaded.
    pub unsafe fn model(self) -> Option<&'static Model<'static>> {
        // SAFETY: after `set_model` the field is initialised and stays where it is.
        unsafe {
            let stage = ptr::addr_of!((*self.0).stage).read();
            matches!(stage, LOADED | STARTED).then(|| (*ptr::addr_of!((*self.0).model)).assume_init_ref())
        }
    }

    /// Returns the session; `None` if none has begun.
    ///
    /// # Safety
    /// As for [`clear`](Self::clear). Only one reference to the session may exist at a time.
    pub unsafe fn session<'t>(self) -> Option<&'t mut Session<'static>> {
        // SAFETY: after `set_session` the field is initialised and stays where it is.
        unsafe {
            let stage = ptr::addr_of!((*self.0).stage).read();
            (stage == STARTED).then(|| (*ptr::addr_of_mut!((*self.0).session)).assume_init_mut())
        }
    }
}

/// Calls `run` with the model of `tern`; otherwise returns the reason why there is none.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t` that no other thread uses.
pub unsafe fn with_model<T>(
    tern: *const tern_t,
    run: impl FnOnce(&'static Model<'static>) -> T,
) -> Result<T, tern_status> {
    let handle = Handle::new(tern).ok_or(TERN_NULL)?;
    // SAFETY: the caller guarantees it.
    let model = unsafe { handle.model() };
    model.map(run).ok_or(TERN_NOT_LOADED)
}

/// Calls `run` with the session of `tern`; otherwise returns the reason why there is none.
///
/// # Safety
/// `tern` must be NULL or point to a `tern_t` that no other thread uses.
pub unsafe fn with_session<T>(
    tern: *const tern_t,
    run: impl FnOnce(&mut Session<'static>) -> T,
) -> Result<T, tern_status> {
    let handle = Handle::new(tern).ok_or(TERN_NULL)?;
    // SAFETY: the caller guarantees it.
    let session = unsafe { handle.session() };
    session.map(run).ok_or(TERN_NOT_STARTED)
}

/// Returns the memory of a caller as a slice. Fails if the pointer is NULL or misaligned, unless `len` is 0.
///
/// # Safety
/// `len` elements at `start` must be readable, and unchanged while the slice is used.
pub unsafe fn slice<'t, T>(start: *const T, len: usize) -> Result<&'t [T], tern_status> {
    match (len, start.is_null(), start.is_aligned()) {
        (0, ..) => Ok(&[]),
        (_, true, _) => Err(TERN_NULL),
        (_, _, false) => Err(TERN_MISALIGNED),
        // SAFETY: the caller guarantees it.
        _ => Ok(unsafe { core::slice::from_raw_parts(start, len) }),
    }
}

/// Returns the memory of a caller as a mutable slice; otherwise as [`slice`].
///
/// # Safety
/// `len` elements at `start` must be readable and writable, and used by nobody else while the slice is.
pub unsafe fn slice_mut<'t, T>(start: *mut T, len: usize) -> Result<&'t mut [T], tern_status> {
    match (len, start.is_null(), start.is_aligned()) {
        (0, ..) => Ok(&mut []),
        (_, true, _) => Err(TERN_NULL),
        (_, _, false) => Err(TERN_MISALIGNED),
        // SAFETY: the caller guarantees it.
        _ => Ok(unsafe { core::slice::from_raw_parts_mut(start, len) }),
    }
}

/// Writes a value to the caller's memory, unless the pointer is NULL.
///
/// # Safety
/// `to` must be NULL or point to memory for a `T`.
pub unsafe fn write<T>(to: *mut T, value: T) {
    if !to.is_null() {
        // SAFETY: the caller guarantees it.
        unsafe { to.write(value) }
    }
}

/// Copies a text and a NUL into `size` bytes at `buffer`; a longer text is cut after a whole character. Returns the
/// length of the whole text in bytes.
///
/// # Safety
/// `buffer` must be NULL, or `size` bytes must be writable there.
pub unsafe fn copy_text(text: &str, buffer: *mut core::ffi::c_char, size: usize) -> usize {
    // `last` is kept for the NUL of a text that fills `room`, all other bytes.
    // SAFETY: the caller guarantees it.
    if let Ok([room @ .., last]) = unsafe { slice_mut(buffer.cast::<u8>(), size) } {
        // The number of bytes of the whole characters that fit.
        let fitting = (0..=room.len().min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        // A cut text fills `room`; a shorter one is followed by a NUL there.
        *last = 0;
        let bytes = text.as_bytes().iter().take(fitting).copied().chain(core::iter::once(0));
        room.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
    }
    text.len()
}
