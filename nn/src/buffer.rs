//! A pool of large f32 buffers, reused from batch to batch.
//!
//! A batch needs some kilobytes for each of its tokens. If that memory were returned to the operating system after each
//! batch, the operating system would zero new pages for the next one, which takes longer than a large part of the
//! arithmetic.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Buffers that are not in use.
static IDLE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());
/// The largest number of idle buffers. Further ones are freed.
const MAX_IDLE: usize = 64;

/// A slice of f32 whose memory returns to the pool on drop.
#[derive(Debug, Default)]
pub struct Buffer {
    /// The memory, at least `len` values.
    values: Vec<f32>,
    /// Length of the slice.
    len: usize,
}

impl Buffer {
    /// A buffer with unspecified values.
    pub fn any(len: usize) -> Self {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        // Takes the smallest idle buffer that is large enough. If there is none, a new buffer replaces the largest one.
        let fitting = (0..idle.len()).filter(|&index| idle[index].len() >= len).min_by_key(|&index| idle[index].len());
        let values = match fitting {
            Some(index) => idle.swap_remove(index),
            None => {
                if let Some(largest) = (0..idle.len()).max_by_key(|&index| idle[index].len()) {
                    idle.swap_remove(largest);
                }
                // The pool is free for other threads while the new buffer is allocated.
                drop(idle);
                // An eighth more than requested, so that the buffer also serves slightly larger batches.
                vec![0.0; len + len / 8]
            }
        };
        Buffer { values, len }
    }

    /// A buffer of zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Buffer::any(len);
        buffer.fill(0.0);
        buffer
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE && !values.is_empty() {
            idle.push(values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_have_the_requested_length() {
        for len in [0, 5, 3, 100, 7] {
            let mut buffer = Buffer::zeros(len);
            assert_eq!(*buffer, vec![0.0; len]);
            buffer.fill(1.0);
        }
    }
}
