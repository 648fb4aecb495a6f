//! The calling thread's errno, by pointer: `io::Error` is not used between clone and exec. Follows the rules of `child.rs`.

#![expect(unsafe_code, reason = "libc gives errno as a pointer")]

use std::ffi::c_int;

pub(super) fn last_errno() -> c_int {
    let place = errno_place();
    // SAFETY: libc's errno pointer is valid for the thread's life.
    unsafe { *place }
}

/// Restores a saved errno: the child of a `CLONE_VM` shares the variable with the thread that made it.
#[cfg(target_os = "linux")]
pub(super) fn set_errno(value: c_int) {
    let place = errno_place();
    // SAFETY: libc's errno pointer is valid for the thread's life.
    unsafe { *place = value }
}

fn errno_place() -> *mut c_int {
    #[cfg(target_os = "linux")]
    // SAFETY: takes nothing, returns this thread's slot.
    unsafe {
        libc::__errno_location()
    }
    #[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
    // SAFETY: takes nothing, returns this thread's slot.
    unsafe {
        libc::__error()
    }
    #[cfg(any(target_os = "netbsd", target_os = "openbsd", target_os = "android"))]
    // SAFETY: takes nothing, returns this thread's slot.
    unsafe {
        libc::__errno()
    }
}
