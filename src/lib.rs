//! The shell's plumbing as a Rust library.

mod clock;
mod cmd;
mod failure;
mod fd;
pub mod pipe;
mod process;
mod pump;
mod spawn;
mod status;
mod stdio;
mod sys;

pub use failure::Step;
pub use process::{Process, StatusStolen, Usage};
pub use pump::{Captured, Limit};
pub use status::{Status, StatusUnknown};
pub use stdio::Stream;
