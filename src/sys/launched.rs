//! A child that has been made: its descriptor, and the end of one that failed.

use std::os::fd::{AsFd, OwnedFd};

use super::forced::{Forced, forced};
use super::probed::Probed;
use super::{fds, pidfd, wait};
use crate::setup_step::{Failure, Step};

/// A child that runs its program.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) pid: i32,
    /// Missing where the kernel has none, or has no descriptor left.
    pub(crate) pidfd: Option<OwnedFd>,
}

/// Kills and reaps a child whose start came too late.
pub(crate) fn undo(child: Launched) {
    kill(&child);
    reap(&child);
}

/// Succeeds also when the child is gone.
fn kill(child: &Launched) {
    let sent = child.pidfd.as_ref().map(|pidfd| pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL));
    // Without a descriptor, or where a filter refuses it. ESRCH: the number may be a stranger's.
    if !sent.is_some_and(|sent| sent.map_or_else(|error| error.raw_os_error() == Some(libc::ESRCH), |()| true)) {
        let _ = wait::kill(child.pid, libc::SIGKILL);
    }
}

fn reap(child: &Launched) {
    let _ = wait::reap(wait::Child::new(child.pid, child.pidfd.as_ref().map(AsFd::as_fd)), true);
}

/// A descriptor for a child without one. A refusal (old kernel, seccomp, no descriptor left) leaves the portable way.
pub(super) fn open_pidfd(pid: i32) -> Option<OwnedFd> {
    if !pidfds_work() {
        return None;
    }
    let pidfd = pidfd::open(pid).and_then(fds::clear_of_stdio).ok()?;
    // A child that was reaped behind our back may have left its number to a stranger: that one cannot be waited for.
    wait::is_child(pidfd.as_fd()).then_some(pidfd)
}

/// Whether process descriptors exist here and do all that is asked of them (Linux 5.4, no seccomp filter against them).
pub(super) fn pidfds_work() -> bool {
    static ANSWER: Probed = Probed::new();
    cfg!(target_os = "linux") && forced() != Forced::Portable && ANSWER.ask(pidfd::usable)
}

/// A child that failed has exited or is about to: it is reaped here, so that no failed spawn leaves a zombie. If it was reaped elsewhere
/// in this process first, that is as good.
pub(super) fn conclude(child: Launched, outcome: Result<(), Failure>) -> Result<Launched, Failure> {
    if let Err(failure) = outcome {
        if failure.step == Step::Pipe {
            // The status pipe broke, so the child may live; any other failure was its last word. Only then: the number of a
            // child that is gone may be a stranger's.
            kill(&child);
        }
        reap(&child);
        return Err(failure);
    }
    Ok(child)
}
