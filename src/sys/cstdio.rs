//! C's own buffer in front of stdout.

#![expect(unsafe_code, reason = "fflush of C's stdout")]

use std::io;

#[cfg(any(target_os = "linux", target_os = "android"))]
unsafe extern "C" {
    #[link_name = "stdout"]
    static mut STDOUT: *mut libc::FILE;
}

#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
unsafe extern "C" {
    #[link_name = "__stdoutp"]
    static mut STDOUT: *mut libc::FILE;
}

/// Writes out what C's `printf` and its kin have buffered. For a closed stdout there is nothing to write out, like for Rust's own.
pub(crate) fn flush_stdout() -> io::Result<()> {
    match super::retry(flush) {
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => Ok(()),
        result => result,
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd"))]
fn flush() -> io::Result<()> {
    // SAFETY: C's own variable, which is set before `main` and never assigned to.
    let stdout = unsafe { STDOUT };
    // SAFETY: an open stream. Not `fflush(NULL)`: that waits for a thread that is in a `getchar`.
    super::check(unsafe { libc::fflush(stdout) }).map(drop)
}

/// Flushes all streams where the variable's name is not known here.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd")))]
fn flush() -> io::Result<()> {
    // SAFETY: null stands for all streams.
    super::check(unsafe { libc::fflush(std::ptr::null_mut()) }).map(drop)
}
