//! The process group in a terminal's foreground.

#![expect(unsafe_code, reason = "questions to the system, and signals to a group")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::signals;

const SIGTTOU_BIT: u64 = 1 << (libc::SIGTTOU - 1);
const SIGTSTP_BIT: u64 = 1 << (libc::SIGTSTP - 1);

/// This process's group.
pub(crate) fn own_group() -> i32 {
    // SAFETY: cannot fail, no memory involved.
    unsafe { libc::getpgrp() }
}

/// The group in the foreground, which may read and gets the keyboard's signals (tcgetpgrp(3)).
pub(crate) fn foreground(terminal: BorrowedFd<'_>) -> io::Result<i32> {
    // SAFETY: the descriptor is open.
    super::check(unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) })
}

/// Puts a group of this session into the foreground, also from the background: SIGTTOU is blocked meanwhile (tcsetpgrp(3)).
pub(crate) fn set_foreground(terminal: BorrowedFd<'_>, group: i32) -> io::Result<()> {
    let before = signals::set_mask(u64::MAX);
    signals::set_mask(before | SIGTTOU_BIT);
    // SAFETY: the descriptor is open.
    let done = super::check(unsafe { libc::tcsetpgrp(terminal.as_raw_fd(), group) });
    signals::set_mask(before);
    done.map(drop)
}

/// This process's session, which has the number of the shell that began it.
pub(crate) fn session() -> i32 {
    // SAFETY: no memory involved.
    unsafe { libc::getsid(0) }
}

/// Stops this process's group like the keyboard does. `here`: SIGTSTP has its default action here, so this returns when this process was
/// continued, or at once where the system discards the stop. The one sent to this thread alone waits for that; a SIGCONT takes it away.
pub(crate) fn stop_own_group(here: bool) {
    let before = signals::set_mask(u64::MAX);
    if here {
        // SAFETY: takes a number.
        unsafe { libc::raise(libc::SIGTSTP) };
    }
    // SAFETY: takes numbers. The own group is there.
    unsafe { libc::kill(0, libc::SIGTSTP) };
    signals::set_mask(if here { before & !SIGTSTP_BIT } else { before });
    signals::set_mask(before);
}
