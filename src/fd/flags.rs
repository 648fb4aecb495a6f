//! The flags and sizes of single descriptors.

use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};

use super::error::{self, BadFd, FdKind, Role};
use crate::sys::fds;

/// Whether exec(2) closes the descriptor (`FD_CLOEXEC`). Does not block.
///
/// Descriptors that this library and std open are close-on-exec. A child of this library gets what it was given and nothing else; the flag
/// does not matter for it.
///
/// # Errors
/// It fails like fcntl(2).
///
/// ```
/// let (reader, _writer) = pipewright::pipe::kernel()?;
/// assert!(pipewright::fd::cloexec(&reader)?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "FD_CLOEXEC")]
#[doc(alias = "F_GETFD")]
#[doc(alias = "fcntl")]
pub fn cloexec(fd: impl AsFd) -> io::Result<bool> {
    fds::cloexec(fd.as_fd())
}

/// Makes exec(2) close the descriptor, or keep it open. Does not block.
///
/// From then on every child that is started in this process inherits a descriptor that is kept open, except this library's children. See fcntl(2),
/// `F_SETFD`.
///
/// # Errors
/// It fails like fcntl(2).
///
/// ```
/// use pipewright::fd;
/// let (reader, _writer) = pipewright::pipe::kernel()?;
/// fd::set_cloexec(&reader, false)?;
/// assert!(!fd::cloexec(&reader)?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "FD_CLOEXEC")]
#[doc(alias = "F_SETFD")]
#[doc(alias = "fcntl")]
pub fn set_cloexec(fd: impl AsFd, on: bool) -> io::Result<()> {
    fds::set_cloexec(fd.as_fd(), on)
}

/// A copy under the lowest free number that is `min` or higher, close-on-exec. Does not block.
///
/// Both share one open description: the offset, O_NONBLOCK, O_APPEND. Dropping the copy closes it. See fcntl(2),
/// `F_DUPFD_CLOEXEC`.
///
/// # Errors
/// [`BadFd::OutOfRange`] for a `min` that no descriptor of this process can have, by RLIMIT_NOFILE or for being below 0; EMFILE
/// when no number is free.
///
/// ```
/// use std::os::fd::AsRawFd;
/// let copy = pipewright::fd::dup_above(std::io::stdin(), 100)?;
/// assert!(copy.as_raw_fd() >= 100);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "F_DUPFD_CLOEXEC")]
#[doc(alias = "F_DUPFD")]
#[doc(alias = "dup")]
#[doc(alias = "dup3")]
pub fn dup_above(fd: impl AsFd, min: RawFd) -> io::Result<OwnedFd> {
    fds::dup_above(fd.as_fd(), min).map_err(|error| {
        // EINVAL is about the number alone here.
        if error.raw_os_error() != Some(libc::EINVAL) {
            return error;
        }
        fds::limit().map_or(error, |limit| BadFd::OutOfRange { call: "dup_above", number: min, limit }.into())
    })
}

/// The capacity of a pipe in bytes (`F_GETPIPE_SZ`). Linux. Does not block.
///
/// It counts whole pages: small writes that do not share a page use it up sooner. See pipe(7).
///
/// # Errors
/// [`BadFd::NotAPipe`]; `Unsupported` where the system does not tell.
///
/// ```
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// let (reader, _writer) = pipewright::pipe::kernel()?;
/// assert!(pipewright::fd::capacity(&reader)? >= 4096);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "F_GETPIPE_SZ")]
#[doc(alias = "fcntl")]
pub fn capacity(fd: impl AsFd) -> io::Result<usize> {
    let fd = fd.as_fd();
    fds::capacity(fd).map_err(|error| error::of_pipe("capacity", Role::Subject, fd, error))
}

/// Asks for a capacity of a pipe (`F_SETPIPE_SZ`); returns what the kernel gave, which is the next power of two of pages. Linux.
/// Does not block.
///
/// # Errors
/// [`BadFd::NotAPipe`]; EBUSY when more than that waits in the pipe; EPERM past `/proc/sys/fs/pipe-max-size`, or when this
/// user's pipes have used up their budget; `Unsupported` where the system has no such call. See pipe(7).
///
/// ```
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// let (reader, _writer) = pipewright::pipe::kernel()?;
/// assert_eq!(pipewright::fd::set_capacity(&reader, 5000)?, 8192);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "F_SETPIPE_SZ")]
#[doc(alias = "fcntl")]
pub fn set_capacity(fd: impl AsFd, bytes: usize) -> io::Result<usize> {
    let fd = fd.as_fd();
    fds::set_capacity(fd, bytes).map_err(|error| error::of_pipe("set_capacity", Role::Subject, fd, error))
}

/// The bytes that can be read at once (`FIONREAD`): those in a pipe, a socket or a terminal, or from a file's offset to its end.
/// Does not block.
///
/// # Errors
/// It fails like ioctl(2): ENOTTY for a descriptor without such a number, like a directory or an eventfd.
///
/// ```
/// use std::io::Write;
/// let (reader, mut writer) = pipewright::pipe::kernel()?;
/// writer.write_all(b"abc")?;
/// assert_eq!(pipewright::fd::bytes_queued(&reader)?, 3);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "FIONREAD")]
#[doc(alias = "ioctl")]
pub fn bytes_queued(fd: impl AsFd) -> io::Result<usize> {
    fds::bytes_queued(fd.as_fd())
}

/// Whether it is an end of a pipe or a fifo. Does not block.
///
/// # Errors
/// It fails like fstat(2).
///
/// ```
/// use pipewright::fd::is_pipe;
/// let (reader, _writer) = pipewright::pipe::kernel()?;
/// assert!(is_pipe(&reader)? && !is_pipe(std::fs::File::open("/dev/null")?)?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "S_ISFIFO")]
#[doc(alias = "fstat")]
pub fn is_pipe(fd: impl AsFd) -> io::Result<bool> {
    Ok(FdKind::of(fd)? == FdKind::Pipe)
}

/// Whether both are ends of one pipe or fifo: the two ends of it, or one end twice. False when one is no pipe. Does not block.
///
/// # Errors
/// It fails like fstat(2).
///
/// ```
/// use pipewright::fd::same_pipe;
/// let (reader, writer) = pipewright::pipe::kernel()?;
/// let (other, _writer) = pipewright::pipe::kernel()?;
/// assert!(same_pipe(&reader, &writer)? && !same_pipe(&reader, &other)?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "fstat")]
pub fn same_pipe(a: impl AsFd, b: impl AsFd) -> io::Result<bool> {
    let (a, b) = (fds::describe(a.as_fd())?, fds::describe(b.as_fd())?);
    Ok(a == b && FdKind::from(a) == FdKind::Pipe)
}
