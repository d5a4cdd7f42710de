//! Downloads and uploads of models on the Hugging Face hub, over the hub's HTTP interface.
//!
//! A downloaded file is kept only if its length and its checksum are those that the hub states. The access token is
//! sent to the hub alone, not to servers that the hub redirects to.

mod client;
mod pull;
#[cfg(test)]
pub(crate) mod stand_in;
#[cfg(test)]
mod tests;
mod upload;

pub use client::{Address, Hub};
pub use pull::pull;
pub use upload::{Upload, upload};
