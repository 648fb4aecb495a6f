//! The reading end.

use std::error::Error;
use std::io::{self, BufRead, IoSliceMut, Read};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, mem};

use super::end::{End, SharedError};
use super::shared::Pipe;
use crate::clock::Deadline;
use crate::sys::rendezvous::Side;

/// The size of the buffer in bytes, like that of std's `BufReader`.
const CHUNK: usize = 8 * 1024;

/// The reading end of a pipe in memory; see [`memory()`](super::memory). Reading blocks until there is something, or the end.
///
/// As a [`BufRead`] it has a buffer, made by the first `fill_buf`. To the writer, the bytes in it are read; later reads give them out
/// first. A clone starts with an empty buffer. That buffer is why there is no `Read for &MemReader`: clone it.
///
/// After an error each read returns it again: a loop over [`lines`](BufRead::lines) that does not stop at it never ends.
///
/// Dropping the last clone closes the side: writers get `BrokenPipe`.
///
/// ```
/// use std::io::{BufRead, Write};
/// let (reader, mut writer) = pipewright::pipe::memory();
/// let thread = std::thread::spawn(move || writer.write_all(b"one\ntwo\n"));
/// let lines: Vec<String> = reader.lines().collect::<Result<_, _>>()?;
/// assert_eq!(lines, ["one", "two"]);
/// thread.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct MemReader {
    side: Arc<ReadSide>,
    buffer: Vec<u8>,
    /// The part of the buffer that is filled and not read yet.
    left: Range<usize>,
}

/// What clones share. Its drop closes the side.
struct ReadSide(Arc<Pipe>);

impl Drop for ReadSide {
    fn drop(&mut self) {
        self.0.close(Side::Reader, End::Closed);
    }
}

impl MemReader {
    pub(super) fn new(pipe: Arc<Pipe>) -> Self {
        MemReader { side: Arc::new(ReadSide(pipe)), buffer: Vec::new(), left: 0..0 }
    }

    /// Closes the reading side, for all clones: reads fail with `BrokenPipe` from now on, and so do writes. Wakes the threads that
    /// are blocked. Does nothing when the side is closed. Does not block.
    ///
    /// ```
    /// use std::io::{ErrorKind, Write};
    /// let (reader, mut writer) = pipewright::pipe::memory();
    /// reader.close();
    /// assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    /// ```
    pub fn close(&self) {
        self.pipe().close(Side::Reader, End::Closed);
    }

    /// [`close`](MemReader::close) with an error, which each write fails with. Does not block.
    ///
    /// ```
    /// use std::io::Write;
    /// let (reader, mut writer) = pipewright::pipe::memory();
    /// reader.close_with_error("no more than 10 lines, please");
    /// assert_eq!(writer.write(b"x").unwrap_err().to_string(), "no more than 10 lines, please");
    /// ```
    pub fn close_with_error(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.pipe().close(Side::Reader, End::Failed(SharedError::new(error.into())));
    }

    /// A `read` that gives up after `timeout`. Blocks for no longer; bytes that a writer is copying at that moment still arrive.
    ///
    /// # Errors
    /// `TimedOut`: nothing came in time. No byte is lost by that. Otherwise like `read`.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    /// let (mut reader, _writer) = pipewright::pipe::memory();
    /// let error = reader.read_timeout(&mut [0; 8], Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::TimedOut);
    /// ```
    pub fn read_timeout(&mut self, into: &mut [u8], timeout: Duration) -> io::Result<usize> {
        self.read_until(&mut [IoSliceMut::new(into)], Deadline::after(timeout))
    }

    /// A `read` that gives up at `deadline`. Blocks for no longer; a deadline that has passed still reads what is there.
    ///
    /// # Errors
    /// `TimedOut`: nothing came in time. No byte is lost by that. Otherwise like `read`.
    ///
    /// ```
    /// use std::io::Write;
    /// use std::time::Instant;
    /// let (mut reader, mut writer) = pipewright::pipe::buffered(8);
    /// writer.write_all(b"x")?;
    /// assert_eq!(reader.read_deadline(&mut [0; 8], Instant::now())?, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read_deadline(&mut self, into: &mut [u8], deadline: Instant) -> io::Result<usize> {
        self.read_until(&mut [IoSliceMut::new(into)], Deadline::at(deadline))
    }

    fn pipe(&self) -> &Pipe {
        &self.side.0
    }

    fn buffered(&self) -> &[u8] {
        &self.buffer[self.left.clone()]
    }

    fn read_until(&mut self, into: &mut [IoSliceMut<'_>], deadline: Deadline) -> io::Result<usize> {
        if self.buffered().is_empty() {
            let pipe = self.pipe();
            return pipe.rendezvous.read(into, deadline).or_else(|error| pipe.reader_result(error));
        }
        self.pipe().check_open(Side::Reader)?;
        let mut buffered = self.buffered();
        let read = buffered.read_vectored(into)?;
        self.left.start += read;
        Ok(read)
    }
}

impl Read for MemReader {
    /// Blocks until there is something; `Ok(0)` is the end, or no room in `into`.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.read_until(&mut [IoSliceMut::new(into)], Deadline::NEVER)
    }

    fn read_vectored(&mut self, into: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_until(into, Deadline::NEVER)
    }
}

impl BufRead for MemReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.pipe().check_open(Side::Reader)?;
        if self.buffered().is_empty() {
            let mut buffer = mem::take(&mut self.buffer);
            self.left = 0..0;
            buffer.resize(CHUNK, 0);
            let read = self.read_until(&mut [IoSliceMut::new(&mut buffer)], Deadline::NEVER);
            self.buffer = buffer;
            self.left = 0..read?;
        }
        Ok(self.buffered())
    }

    fn consume(&mut self, amount: usize) {
        self.left.start = (self.left.start + amount).min(self.left.end);
    }
}

/// Another reader of the same side, with an empty buffer.
impl Clone for MemReader {
    fn clone(&self) -> Self {
        MemReader { side: Arc::clone(&self.side), buffer: Vec::new(), left: 0..0 }
    }
}

impl fmt::Debug for MemReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pipe().debug("MemReader", Side::Reader, f)
    }
}
