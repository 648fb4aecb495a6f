//! The shell's plumbing as a Rust library.

#[allow(dead_code, reason = "used by the builder, which is still to come")]
mod cmd;
pub mod fd;
mod pump;
#[allow(dead_code, reason = "used by the engines, which are still to come")]
mod spawn;

pub use pump::capture::Limit;
pub use pump::captured::Captured;
