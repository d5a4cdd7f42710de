//! What this build has, by the crate's features. A file that needs another part is refused at load, so no code for it is linked: a part
//! that is left out is either a type without values, or a constant that is false.

/// A type for each part: what it holds only is where the part is built in, and takes no place otherwise.
macro_rules! parts {
    ($($(#[$doc:meta])* $part:ident = $($feature:literal)|+)*) => { $(
        #[cfg(any($(feature = $feature),+))]
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $part<T>(T);

        #[cfg(not(any($(feature = $feature),+)))]
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $part<T>(core::convert::Infallible, core::marker::PhantomData<T>);

        #[cfg(any($(feature = $feature),+))]
        impl<T> $part<T> {
            pub(crate) fn new(held: T) -> Option<Self> {
                Some($part(held))
            }
        }

        #[cfg(not(any($(feature = $feature),+)))]
        impl<T> $part<T> {
            /// None: it is not built in.
            pub(crate) fn new(_: T) -> Option<Self> {
                None
            }
        }

        impl<T> $part<T> {
            #[allow(dead_code)] // Not asked of every part.
            pub(crate) const IS_BUILT: bool = cfg!(any($(feature = $feature),+));
        }

        impl<T> core::ops::Deref for $part<T> {
            type Target = T;

            #[inline(always)]
            fn deref(&self) -> &T {
                #[cfg(any($(feature = $feature),+))]
                return &self.0;
                #[cfg(not(any($(feature = $feature),+)))]
                match self.0 {}
            }
        }

        impl<T> core::ops::DerefMut for $part<T> {
            #[inline(always)]
            fn deref_mut(&mut self) -> &mut T {
                #[cfg(any($(feature = $feature),+))]
                return &mut self.0;
                #[cfg(not(any($(feature = $feature),+)))]
                match self.0 {}
            }
        }
    )* };
}

parts! {
    /// LSTM cells in the plain packing.
    Interleaved4 = "interleaved4"
    /// LSTM cells in the packing of cores with DSP instructions.
    Paired16 = "paired16"
    /// GRU cells.
    Gru = "gru"
    /// Plain cells.
    Rnn = "rnn"
    /// What models have that read numbers.
    Values = "values"
    /// Input halves that are ready-made.
    Folds = "folding"
    /// A hidden layer in the head.
    Hidden = "hidden"
    /// What is kept of steps that are read from both ends.
    Steps = "bidirectional"
    /// What the head reads where that is not the last state.
    Features = "pooling" | "bidirectional"
}

/// Any of the plain packings.
pub(crate) const PLAIN: bool = Interleaved4::<()>::IS_BUILT || Gru::<()>::IS_BUILT || Rnn::<()>::IS_BUILT;
/// Layers in the packing `paired16` and no other: all sizes are multiples of 4.
#[cfg(dsp)]
pub(crate) const ONLY_PAIRED: bool = !PLAIN && !WIDTHS;
/// More than one layer.
pub(crate) const STACKED: bool = cfg!(feature = "stacked");
/// Layers that also read from the end.
pub(crate) const BIDIRECTIONAL: bool = Steps::<()>::IS_BUILT;
/// Heads that read another thing than the last state.
pub(crate) const POOLING: bool = cfg!(feature = "pooling");
/// Models that read numbers, forecasts among them.
pub(crate) const VALUES: bool = Values::<()>::IS_BUILT;
/// Ready-made input halves.
pub(crate) const FOLDING: bool = Folds::<()>::IS_BUILT;
/// Heads with a hidden layer.
pub(crate) const HIDDEN: bool = Hidden::<()>::IS_BUILT;
/// Tokenizers.
pub(crate) const HTML_WORDS: bool = cfg!(feature = "html_words");
pub(crate) const WORDPIECE: bool = cfg!(feature = "wordpiece");
/// Errors that say what is wrong with a file.
pub(crate) const ERRORS: bool = cfg!(feature = "errors");
/// Weights of 4 and 16 bits.
pub(crate) const WIDTHS: bool = cfg!(feature = "widths");

#[cfg(not(any(feature = "interleaved4", feature = "paired16", feature = "gru", feature = "rnn", feature = "widths")))]
compile_error!(
    "tern-runtime is built without any recurrent layer: turn on what the device file needs among the features interleaved4, paired16 \
    (LSTM), gru, rnn and widths"
);
