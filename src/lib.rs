//! The shell's plumbing as a Rust library.

pub mod fd;
mod pump;

pub use pump::capture::Limit;
pub use pump::captured::Captured;
