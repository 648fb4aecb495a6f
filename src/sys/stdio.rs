//! Replacing what this process has as 1 and 2.

#![expect(unsafe_code, reason = "dup2 onto a number, and its close")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// Standard stream `number` becomes a copy of `fd`, in one step: at no time is the number free for another file.
pub(crate) fn replace(number: RawFd, fd: BorrowedFd<'_>) -> io::Result<()> {
    debug_assert!((0..=2).contains(&number));
    loop {
        // SAFETY: the standard streams belong to the process as a whole; their numbers have no owner.
        match super::check(unsafe { libc::dup2(fd.as_raw_fd(), number) }) {
            Ok(_) => return Ok(()),
            // EBUSY: another thread is opening something that got this number (dup2(2)); it is done in a moment.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EBUSY)) => std::thread::yield_now(),
            Err(error) => return Err(error),
        }
    }
}

/// Frees the number of a standard stream that [`replace`] took where it was free.
pub(crate) fn close(number: RawFd) -> io::Result<()> {
    debug_assert!((0..=2).contains(&number));
    // SAFETY: as above. Not to be repeated: the number is free whatever this says.
    super::check(unsafe { libc::close(number) }).map(drop)
}
