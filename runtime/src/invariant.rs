//! `unwrap` without a panic in release builds, for values that always exist after a file has been checked.
//!
//! Such a value is missing only because of a bug. A build with debug assertions then panics; a release build, which
//! must not contain the code of a panic, uses a fall-back.

/// An optional value that the checks at load guarantee.
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
