//! The writing end.

use std::error::Error;
use std::io::{self, IoSlice, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use super::end::{End, SharedError};
use super::shared::{Breaker, Pipe};
use crate::clock::Deadline;
use crate::pipe::in_one_piece;
use crate::sys::rendezvous::Side;

/// The writing end of a pipe in memory; see [`memory()`](super::memory). Writing blocks until all is read, or kept.
///
/// Dropping the last clone closes the side: readers get what was written, then the end. If a panic dropped one of the clones, they get
/// an error instead of the end, unless the side was closed before.
///
/// ```
/// use std::io::{BufRead, Write};
/// let (reader, writer) = pipewright::pipe::memory();
/// for name in ["a", "b"] {
///     let mut writer = writer.clone();
///     std::thread::spawn(move || writer.write_all(format!("from {name}\n").as_bytes()));
/// }
/// drop(writer);
/// let mut lines: Vec<String> = reader.lines().collect::<Result<_, _>>()?;
/// lines.sort();
/// assert_eq!(lines, ["from a", "from b"]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct MemWriter {
    side: Arc<WriteSide>,
}

/// What clones share. Its drop closes the side.
struct WriteSide(Arc<Pipe>);

impl Drop for WriteSide {
    fn drop(&mut self) {
        self.0.close_writer();
    }
}

impl Drop for MemWriter {
    fn drop(&mut self) {
        if thread::panicking() {
            self.pipe().has_panicked.store(true, Relaxed);
        }
    }
}

impl MemWriter {
    pub(super) fn new(pipe: Arc<Pipe>) -> Self {
        MemWriter { side: Arc::new(WriteSide(pipe)) }
    }

    /// Closes the writing side, for all clones: readers get what was written, then the end; writes fail with `BrokenPipe`. Wakes
    /// the threads that are blocked. Does nothing when the side is closed. Does not block.
    ///
    /// ```
    /// let (reader, writer) = pipewright::pipe::memory();
    /// writer.close();
    /// assert_eq!(std::io::read_to_string(reader)?, "");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close(&self) {
        self.pipe().close_writer();
    }

    /// [`close`](MemWriter::close) with an error, which readers get in place of the end. Does not block.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// let (reader, writer) = pipewright::pipe::memory();
    /// writer.close_with_error(std::io::Error::new(ErrorKind::InvalidData, "not a PNG"));
    /// let error = std::io::read_to_string(reader).unwrap_err();
    /// assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::InvalidData, "not a PNG"));
    /// ```
    pub fn close_with_error(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.pipe().close(Side::Writer, End::Failed(SharedError::new(error.into())));
    }

    /// A `write` that gives up after `timeout`, which includes the wait for other writers. Blocks for no longer; bytes that a reader is
    /// copying at that moment are still written.
    ///
    /// # Errors
    /// `TimedOut`: no byte was read or kept in time. If some were, `Ok` says how many. Otherwise like `write`.
    ///
    /// ```
    /// use std::time::Duration;
    /// let (reader, writer) = pipewright::pipe::buffered(4);
    /// let brief = Duration::from_millis(1);
    /// assert_eq!(writer.write_timeout(b"123456", brief)?, 4);
    /// assert_eq!(writer.write_timeout(b"56", brief).unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    /// # drop(reader);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write_timeout(&self, bytes: &[u8], timeout: Duration) -> io::Result<usize> {
        self.write_until(&[IoSlice::new(bytes)], Deadline::after(timeout))
    }

    /// [`write_timeout`](MemWriter::write_timeout) with a moment. Blocks for no longer; after a deadline that has passed, bytes that there is
    /// room for are still kept. Without room, a reader has to be there in time.
    ///
    /// # Errors
    /// `TimedOut`: no byte was read or kept in time. If some were, `Ok` says how many. Otherwise like `write`.
    ///
    /// ```
    /// use std::time::Instant;
    /// let (_reader, writer) = pipewright::pipe::memory();
    /// let error = writer.write_deadline(b"x", Instant::now()).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    /// ```
    pub fn write_deadline(&self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        self.write_until(&[IoSlice::new(bytes)], Deadline::at(deadline))
    }

    /// A means to break the pipe from outside.
    pub(crate) fn breaker(&self) -> Breaker {
        Breaker(Arc::clone(&self.side.0))
    }

    fn pipe(&self) -> &Pipe {
        &self.side.0
    }

    fn write_until(&self, bytes: &[IoSlice<'_>], deadline: Deadline) -> io::Result<usize> {
        let pipe = self.pipe();
        pipe.rendezvous.write(bytes, deadline).map_err(|error| pipe.writer_error(error))
    }
}

impl Write for MemWriter {
    /// Blocks until all bytes are read, or kept; fewer are `Ok` when the pipe is closed meanwhile.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    /// All slices are one write.
    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bytes)
    }

    /// Does nothing: no write leaves anything behind.
    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }

    /// One write, however many pieces there are.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        (&*self).write_fmt(text)
    }
}

impl Write for &MemWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_until(&[IoSlice::new(bytes)], Deadline::NEVER)
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_until(bytes, Deadline::NEVER)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.write_all(in_one_piece(text, &mut Vec::new())?)
    }
}

impl fmt::Debug for MemWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pipe().debug("MemWriter", Side::Writer, f)
    }
}
