//! The system calls: all `unsafe` and all of `libc` is here, one family of calls a file, with safe signatures outward.
//!
//! Borrowed descriptors come in, owned ones go out; errors are `io::Error` with the errno in them. `child.rs` runs between clone and
//! exec, under rules of its own.

pub(crate) mod carray;
pub(crate) mod child;
#[cfg(target_os = "linux")]
mod clone;
mod close;
#[cfg(feature = "testing")]
pub(crate) mod cstdio;
mod errno;
#[cfg(target_os = "linux")]
mod fd_table_cut;
pub(crate) mod fds;
mod forced;
pub(crate) mod launch;
mod launched;
pub(crate) mod memory;
#[cfg_attr(not(target_os = "linux"), path = "pidfd_none.rs")]
pub(crate) mod pidfd;
pub(crate) mod poll;
mod probed;
#[cfg(feature = "testing")]
pub(crate) mod pthread;
pub(crate) mod rendezvous;
mod report;
#[cfg_attr(not(feature = "forward"), expect(dead_code, reason = "only a lent terminal asks for an action then"))]
pub(crate) mod self_signal;
pub(crate) mod signals;
#[cfg_attr(not(target_os = "linux"), path = "splice_none.rs")]
pub(crate) mod splice;
#[cfg(target_os = "linux")]
mod stack;
#[cfg(feature = "testing")]
pub(crate) mod stdio;
pub(crate) mod stream;
pub(crate) mod sysinfo;
pub(crate) mod terminal;
pub(crate) mod thread;
pub(crate) mod wait;

use std::io;

/// A system call's return value as a result: -1 stands for the thread's errno.
fn check(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// The same for calls that return a size.
fn check_size(returned: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_| io::Error::last_os_error())
}

/// Calls `f` until it is not interrupted by a signal.
fn retry<T>(mut f: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match f() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
