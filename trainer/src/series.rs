//! Numbers instead of text: sequences to classify, series to forecast.
//!
//! [`table`] reads them. A table of sequences has a column by which rows belong together, consecutive rows with the same
//! value being one sequence, and a column of labels; a table of a series is in the order of time. All other columns that
//! hold numbers are channels.
//!
//! A number may be missing: an empty field, `NA`, `NaN`, `null` or `?`. What a network reads in its place is the last
//! number of the channel before it, in the same sequence or window's series, or the channel's mean where there is none.
//! A missing number is never learnt and never counted in a figure.

pub mod forecast;
pub mod scaling;
pub mod sequences;
pub mod table;
