#![doc = include_str!("guide.md")]

mod capture;
mod isolate;
mod leaks;

pub use capture::{Capture, Printed, Stderr, capture, capture_stderr, capture_stdout};
pub use isolate::{NotATest, isolate, rerun};
pub use leaks::{ChildProcess, ChildSnapshot, FdSnapshot, OpenFd, assert_no_leaks};
