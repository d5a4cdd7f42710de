//! What this build has, by the crate's features. A file that needs another part is refused at load, so no code for it is linked: a part
//! that is left out is either a type without values, or a constant that is false.

/// A type for each part: its value is in whatever only runs where the part is built in.
macro_rules! parts {
    ($($(#[$doc:meta])* $part:ident = $feature:literal)*) => { $(
        #[cfg(feature = $feature)]
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $part;

        #[cfg(not(feature = $feature))]
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum $part {}

        impl $part {
            /// Its value, where it is built in.
            #[cfg(feature = $feature)]
            pub(crate) const BUILT: Option<$part> = Some($part);
            #[cfg(not(feature = $feature))]
            pub(crate) const BUILT: Option<$part> = None;
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
}

/// Any of the plain packings.
pub(crate) const PLAIN: bool = Interleaved4::BUILT.is_some() || Gru::BUILT.is_some() || Rnn::BUILT.is_some();
/// Layers that also read from the end.
pub(crate) const BIDIRECTIONAL: bool = cfg!(feature = "bidirectional");
/// Heads that read another thing than the last state.
pub(crate) const POOLING: bool = cfg!(feature = "pooling");
/// Models that read numbers, forecasts among them.
pub(crate) const VALUES: bool = cfg!(feature = "values");
/// Ready-made input halves.
pub(crate) const FOLDING: bool = cfg!(feature = "folding");
/// Weights of 4 and 16 bits.
pub(crate) const WIDTHS: bool = cfg!(feature = "widths");

#[cfg(not(any(feature = "interleaved4", feature = "paired16", feature = "gru", feature = "rnn", feature = "widths")))]
compile_error!(
    "tern-runtime is built without any recurrent layer: turn on what the device file needs among the features interleaved4, paired16 \
    (LSTM), gru, rnn and widths"
);
