//! Writing to a descriptor without blocking in the write.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::fd::FdKind;
use crate::sys::{fds, signals, stream};

/// Whether a write to a descriptor may block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocking {
    /// The write end of a pipe that this library made, with O_NONBLOCK.
    OwnPipe,
    /// A regular file, or a descriptor that refuses writes at once.
    Never,
    /// A terminal, pipe or socket of the caller's or an inherited one.
    Possible,
    /// Such a descriptor, opened again with O_NONBLOCK on a description of its own.
    Reopened,
}

/// A descriptor that bytes are written to.
pub(crate) struct FdWriter {
    fd: Fd,
    blocking: Blocking,
}

/// A descriptor, by its owner.
pub(crate) enum Fd {
    Owned(OwnedFd),
    Shared(Arc<OwnedFd>),
    Stdio(BorrowedFd<'static>),
}

impl AsFd for Fd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Fd::Owned(fd) => fd.as_fd(),
            Fd::Shared(fd) => fd.as_fd(),
            Fd::Stdio(fd) => *fd,
        }
    }
}

impl FdWriter {
    /// For the write end of a pipe that this library made and that no child shares: sets O_NONBLOCK.
    pub(crate) fn own_pipe(pipe: OwnedFd) -> io::Result<FdWriter> {
        fds::set_nonblocking(pipe.as_fd(), true)?;
        Ok(FdWriter { fd: Fd::Owned(pipe), blocking: Blocking::OwnPipe })
    }

    /// For a descriptor of the caller's, or one that children share.
    pub(crate) fn shared(fd: Arc<OwnedFd>) -> FdWriter {
        FdWriter::new(Fd::Shared(fd))
    }

    /// For any descriptor, such as this process's stdout: never through `std::io::stdout()`, which has a buffer and a lock.
    pub(crate) fn new(fd: Fd) -> FdWriter {
        if fds::is_regular_file(fd.as_fd()) || fds::refuses_writes(fd.as_fd()) {
            return FdWriter { fd, blocking: Blocking::Never };
        }
        // O_NONBLOCK is a flag of the open file description: set here, it would reach every process that shares it. A description
        // of our own does not have that effect. Readiness is not enough, because a blocking write of more than a byte may
        // block all the same: a terminal waits for all of it, and another writer may take the room in a pipe.
        match fds::reopen_nonblocking(fd.as_fd().as_raw_fd(), true) {
            Some(own) => FdWriter { fd: Fd::Owned(own), blocking: Blocking::Reopened },
            None => FdWriter { fd, blocking: Blocking::Possible },
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn blocking(&self) -> Blocking {
        self.blocking
    }

    /// What messages call the descriptor; `None` for a pipe that this library made.
    pub(crate) fn description(&self) -> Option<String> {
        if self.blocking == Blocking::OwnPipe {
            return None;
        }
        if self.fd().is_terminal() {
            return Some("a terminal".to_owned());
        }
        Some(FdKind::of(self.fd()).map_or_else(|_| "a descriptor".to_owned(), |kind| kind.to_string()))
    }

    /// Writes what the descriptor takes without blocking, which may be nothing. With [`Blocking::Possible`], the caller must have seen
    /// that it is ready.
    pub(crate) fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.blocking {
            Blocking::Never => stream::write_all(self.fd(), bytes).map(|()| bytes.len()),
            Blocking::OwnPipe | Blocking::Reopened => zero_if_full(|| stream::write(self.fd(), bytes)),
            // A socket, or there is no /proc to open it by. A ready pipe takes PIPE_BUF bytes without blocking, unless another
            // writer is faster.
            Blocking::Possible => {
                zero_if_full(|| stream::write_ready(self.fd(), &bytes[..bytes.len().min(libc::PIPE_BUF)]))
            }
        }
    }
}

fn zero_if_full(write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    match signals::without_sigpipe(write) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}
