//! Pipes.
//!
//! [`kernel()`] makes the system's own pipe, `pipe(2)`: its ends are descriptors, any process may hold them, and what is
//! written waits in the kernel until it is read. [`memory()`] makes one between the threads of this process, without a
//! descriptor: a write meets its reads, and an error can be sent along. [`buffered()`] is the same with room for some bytes.

pub(crate) mod budget;
mod kernel;
mod memory;

pub use kernel::{PipeReader, PipeWriter, kernel};
pub(crate) use memory::Breaker;
pub use memory::{MemReader, MemWriter, buffered, memory};
