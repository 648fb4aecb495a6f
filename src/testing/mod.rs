//! For tests.

mod capture;
mod isolate;

pub use capture::{Capture, Printed, Stderr, capture, capture_stderr, capture_stdout};
pub use isolate::{NotATest, isolate, rerun};
