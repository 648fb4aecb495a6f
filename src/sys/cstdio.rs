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

/// Writes out what C's `printf` and its kin have kept back. Of a stdout that is closed there is nothing to write out, as for Rust's own.
pub(crate) fn flush_stdout() -> io::Result<()> {
    match super::retry(flush) {
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => Ok(()),
        result => result,
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd"))]
fn flush() -> io::Result<()> {
    // SAFETY: C's own variable, which is set before `main` and which nobody is to assign to.
    let stdout = unsafe { STDOUT };
    // SAFETY: an open stream. Not `fflush(NULL)`: that waits for whoever is in a `getchar`.
    super::check(unsafe { libc::fflush(stdout) }).map(drop)
}

/// Where the variable has no name that is known here: all streams.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd")))]
fn flush() -> io::Result<()> {
    // SAFETY: null stands for all streams.
    super::check(unsafe { libc::fflush(std::ptr::null_mut()) }).map(drop)
}
