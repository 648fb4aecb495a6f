//! The kernel's pipe, as two owned ends.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::makeflags;
use crate::sys::{fds, signals, stream};

/// A new pipe: the first end reads what is written to the second.
///
/// Both ends are made close-on-exec and never get the numbers 0 to 2, also when the process has closed those. A read blocks until
/// there is something, and gives 0 once every writer is gone, also those in child processes. A write blocks while the pipe is full, and
/// fails with `BrokenPipe` once every reader is gone; it never raises SIGPIPE. See pipe(7).
///
/// # Errors
/// EMFILE or ENFILE: no descriptor left.
///
/// ```
/// use std::io::{Read, Write};
/// let (mut reader, mut writer) = pipewright::pipe::kernel()?;
/// writer.write_all(b"through the kernel")?;
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "through the kernel");
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "pipe2")]
pub fn kernel() -> io::Result<(PipeReader, PipeWriter)> {
    makeflags::look_once();
    let (reader, writer) = os_pipe::pipe()?;
    Ok((PipeReader(fds::clear_of_stdio(reader.into())?), PipeWriter(fds::clear_of_stdio(writer.into())?)))
}

/// The reading end of a kernel pipe. Dropping it closes it: with the last reader gone, writers get `BrokenPipe` or SIGPIPE.
///
/// ```
/// let (reader, writer) = pipewright::pipe::kernel()?;
/// drop(writer);
/// assert_eq!(std::io::read_to_string(reader)?, "");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PipeReader(OwnedFd);

/// The writing end of a kernel pipe. Dropping it closes it: with the last writer gone, the reader sees the end.
///
/// ```
/// use std::io::{ErrorKind, Write};
/// let (reader, mut writer) = pipewright::pipe::kernel()?;
/// drop(reader);
/// assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PipeWriter(OwnedFd);

impl PipeReader {
    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        PipeReader(fd)
    }

    /// A second handle to the same end, close-on-exec, see dup(2). What one of them reads, the other does not. Does not block.
    ///
    /// # Errors
    /// EMFILE: no descriptor left.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// let (reader, mut writer) = pipewright::pipe::kernel()?;
    /// writer.write_all(b"ab")?;
    /// let mut byte = [0];
    /// reader.try_clone()?.read_exact(&mut byte)?;
    /// (&reader).read_exact(&mut byte)?;
    /// assert_eq!(&byte, b"b");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_clone(&self) -> io::Result<PipeReader> {
        fds::dup_above(self.0.as_fd(), 3).map(PipeReader)
    }
}

impl PipeWriter {
    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        PipeWriter(fd)
    }

    /// A second handle to the same end, close-on-exec, see dup(2). The reader sees the end when all of them are gone. Does not
    /// block.
    ///
    /// # Errors
    /// EMFILE: no descriptor left.
    ///
    /// ```
    /// use std::io::Write;
    /// let (reader, mut writer) = pipewright::pipe::kernel()?;
    /// writer.try_clone()?.write_all(b"a")?;
    /// writer.write_all(b"b")?;
    /// drop(writer);
    /// assert_eq!(std::io::read_to_string(reader)?, "ab");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_clone(&self) -> io::Result<PipeWriter> {
        fds::dup_above(self.0.as_fd(), 3).map(PipeWriter)
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        stream::read(self.0.as_fd(), buffer)
    }
}

impl Read for &PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        stream::read(self.0.as_fd(), buffer)
    }
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        signals::without_sigpipe(|| stream::write(self.0.as_fd(), bytes))
    }

    /// Does nothing: no byte is kept on this side.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for &PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        signals::without_sigpipe(|| stream::write(self.0.as_fd(), bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for PipeReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for PipeWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<PipeReader> for OwnedFd {
    fn from(end: PipeReader) -> OwnedFd {
        end.0
    }
}

impl From<PipeWriter> for OwnedFd {
    fn from(end: PipeWriter) -> OwnedFd {
        end.0
    }
}
