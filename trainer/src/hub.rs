//! Models on the Hugging Face hub: downloads and uploads them over the hub's HTTP interface.
//!
//! A file is kept only if its length and its checksum are those that the hub states. The token is sent to the hub
//! alone, not to the servers that it redirects to.

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
