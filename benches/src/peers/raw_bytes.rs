//! Bytes by plain system calls.

use std::ffi::c_int;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

/// A pipe of at least this many bytes, close-on-exec; 0 for the kernel's choice.
pub fn pipe(capacity: c_int) -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: the pointer is valid for writes.
    check(unsafe { libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) } as isize)?;
    if capacity > 0 {
        // SAFETY: takes no pointer. A refusal leaves the pipe as it is.
        unsafe { libc::fcntl(fds[1], libc::F_SETPIPE_SZ, capacity) };
    }
    // SAFETY: just made, and owned here alone.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

pub fn nonblocking(fd: &OwnedFd) -> Result<()> {
    // SAFETY: takes no pointer.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } as isize)?;
    Ok(())
}

/// Makes room in the vector for `most` bytes, and reads at most that many into it.
pub fn read_into(fd: &OwnedFd, into: &mut Vec<u8>, most: usize) -> Result<usize> {
    into.reserve(most);
    // SAFETY: the spare capacity is valid for writes for that length.
    let got = unsafe { libc::read(fd.as_raw_fd(), into.spare_capacity_mut().as_mut_ptr().cast(), most) };
    let got = check(got)?;
    // SAFETY: the kernel has written these bytes.
    unsafe { into.set_len(into.len() + got) };
    Ok(got)
}

pub fn read_to_end(fd: &OwnedFd, into: &mut Vec<u8>, most: usize) -> Result<()> {
    while read_into(fd, into, most)? > 0 {}
    Ok(())
}

pub fn write(fd: &OwnedFd, bytes: &[u8]) -> Result<usize> {
    // SAFETY: the slice is valid for reads.
    check(unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) })
}

/// Moves at most this many bytes from pipe to pipe.
pub fn splice(from: &OwnedFd, to: &OwnedFd, most: usize) -> Result<usize> {
    // SAFETY: no offsets for pipes.
    check(unsafe { libc::splice(from.as_raw_fd(), ptr::null_mut(), to.as_raw_fd(), ptr::null_mut(), most, 0) })
}

/// Copies at most this many bytes from pipe to pipe, and leaves them in the first.
pub fn tee(from: &OwnedFd, to: &OwnedFd, most: usize) -> Result<usize> {
    // SAFETY: takes no pointer.
    check(unsafe { libc::tee(from.as_raw_fd(), to.as_raw_fd(), most, 0) })
}

pub fn interest(fd: &OwnedFd, events: libc::c_short) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 }
}

/// Waits until one of them is ready.
pub fn poll(fds: &mut [libc::pollfd]) -> Result<()> {
    // SAFETY: the slice is valid for reads and writes.
    check(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, -1) } as isize)?;
    Ok(())
}

fn check(result: isize) -> Result<usize> {
    usize::try_from(result).map_err(|_| Error::last_os_error())
}
