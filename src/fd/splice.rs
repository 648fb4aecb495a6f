//! `splice(2)` and `tee(2)`, and why they refuse.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::error::{self, BadFd, FdKind, Role};
use crate::sys::{fds, signals, splice as kernel};

/// Moves at most `len` bytes inside the kernel, to or from a pipe, without copying them; gives their number, 0 at the end of the
/// source or for a `len` of 0. One splice(2): less than `len` is usual.
///
/// It blocks as read(2) and write(2) on these descriptors would: with O_NONBLOCK set on one that would, it is an error of the kind
/// `WouldBlock`, and nothing was moved. Files are read and written at their offsets, which move on. Signals do not interrupt it, and
/// a pipe or socket without a reader is an error of the kind `BrokenPipe`, never a SIGPIPE.
///
/// # Errors
/// A [`BadFd`] that names the descriptor for what splice(2) cannot do: two files ([`BadFd::NoPipe`]), the same pipe twice, a target
/// open for appending, a directory, an end of the wrong direction. EINVAL for a file system or device without splice. [`copy`](super::copy()) does
/// with reading and writing what this refuses. `Unsupported` where the system is not Linux.
///
/// ```
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// use std::io::{Read, Seek, Write};
/// let mut file = tempfile::tempfile()?;
/// file.write_all(b"some bytes")?;
/// file.rewind()?;
/// let (mut reader, writer) = pipewright::pipe::kernel()?;
/// assert_eq!(pipewright::fd::splice(&file, &writer, 4)?, 4);
/// let mut moved = [0; 4];
/// reader.read_exact(&mut moved)?;
/// assert_eq!(&moved, b"some");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn splice(from: impl AsFd, to: impl AsFd, len: usize) -> io::Result<usize> {
    let (from, to) = (from.as_fd(), to.as_fd());
    signals::without_sigpipe(|| kernel::splice(from, to, len)).map_err(|error| refusal("splice", from, to, error))
}

/// Shows at most `len` of the bytes that wait in one pipe to another pipe too, without copying and without taking them from the first;
/// gives their number, 0 when the first is at its end or for a `len` of 0. One tee(2): less than `len` is usual.
///
/// Called again before the first pipe was read from, it shows the same bytes again: read or [`splice`] away as many as it said. It
/// blocks until there are bytes, and room for them; with O_NONBLOCK on a pipe that would, it is an error of the kind `WouldBlock`. It
/// pays on pipes that were grown ([`set_capacity`](super::set_capacity)): on those of the default size, reading and writing is as
/// quick.
///
/// # Errors
/// [`BadFd::NotAPipe`] for a source or target that is none, [`BadFd::Same`] for one pipe as both; `BrokenPipe` when the target has
/// no reader. `Unsupported` where the system is not Linux.
///
/// ```
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// use std::io::{Read, Write, read_to_string};
/// let (first, mut input) = pipewright::pipe::kernel()?;
/// let (second, output) = pipewright::pipe::kernel()?;
/// input.write_all(b"shown twice")?;
/// assert_eq!(pipewright::fd::tee_pipes(&first, &output, 1000)?, 11);
/// drop((input, output));
/// assert_eq!(read_to_string(first)?, "shown twice");
/// assert_eq!(read_to_string(second)?, "shown twice");
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "tee")]
pub fn tee_pipes(from: impl AsFd, to: impl AsFd, len: usize) -> io::Result<usize> {
    let (from, to) = (from.as_fd(), to.as_fd());
    signals::without_sigpipe(|| kernel::tee(from, to, len)).map_err(|error| refusal("tee_pipes", from, to, error))
}

/// What splice or tee refused, in words that name the descriptor, if it is the descriptors' fault.
fn refusal(call: &'static str, from: BorrowedFd<'_>, to: BorrowedFd<'_>, error: io::Error) -> io::Error {
    if !matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EBADF | libc::EISDIR)) {
        return error;
    }
    let (Ok(source), Ok(target)) = (fds::describe(from), fds::describe(to)) else { return error };
    let (from_kind, to_kind) = (FdKind::from(source), FdKind::from(target));
    let (from_pipe, to_pipe) = (from_kind == FdKind::Pipe, to_kind == FdKind::Pipe);
    let not_a_pipe = |role, fd: BorrowedFd<'_>, kind| BadFd::NotAPipe { call, role, fd: fd.as_raw_fd(), kind };
    let bad = match (from_pipe, to_pipe) {
        (false, _) if call == "tee_pipes" => Some(not_a_pipe(Role::Source, from, from_kind)),
        (_, false) if call == "tee_pipes" => Some(not_a_pipe(Role::Target, to, to_kind)),
        (false, false) => Some(BadFd::NoPipe { call, from: from.as_raw_fd(), from_kind, to: to.as_raw_fd(), to_kind }),
        (true, true) if source.identity == target.identity => {
            Some(BadFd::Same { call, from: from.as_raw_fd(), to: to.as_raw_fd(), what: "pipe" })
        }
        _ => None,
    };
    let bad = bad.or_else(|| error::of_ends(call, from, to)).or_else(|| {
        let appends = fds::status_flags(to).is_ok_and(|flags| flags.bits() & libc::O_APPEND != 0);
        (!to_pipe && appends).then(|| BadFd::Append { call, fd: to.as_raw_fd() })
    });
    bad.map_or(error, io::Error::from)
}
