//! What a closure stage reads.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use crate::engine::cancellation::Cancellation;
use crate::io::fd_writer::Fd;
use crate::pipe::MemReader;
use crate::sys::poll::Interest;
use crate::sys::{fds, stream};

/// The input of a closure stage: what the stage before wrote, or the pipeline's stdin.
///
/// Reads block until there is something, and return 0 at the end. The end is an error instead if the stage before is a closure that failed
/// (its error, with its kind and source), or while the run is being ended by its timeout, a cancel or a drop, so that a part is not
/// taken for the whole. A blocked read then wakes up with an error, and every later read that has to fetch something fails. It is
/// buffered once you use a method of [`BufRead`].
///
/// It is dropped when the closure returns: a stage that still writes gets a broken pipe.
///
/// ```
/// use pipewright::cmd;
/// use std::io::{BufRead, Write};
/// let numbered = cmd!("printf", r"a\nb\n").pipe_fn(|input, output| {
///     for (number, line) in input.lines().enumerate() {
///         writeln!(output, "{number} {}", line?)?;
///     }
///     Ok(())
/// });
/// assert_eq!(numbered.read()?, "0 a\n1 b");
/// # Ok::<(), pipewright::Error>(())
/// ```
pub struct StageReader {
    source: Source,
    cancellation: Arc<Cancellation>,
    /// What a method of `BufRead` read ahead; empty until one is used.
    buffer: Vec<u8>,
    /// What of it is still to be given.
    unread: std::ops::Range<usize>,
    upstream_failed: bool,
}

/// Where it comes from.
pub(crate) enum Source {
    /// `/dev/null`.
    Empty,
    /// This library's own end of a pipe, set to `O_NONBLOCK`.
    Pipe(OwnedFd),
    /// A shared descriptor that never blocks: a regular file, or one that refuses at once.
    File(Fd),
    /// A shared descriptor that is polled before each read: a socket, or one that cannot be opened anew.
    Foreign(Fd),
    /// A shared descriptor that was opened anew with `O_NONBLOCK`; and the original, which may be what keeps it alive.
    Reopened(OwnedFd, #[expect(dead_code, reason = "held open")] Fd),
    Memory(MemReader),
}

/// In bytes: this much is read ahead, a quarter of a pipe that was grown.
const BUFFER: usize = 64 * 1024;

impl Source {
    /// A descriptor that others share. Another reader may take the bytes that a poll saw. A read of the original would then block, and
    /// nothing could wake it.
    pub(crate) fn foreign(fd: Fd) -> Source {
        if fds::is_regular_file(fd.as_fd()) || fds::refuses_reads(fd.as_fd()) {
            return Source::File(fd);
        }
        match fds::reopen_nonblocking(fd.as_fd().as_raw_fd(), false) {
            Some(own) => Source::Reopened(own, fd),
            None => Source::Foreign(fd),
        }
    }
}

impl StageReader {
    pub(crate) fn new(source: Source, cancellation: Arc<Cancellation>) -> io::Result<StageReader> {
        if let Source::Pipe(pipe) = &source {
            fds::set_nonblocking(pipe.as_fd(), true)?;
        }
        Ok(StageReader { source, cancellation, buffer: Vec::new(), unread: 0..0, upstream_failed: false })
    }

    /// Whether it gave the error of the stage before.
    pub(crate) fn upstream_failed(&self) -> bool {
        self.upstream_failed
    }

    /// At least what is in the buffer, without waiting for more.
    pub(crate) fn buffered(&self) -> &[u8] {
        &self.buffer[self.unread.clone()]
    }

    fn fetch(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancellation.check()?;
        match self.read_some(buffer)? {
            // The end is not one to rely on if the writer was killed.
            0 => self.cancellation.check_announced().map(|()| 0),
            read => Ok(read),
        }
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Empty => Ok(0),
            Source::Pipe(pipe) | Source::Reopened(pipe, _) => loop {
                match stream::read(pipe.as_fd(), buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.cancellation.wait_for(pipe.as_fd(), Interest::Readable)?;
                    }
                    result => return result,
                }
            },
            Source::File(fd) => stream::read(fd.as_fd(), buffer),
            Source::Foreign(fd) => loop {
                self.cancellation.wait_for(fd.as_fd(), Interest::Readable)?;
                match stream::read_ready(fd.as_fd(), buffer) {
                    // Another reader took it.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
            },
            Source::Memory(pipe) => {
                let result = pipe.read(buffer);
                if result.is_err() && self.cancellation.reason().is_none() {
                    self.upstream_failed = true;
                }
                result
            }
        }
    }
}

impl Read for StageReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.unread.is_empty() {
            return self.fetch(buffer);
        }
        let read = buffer.len().min(self.unread.len());
        buffer[..read].copy_from_slice(&self.buffered()[..read]);
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for StageReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.unread.is_empty() {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.resize(BUFFER, 0);
            let read = self.fetch(&mut buffer);
            self.buffer = buffer;
            self.unread = 0..read?;
        }
        Ok(self.buffered())
    }

    fn consume(&mut self, amount: usize) {
        self.unread.start = (self.unread.start + amount).min(self.unread.end);
    }
}

impl fmt::Debug for StageReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StageReader")
    }
}
