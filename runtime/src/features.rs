//! The Cargo features of this build, as types and constants.
//!
//! The loader refuses a file that needs a feature which is off, so no code for that feature needs to be linked. A part
//! of a model that belongs to a feature is kept in the feature's wrapper: `Option<Folding<Folded>>`. If the feature is
//! off, the wrapper has no values, so the compiler knows that the option is `None` and drops the code for it. The
//! constants below do the same for conditions.

/// Declares a wrapper type for one feature, or for several. If one of them is on, the type holds a `T`; if all are off,
/// the type has no values and takes no space.
macro_rules! features {
    ($($(#[$doc:meta])* $feature_type:ident = $($feature:literal)|+)*) => { $(
        #[cfg(any($(feature = $feature),+))]
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $feature_type<T>(T);

        #[cfg(not(any($(feature = $feature),+)))]
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $feature_type<T>(core::convert::Infallible, core::marker::PhantomData<T>);

        impl<T> $feature_type<T> {
            /// True if the feature is on, or one of several.
            #[allow(dead_code)] // Not every feature uses it.
            pub(crate) const IS_BUILT: bool = cfg!(any($(feature = $feature),+));

            /// Wraps a value; returns none if the feature is off.
            #[allow(dead_code)] // Some calls are compiled only if the feature is on.
            #[cfg_attr(not(any($(feature = $feature),+)), allow(unused_variables))]
            pub(crate) fn new(value: T) -> Option<Self> {
                #[cfg(any($(feature = $feature),+))]
                return Some($feature_type(value));
                #[cfg(not(any($(feature = $feature),+)))]
                None
            }
        }

        impl<T> core::ops::Deref for $feature_type<T> {
            type Target = T;

            #[inline(always)]
            fn deref(&self) -> &T {
                #[cfg(any($(feature = $feature),+))]
                return &self.0;
                #[cfg(not(any($(feature = $feature),+)))]
                match self.0 {}
            }
        }

        impl<T> core::ops::DerefMut for $feature_type<T> {
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

features! {
    /// LSTM cells in the packing `interleaved4`.
    Interleaved4 = "interleaved4"
    /// Layers in the packing `paired16`.
    Paired16 = "paired16"
    /// GRU cells.
    Gru = "gru"
    /// Plain cells.
    Rnn = "rnn"
    /// GRU or plain cells.
    OtherCells = "gru" | "rnn"
    /// Parts of models that read the input `values`, numbers of channels such as sensors, instead of text.
    Values = "values"
    /// Folded tokens.
    Folding = "folding"
    /// The hidden layer of the head.
    Hidden = "hidden"
    /// The inputs and states of all steps of a text, which a bidirectional model keeps until logits are read.
    Bidirectional = "bidirectional"
    /// The n-gram branch.
    Ngrams = "ngrams"
    /// A vocabulary that stores fingerprints of its tokens.
    TokenFingerprints = "token_fingerprints"
    /// The rule by which a classifier refuses to answer.
    Refusal = "refusal"
    /// The buffer for the input of the head, if the head does not read the last hidden state in place.
    HeadFeatures = "pooling" | "bidirectional" | "ngrams"
}

/// True if an interleaved packing (`interleaved4`, `interleaved3` or `interleaved1`) is built in.
pub(crate) const INTERLEAVED: bool = Interleaved4::<()>::IS_BUILT || Gru::<()>::IS_BUILT || Rnn::<()>::IS_BUILT;
/// True if no packing but `paired16` is built in, so that the embedding dimension and the hidden size are multiples of
/// 4. The feature `widths` brings the packing `rows`.
#[cfg(dsp)]
pub(crate) const ONLY_PAIRED: bool = !INTERLEAVED && !WIDTHS;
/// True if models may have more than one layer.
pub(crate) const STACKED: bool = cfg!(feature = "stacked");
/// True if layers may also read the sequence in reverse.
pub(crate) const BIDIRECTIONAL: bool = Bidirectional::<()>::IS_BUILT;
/// True if the head may read the mean or the maximum of the hidden states.
pub(crate) const POOLING: bool = cfg!(feature = "pooling");
/// True if models may read values.
pub(crate) const VALUES: bool = Values::<()>::IS_BUILT;
/// True if tokens may be folded.
pub(crate) const FOLDING: bool = Folding::<()>::IS_BUILT;
/// True if models may have an n-gram branch.
pub(crate) const NGRAMS: bool = Ngrams::<()>::IS_BUILT;
/// True if a classifier's vocabulary may consist of fingerprints.
pub(crate) const TOKEN_FINGERPRINTS: bool = TokenFingerprints::<()>::IS_BUILT;
/// True if classifiers may refuse to answer.
pub(crate) const REFUSAL: bool = Refusal::<()>::IS_BUILT;
/// True if the head may have a hidden layer.
pub(crate) const HIDDEN: bool = Hidden::<()>::IS_BUILT;
/// True if the tokenizers `html_words` and `html_words_cased` are built in.
pub(crate) const HTML_WORDS: bool = cfg!(feature = "html_words");
/// True if the tokenizers `wordpiece` and `wordpiece_cased` are built in.
pub(crate) const WORDPIECE: bool = cfg!(feature = "wordpiece");
/// True if [`LoadError`](crate::LoadError) names the fault of a file.
pub(crate) const ERRORS: bool = cfg!(feature = "errors");
/// True if weights of 4 and 16 bits are built in.
pub(crate) const WIDTHS: bool = cfg!(feature = "widths");

// A model needs a recurrent branch, and so a packing of some cell, or an n-gram branch. Each of these features brings
// one of them.
#[cfg(not(any(
    feature = "interleaved4",
    feature = "paired16",
    feature = "gru",
    feature = "rnn",
    feature = "widths",
    feature = "ngrams"
)))]
compile_error!(
    "tern-runtime is built without any layer: turn on what the device file needs among the features interleaved4 \
    (LSTM), paired16, gru, rnn, widths and ngrams"
);
