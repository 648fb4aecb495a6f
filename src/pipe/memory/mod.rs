//! The pipe in memory: two ends in one process, and no descriptor.

mod end;
mod reader;
mod shared;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

pub use reader::MemReader;
pub(crate) use shared::Breaker;
use shared::Pipe;
pub use writer::MemWriter;

/// A new pipe within this process that keeps nothing: a write returns when its bytes have been read.
///
/// The bytes are copied once, from the writer's slice into the reader's. It uses no descriptor and no buffer. Either end can be cloned
/// and sent to other threads:
///
/// - One write may feed several reads; one read never gives bytes of two writes.
/// - Of several writers one writes at a time: the bytes of two writes are never mixed. A vectored write is one write, and so is a
///   `write!`. A writer that waits for others is passed over a limited number of times.
/// - Several readers share what comes: each byte goes to one of them.
/// - A write of nothing is `Ok(0)` at once, and wakes no reader.
///
/// **The end.** Closing the writing side, or dropping its last handle, is the end for readers: `Ok(0)`, each time. Closing the
/// reading side, or dropping its last handle, is `BrokenPipe` to writers. [`MemWriter::close_with_error`] and
/// [`MemReader::close_with_error`] send the caller's error to the other side instead. If a side is closed more than once, the first call counts.
/// Closing wakes the threads that are blocked on either side. A write of which a part was read is `Ok` of that part; the next one says why.
/// A [`MemWriter`] dropped by a panic makes the end an error: what came before it may be half of what was meant.
///
/// **Errors keep what they are.** The other side's error reads like the original and has it as its `source()`. An
/// [`io::Error`](std::io::Error) keeps its kind, and one that is nothing but a kind or a code is made again from it; any other error has
/// the kind `Other`. `Interrupted` becomes `Other`, too: callers would retry it for ever.
///
/// A handle that is leaked (`mem::forget`) keeps its side open.
///
/// ```
/// use std::io::{Read, Write};
/// let (mut reader, mut writer) = pipewright::pipe::memory();
/// let thread = std::thread::spawn(move || writer.write_all(b"from slice to slice"));
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "from slice to slice");
/// thread.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "io.Pipe")]
pub fn memory() -> (MemReader, MemWriter) {
    buffered(0)
}

/// A new pipe within this process that keeps up to `capacity` bytes: a write returns when all of its bytes are kept or read.
///
/// It is like [`memory()`], except that a read may give bytes of several writes. What was written can be read after the writers are
/// gone; what is still kept when the readers go is lost. `buffered(0)` is `memory()`. A big write may be copied directly to a
/// reader that waits.
///
/// # Panics
/// When there is no memory for `capacity` bytes.
///
/// ```
/// use std::io::{Read, Write};
/// let (mut reader, mut writer) = pipewright::pipe::buffered(16);
/// writer.write_all(b"no one ")?;
/// writer.write_all(b"waits")?;
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "no one waits");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn buffered(capacity: usize) -> (MemReader, MemWriter) {
    let pipe = Pipe::new(capacity);
    (MemReader::new(Arc::clone(&pipe)), MemWriter::new(pipe))
}
