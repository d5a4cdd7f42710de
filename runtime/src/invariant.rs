//! Fall-backs for values that always exist after a file has been checked.
//!
//! A release build must not panic, so it uses the fall-back; a build with debug assertions reports the broken
//! invariant.

/// An optional value that an invariant guarantees.
pub(crate) trait Guaranteed<T> {
    /// The value. If there is none, a debug build panics and a release build returns `fallback`.
    fn guaranteed_or(self, fallback: T) -> T;

    /// The value. If there is none, a debug build panics and a release build returns the default.
    fn guaranteed(self) -> T
    where
        T: Default;
}

impl<T> Guaranteed<T> for Option<T> {
    #[inline(always)]
    #[track_caller]
    fn guaranteed_or(self, fallback: T) -> T {
        debug_assert!(self.is_some(), "an invariant is broken: the value always exists after load");
        self.unwrap_or(fallback)
    }

    #[inline(always)]
    #[track_caller]
    fn guaranteed(self) -> T
    where
        T: Default,
    {
        debug_assert!(self.is_some(), "an invariant is broken: the value always exists after load");
        self.unwrap_or_default()
    }
}
