//! Reading and writing.

#![expect(unsafe_code, reason = "reading straight into a vector's spare capacity")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Reads at most `most` bytes into the vector's spare capacity, growing it when there is none; the number read, 0 at the end.
pub(crate) fn read_into(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    buffer.try_reserve(most.max(1)).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    let spare = buffer.spare_capacity_mut();
    let room = spare.len().min(most);
    let place = spare.as_mut_ptr();
    // SAFETY: `place` has `room` bytes, which the kernel fills from the front.
    let read = super::retry(|| super::check_size(unsafe { libc::read(fd.as_raw_fd(), place.cast(), room) }))?;
    // SAFETY: the first `read` bytes of the spare capacity were just filled.
    unsafe { buffer.set_len(buffer.len() + read) };
    Ok(read)
}

/// Reads into a slice.
pub(crate) fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    super::retry(|| Ok(nix::unistd::read(fd, buffer)?))
}

/// Writes some of `bytes`. The caller handles SIGPIPE.
pub(crate) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    super::retry(|| Ok(nix::unistd::write(fd, bytes)?))
}

/// Reads from a caller's descriptor that was ready a moment ago. Fails with `WouldBlock` if another reader of the socket was faster.
pub(crate) fn read_ready(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (place, room) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: `place` has `room` bytes, which the kernel fills from the front.
    let received = || super::check_size(unsafe { libc::recv(fd.as_raw_fd(), place.cast(), room, libc::MSG_DONTWAIT) });
    match super::retry(received) {
        Err(error) if is_no_socket(&error) => read(fd, buffer),
        result => result,
    }
}

/// Writes some of `bytes` to a caller's descriptor that was ready a moment ago. Fails with `WouldBlock` if another writer of the socket
/// was faster. The caller handles SIGPIPE.
pub(crate) fn write_ready(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let (place, length) = (bytes.as_ptr(), bytes.len());
    // SAFETY: `place` has `length` bytes.
    let sent = || super::check_size(unsafe { libc::send(fd.as_raw_fd(), place.cast(), length, libc::MSG_DONTWAIT) });
    match super::retry(sent) {
        Err(error) if is_no_socket(&error) => write(fd, bytes),
        result => result,
    }
}

/// Also where a filter refuses what is for sockets: then plain reading and writing has to do.
fn is_no_socket(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOTSOCK | libc::ENOSYS | libc::EPERM | libc::EINVAL))
}

/// Writes all of `bytes` to a descriptor that blocks. The caller handles SIGPIPE.
pub(crate) fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            // Another user of the description made it non-blocking: wait for room instead of losing bytes.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                super::poll::wait_for(fd, super::poll::Interest::Writable, crate::clock::Deadline::NEVER)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
