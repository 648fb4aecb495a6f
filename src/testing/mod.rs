#![doc = include_str!("guide.md")]

mod assert;
mod capture;
mod cargo_bin;
mod isolate;
mod leaks;
mod normal;

pub use assert::{Assert, Expect};
pub use capture::{Capture, Printed, Stderr, capture, capture_stderr, capture_stdout};
pub use cargo_bin::NoCargoBin;
pub use isolate::{NotATest, isolate, rerun};
pub use leaks::{ChildProcess, ChildSnapshot, FdSnapshot, OpenFd, assert_no_leaks};
pub use normal::Normalize;
