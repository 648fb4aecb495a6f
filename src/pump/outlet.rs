//! A descriptor that this process writes to, without ever being stuck in it.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::fd::FdKind;
use crate::sys::{fds, signals, stream};

/// What is known of how a descriptor takes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutletKind {
    /// Our own end of a pipe that we made, set not to block.
    Ours,
    /// A regular file, or one that refuses at once.
    NeverBlocks,
    /// A terminal, a pipe or a socket of somebody else's.
    MayBlock,
    /// The same, opened anew for ourselves, not to block.
    Reopened,
}

/// A descriptor that gets bytes.
pub(crate) struct Outlet {
    to: Fd,
    kind: OutletKind,
}

/// A descriptor, whoever it belongs to.
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

impl Outlet {
    /// Our own end of a pipe that we made; it is set not to block.
    pub(crate) fn ours(pipe: OwnedFd) -> io::Result<Outlet> {
        fds::set_nonblocking(pipe.as_fd(), true)?;
        Ok(Outlet { to: Fd::Owned(pipe), kind: OutletKind::Ours })
    }

    /// Somebody else's, or one that children have too.
    pub(crate) fn shared(fd: Arc<OwnedFd>) -> Outlet {
        Outlet::of(Fd::Shared(fd))
    }

    /// This process's own stdout or stderr, by its descriptor: never through `std::io::stdout()`.
    pub(crate) fn stdio(fd: Fd) -> Outlet {
        Outlet::of(fd)
    }

    fn of(to: Fd) -> Outlet {
        if fds::is_regular_file(to.as_fd()) || fds::refuses_writes(to.as_fd()) {
            return Outlet { to, kind: OutletKind::NeverBlocks };
        }
        // O_NONBLOCK on somebody else's description would reach everybody who shares it. A description of our own does not, and no
        // readiness promises that a blocking write of more than a byte comes back: a terminal waits for all of it, and
        // another writer may take the room in a pipe.
        match fds::reopen_nonblocking(to.as_fd().as_raw_fd(), true) {
            Some(own) => Outlet { to: Fd::Owned(own), kind: OutletKind::Reopened },
            None => Outlet { to, kind: OutletKind::MayBlock },
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.to.as_fd()
    }

    pub(crate) fn kind(&self) -> OutletKind {
        self.kind
    }

    /// What it is called, where it is not ours.
    pub(crate) fn name(&self) -> Option<String> {
        if self.kind == OutletKind::Ours {
            return None;
        }
        if self.fd().is_terminal() {
            return Some("a terminal".to_owned());
        }
        Some(FdKind::of(self.fd()).map_or_else(|_| "a descriptor".to_owned(), |kind| kind.to_string()))
    }

    /// Writes what goes without blocking, which may be nothing. Of what [`MayBlock`](OutletKind::MayBlock) the caller has seen
    /// that it is ready.
    pub(crate) fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.kind {
            OutletKind::NeverBlocks => stream::write_all(self.fd(), bytes).map(|()| bytes.len()),
            OutletKind::Ours | OutletKind::Reopened => unless_full(|| stream::write(self.fd(), bytes)),
            // A socket, or no /proc to open it anew by: after a readiness, so much goes without blocking as a rule.
            OutletKind::MayBlock => {
                unless_full(|| stream::write_ready(self.fd(), &bytes[..bytes.len().min(libc::PIPE_BUF)]))
            }
        }
    }
}

fn unless_full(write: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    match signals::without_sigpipe(write) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}
