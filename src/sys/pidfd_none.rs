//! The same calls for systems without process descriptors: they fail as unsupported. `process` then watches a child by a thread.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

pub(crate) fn open(_pid: i32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn usable() -> io::Result<bool> {
    Ok(false)
}

pub(crate) fn send_signal(_pidfd: BorrowedFd<'_>, _signal: i32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn exit_status_after_reap(_pidfd: BorrowedFd<'_>) -> Option<i32> {
    None
}

pub(crate) fn send_signal_to_group(_pidfd: BorrowedFd<'_>, _signal: i32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
