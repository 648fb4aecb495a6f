//! Pipes.
//!
//! [`kernel()`] makes the system's pipe, pipe(2): its ends are descriptors, any process may hold them, and the kernel keeps what is written
//! until it is read. [`memory()`] makes one between the threads of this process, without a descriptor: a write waits for its
//! reads, and an error can be sent along. [`buffered()`] makes one that keeps some bytes.

use std::io::Write;
use std::{fmt, io};

pub(crate) mod budget;
mod kernel;
pub(crate) mod makeflags;
mod memory;

pub use kernel::{PipeReader, PipeWriter, kernel};
pub(crate) use memory::Breaker;
pub use memory::{MemReader, MemWriter, buffered, memory};

/// The text of a `write!` in one piece. Written piece by piece, it would mix with the writes of other threads.
pub(crate) fn in_one_piece<'t>(text: fmt::Arguments<'_>, scratch: &'t mut Vec<u8>) -> io::Result<&'t [u8]> {
    if let Some(text) = text.as_str() {
        return Ok(text.as_bytes());
    }
    scratch.clear();
    scratch.write_fmt(text)?;
    Ok(scratch)
}
