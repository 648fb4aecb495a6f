//! Pipes.
//!
//! [`kernel()`] makes the system's own pipe, `pipe(2)`: its ends are descriptors, any process may hold them, and what is
//! written waits in the kernel until it is read.

pub(crate) mod budget;
mod kernel;

pub use kernel::{PipeReader, PipeWriter, kernel};
