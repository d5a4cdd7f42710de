//! `cargo xtask bench`: what things cost, by commands that a reader can run.

pub mod device;
mod golden;
mod machine;
pub mod splits;
pub mod train;
mod workload;

pub use machine::CORES;
