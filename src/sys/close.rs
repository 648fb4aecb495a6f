//! Closing ranges of descriptors in a child. Follows the rules of `child.rs`: no allocation, no lock, no panic.

#![expect(unsafe_code, reason = "raw system calls on descriptor numbers of the child's own table")]

use std::ffi::c_int;
use std::os::fd::RawFd;

use super::errno::last_errno;

/// Closes `first..=last` except `spare`, or only marks them close-on-exec. The error is an errno.
///
/// `close_range(2)` where the kernel has and allows it; else the table is listed in `/proc/self/fd`; else every number up to the
/// descriptor limit is tried.
pub(super) fn close_range(first: u32, last: u32, spare: RawFd, mark_only: bool) -> Result<(), c_int> {
    if let Ok(spare) = u32::try_from(spare) {
        if first <= spare && spare <= last {
            if first < spare {
                close_range(first, spare.saturating_sub(1), -1, mark_only)?;
            }
            if spare < last {
                close_range(spare.saturating_add(1), last, -1, mark_only)?;
            }
            return Ok(());
        }
    }
    #[cfg(target_os = "linux")]
    {
        let flags = if mark_only { libc::CLOSE_RANGE_CLOEXEC } else { 0 };
        // SAFETY: the child's own table; what it still needs is outside the range.
        if unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } == 0 {
            return Ok(());
        }
        if listed(first, last, mark_only) {
            return Ok(());
        }
    }
    one_by_one(first, last, mark_only)
}

/// Leaves the table of descriptors that is shared with the parent for a copy of what lies below `first`. The error is an errno.
///
/// No other way is tried: until this has worked, closing a number here would close the parent's.
#[cfg(target_os = "linux")]
pub(super) fn leave_shared_table(first: u32) -> Result<(), c_int> {
    // SAFETY: by close_range(2) the copy is made before anything is closed, and only the copy is cut; what the child still needs is
    // below `first`.
    let left = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_UNSHARE) };
    if left == 0 { Ok(()) } else { Err(last_errno()) }
}

fn close_one(fd: RawFd, mark_only: bool) {
    if mark_only {
        // SAFETY: no memory involved.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    } else {
        // SAFETY: the number is not used again in this child.
        unsafe { libc::close(fd) };
    }
}

/// Reads `/proc/self/fd` with a buffer on the stack; false when that folder cannot be read.
///
/// Closing while listing is safe: procfs lists by number, from the position reached.
#[cfg(target_os = "linux")]
fn listed(first: u32, last: u32, mark_only: bool) -> bool {
    /// Room for some forty entries a call.
    const ROOM: usize = 1024;
    #[repr(align(8))]
    struct Buffer([u8; ROOM]);

    // SAFETY: a constant path.
    let folder = unsafe { libc::open(c"/proc/self/fd".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) };
    if folder < 0 {
        return false;
    }
    let mut buffer = Buffer([0; ROOM]);
    let complete = loop {
        // SAFETY: the buffer is as long as said.
        let filled = unsafe { libc::syscall(libc::SYS_getdents64, folder, buffer.0.as_mut_ptr(), ROOM) };
        let Ok(filled @ 1..) = usize::try_from(filled) else { break filled == 0 };
        let mut rest = buffer.0.get(..filled).unwrap_or(&[]);
        // An entry: ino u64, off i64, length u16, type u8, name. The name of a descriptor is its number.
        while let Some(&[low, high]) = rest.get(16..18) {
            let length = usize::from(u16::from_ne_bytes([low, high]));
            if let Some(fd) = rest.get(19..length).and_then(number) {
                if fd != folder && u32::try_from(fd).is_ok_and(|fd| first <= fd && fd <= last) {
                    close_one(fd, mark_only);
                }
            }
            rest = rest.get(length.max(1)..).unwrap_or(&[]);
        }
    };
    close_one(folder, false);
    complete
}

/// The decimal number before the NUL; `None` for `.` and `..`.
#[cfg(target_os = "linux")]
fn number(name: &[u8]) -> Option<RawFd> {
    let mut value: Option<RawFd> = None;
    for &byte in name {
        match byte {
            b'0'..=b'9' => value = Some(value.unwrap_or(0).wrapping_mul(10).wrapping_add(RawFd::from(byte & 0xf))),
            0 => break,
            _ => return None,
        }
    }
    value
}

/// The last resort: every number that the limit allows, or a million where it allows more.
fn one_by_one(first: u32, last: u32, mark_only: bool) -> Result<(), c_int> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives on this stack.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == -1 {
        return Err(last_errno());
    }
    let end = u32::try_from(limit.rlim_cur).unwrap_or(u32::MAX).min(1 << 20).min(last);
    let mut fd = first;
    while fd <= end {
        close_one(fd as RawFd, mark_only);
        fd = fd.saturating_add(1);
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_directory_entrys_name_becomes_a_number() {
        assert_eq!(number(b"17\0garbage"), Some(17));
        assert_eq!(number(b".\0"), None);
        assert_eq!(number(b"..\0"), None);
        assert_eq!(number(b"\0"), None);
    }
}
