//! Process descriptors (pidfd_open(2), Linux 5.3): each names one process for good, whatever becomes of its number.

#![expect(unsafe_code, reason = "system calls that libc has no wrapper for")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A descriptor for a child that has not been reaped.
pub(crate) fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = super::check(i32::try_from(fd).unwrap_or(-1))?;
    // SAFETY: the call made the descriptor for us, close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether all uses of a process descriptor work: opening one, signalling by it, waiting by it. Tried on this process itself, which is
/// not its own child: waiting for it must be refused with ECHILD, and with nothing else.
pub(super) fn usable() -> io::Result<bool> {
    let own = open(super::sysinfo::pid())?;
    send_signal(own.as_fd(), 0)?;
    Ok(!super::wait::is_child(own.as_fd()))
}

/// Sends a signal. ESRCH: the process has been reaped.
pub(crate) fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    send(pidfd, signal, 0)
}

/// `PIDFD_SIGNAL_PROCESS_GROUP` (Linux 6.9).
const TO_GROUP: libc::c_uint = 1 << 2;

/// Sends a signal to the process group that the process leads, or led: the descriptor names that group for good, also when the
/// process has been reaped. ESRCH: the group is empty. EINVAL: an older kernel.
pub(crate) fn send_signal_to_group(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    send(pidfd, signal, TO_GROUP)
}

fn send(pidfd: BorrowedFd<'_>, signal: i32, flags: libc::c_uint) -> io::Result<()> {
    let info = std::ptr::null::<libc::siginfo_t>();
    super::retry(|| {
        // SAFETY: a NULL siginfo means the same as kill(2).
        let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, info, flags) };
        super::check(i32::try_from(sent).unwrap_or(-1)).map(drop)
    })
}

/// The kernel's `struct pidfd_info`, first version; `exit_code` is filled once the process is gone (Linux 6.15).
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

const INFO_EXIT: u64 = 1 << 3;
/// `_IOWR(0xFF, 11, struct pidfd_info)` with its first size, 64.
const GET_INFO: u64 = (3 << 30) | (64 << 16) | (0xff << 8) | 11;

/// The wait status of a process that was reaped outside of this library, where the kernel still knows it.
pub(crate) fn exit_status_after_reap(pidfd: BorrowedFd<'_>) -> Option<i32> {
    let mut info = PidfdInfo { mask: INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the structure has the size that the request names.
    let answered = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO as _, &raw mut info) };
    (answered == 0 && info.mask & INFO_EXIT != 0).then_some(info.exit_code)
}

const _: () = assert!(size_of::<PidfdInfo>() == 64);
