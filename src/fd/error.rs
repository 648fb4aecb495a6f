//! Descriptors that a call cannot use, with their role in it.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use crate::sys::fds::{self, Described};

/// What a descriptor leads to.
///
/// ```
/// use pipewright::fd::FdKind;
/// let (reader, _writer) = pipewright::pipe::kernel()?;
/// assert_eq!(FdKind::of(&reader)?, FdKind::Pipe);
/// assert_eq!(FdKind::of(std::fs::File::open("/")?)?.to_string(), "a directory");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FdKind {
    /// A pipe or a fifo.
    Pipe,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A socket.
    Socket,
    /// A character device: a terminal, `/dev/null`.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// None of these: an epoll, an eventfd, a pidfd.
    Other,
}

impl FdKind {
    /// What this descriptor leads to, see fstat(2). Does not block.
    ///
    /// # Errors
    /// It fails like fstat(2).
    ///
    /// ```
    /// use pipewright::fd::FdKind;
    /// assert_eq!(FdKind::of(std::fs::File::open("/dev/null")?)?, FdKind::CharDevice);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "fstat")]
    pub fn of(fd: impl std::os::fd::AsFd) -> io::Result<FdKind> {
        Ok(FdKind::from(fds::describe(fd.as_fd())?))
    }
}

impl From<Described> for FdKind {
    fn from(file: Described) -> FdKind {
        match file.kind {
            libc::S_IFIFO => FdKind::Pipe,
            libc::S_IFREG => FdKind::File,
            libc::S_IFDIR => FdKind::Directory,
            libc::S_IFSOCK => FdKind::Socket,
            libc::S_IFCHR => FdKind::CharDevice,
            libc::S_IFBLK => FdKind::BlockDevice,
            _ => FdKind::Other,
        }
    }
}

/// With its article: "a pipe".
impl fmt::Display for FdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FdKind::Pipe => "a pipe",
            FdKind::File => "a regular file",
            FdKind::Directory => "a directory",
            FdKind::Socket => "a socket",
            FdKind::CharDevice => "a character device",
            FdKind::BlockDevice => "a block device",
            FdKind::Other => "no file, pipe or socket",
        })
    }
}

/// Which of a call's descriptors is meant.
///
/// ```
/// assert_eq!(pipewright::fd::Role::Source.to_string(), "source");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The one the bytes come from.
    Source,
    /// The one the bytes go to.
    Target,
    /// The only one.
    Subject,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Source => "source",
            Role::Target => "target",
            Role::Subject => "subject",
        })
    }
}

/// Why a call of [`fd`](crate::fd) cannot use the descriptors it was given.
///
/// It is inside an [`io::Error`] of the kind `InvalidInput`; `error.get_ref()` and a downcast give it. Errors of the system call itself are
/// plain `io::Error`s.
///
/// ```
/// use pipewright::fd::{self, BadFd};
/// let (from, to) = (tempfile::tempfile()?, tempfile::tempfile()?);
/// let error = fd::splice(&from, &to, 1).unwrap_err();
/// let bad: &BadFd = error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap();
/// assert!(matches!(bad, BadFd::NoPipe { .. }));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadFd {
    /// The call is for pipes.
    #[error("{call}: {} is {kind} and must be a pipe", Named(*role, *fd))]
    #[non_exhaustive]
    NotAPipe {
        /// The function.
        call: &'static str,
        /// Which of its descriptors.
        role: Role,
        /// Its number.
        fd: RawFd,
        /// What it is.
        kind: FdKind,
    },
    /// One of the two must be a pipe.
    #[error(
        "{call}: the source, descriptor {from}, is {from_kind} and the target, descriptor {to}, is {to_kind}: one of them \
         must be a pipe"
    )]
    #[non_exhaustive]
    NoPipe {
        /// The function.
        call: &'static str,
        /// The source's number.
        from: RawFd,
        /// What the source is.
        from_kind: FdKind,
        /// The target's number.
        to: RawFd,
        /// What the target is.
        to_kind: FdKind,
    },
    /// Source and target are the same pipe, or the same file copied onto itself.
    #[error("{call}: the source, descriptor {from}, and the target, descriptor {to}, are the same {what}")]
    #[non_exhaustive]
    Same {
        /// The function.
        call: &'static str,
        /// The source's number.
        from: RawFd,
        /// The target's number.
        to: RawFd,
        /// `pipe` or `file`.
        what: &'static str,
    },
    /// The source is not open for reading, or the target not for writing.
    #[error("{call}: {} is not open for {}", Named(*role, *fd), if *role == Role::Source { "reading" } else { "writing" })]
    #[non_exhaustive]
    Access {
        /// The function.
        call: &'static str,
        /// Which of its descriptors.
        role: Role,
        /// Its number.
        fd: RawFd,
    },
    /// The target is open for appending, which splice(2) refuses.
    #[error("{call}: the target, descriptor {fd}, is open for appending, which the kernel does by writing alone")]
    #[non_exhaustive]
    Append {
        /// The function.
        call: &'static str,
        /// The target's number.
        fd: RawFd,
    },
    /// Reading and writing take no directories.
    #[error("{call}: {} is a directory", Named(*role, *fd))]
    #[non_exhaustive]
    Directory {
        /// The function.
        call: &'static str,
        /// Which of its descriptors.
        role: Role,
        /// Its number.
        fd: RawFd,
    },
    /// No descriptor of this process can have the number.
    #[error("{call}: no descriptor can be numbered {number}: the numbers end before {limit} (RLIMIT_NOFILE)")]
    #[non_exhaustive]
    OutOfRange {
        /// The function.
        call: &'static str,
        /// The number asked for.
        number: RawFd,
        /// The first number that cannot be.
        limit: u64,
    },
}

/// A descriptor in a sentence.
struct Named(Role, RawFd);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Role::Subject => write!(f, "descriptor {}", self.1),
            role => write!(f, "the {role}, descriptor {},", self.1),
        }
    }
}

impl From<BadFd> for io::Error {
    fn from(bad: BadFd) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, bad)
    }
}

/// The error of a call for pipes: a [`BadFd::NotAPipe`] if the descriptor is none.
pub(super) fn of_pipe(call: &'static str, role: Role, fd: BorrowedFd<'_>, error: io::Error) -> io::Error {
    match FdKind::of(fd) {
        Ok(kind) if kind != FdKind::Pipe => BadFd::NotAPipe { call, role, fd: fd.as_raw_fd(), kind }.into(),
        _ => error,
    }
}

/// The first reason why bytes cannot go from one to the other, except for their kinds.
pub(super) fn of_ends(call: &'static str, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Option<BadFd> {
    for (role, fd) in [(Role::Source, from), (Role::Target, to)] {
        let number = fd.as_raw_fd();
        if FdKind::of(fd).is_ok_and(|kind| kind == FdKind::Directory) {
            return Some(BadFd::Directory { call, role, fd: number });
        }
        let refused = if role == Role::Source { libc::O_WRONLY } else { libc::O_RDONLY };
        if fds::status_flags(fd).is_ok_and(|flags| flags.bits() & libc::O_ACCMODE == refused) {
            return Some(BadFd::Access { call, role, fd: number });
        }
    }
    None
}
