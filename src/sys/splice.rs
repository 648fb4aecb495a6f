//! Bytes moved inside the kernel: `splice(2)`, `tee(2)`, `sendfile(2)`, `copy_file_range(2)`. One call each, begun again only when
//! a signal interrupted it. The caller handles SIGPIPE.

use std::io;
use std::os::fd::BorrowedFd;

use nix::fcntl::SpliceFFlags;

/// The most that one call is asked to move: `copy_file_range` and `sendfile` come back only when they are through with it.
const MOST: usize = 16 * 1024 * 1024;

pub(crate) fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    super::retry(|| Ok(nix::fcntl::splice(from, None, to, None, len.min(MOST), SpliceFFlags::empty())?))
}

pub(crate) fn tee(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    super::retry(|| Ok(nix::fcntl::tee(from, to, len.min(MOST), SpliceFFlags::empty())?))
}

/// Like `splice`, and never blocks on a pipe.
pub(crate) fn splice_now(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    super::retry(|| Ok(nix::fcntl::splice(from, None, to, None, len, SpliceFFlags::SPLICE_F_NONBLOCK)?))
}

/// Like `tee`, and never blocks.
pub(crate) fn tee_now(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    super::retry(|| Ok(nix::fcntl::tee(from, to, len, SpliceFFlags::SPLICE_F_NONBLOCK)?))
}

pub(crate) fn sendfile(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    super::retry(|| Ok(nix::sys::sendfile::sendfile(to, from, None, len.min(MOST))?))
}

pub(crate) fn copy_file_range(from: BorrowedFd<'_>, to: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    super::retry(|| Ok(nix::fcntl::copy_file_range(from, None, to, None, len.min(MOST))?))
}
