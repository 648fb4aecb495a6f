//! Those who hold the write end of a pipe and are not of the tree any more: they keep a reader from seeing the end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Tree;
use crate::clock::Deadline;
use crate::fd::{Holder, HolderSearch};
use crate::sys::{fds, pidfd};

/// Who holds the pipes, of processes that are neither this one nor known to be of the tree.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    pub(crate) found: Vec<Stranger>,
    /// Whether every process that `/proc` shows was looked at.
    pub(crate) complete: bool,
}

/// A process that holds a pipe.
#[derive(Debug)]
pub(crate) struct Stranger {
    pub(crate) holder: Holder,
    /// Names the process that was seen to hold the pipe, for good. `None` where there is none to be had: then it cannot be
    /// killed from here.
    pidfd: Option<OwnedFd>,
}

impl Tree {
    /// Looks for them through all of `/proc`, which may take as long as the budget. A process with two write ends is found twice.
    ///
    /// # Errors
    /// As [`HolderSearch::run`](crate::fd::HolderSearch::run).
    pub(crate) fn strangers(&mut self, pipes: &[BorrowedFd<'_>], budget: Deadline) -> io::Result<Strangers> {
        let mut strangers = Strangers { complete: true, ..Strangers::default() };
        for pipe in pipes {
            let search = budget.remaining().map_or_else(HolderSearch::new, |left| HolderSearch::new().budget(left));
            let holders = search.run(pipe)?;
            strangers.complete &= holders.complete;
            for holder in holders.found {
                if strangers.found.iter().any(|known| known.holder == holder) || self.has(holder.pid) {
                    continue;
                }
                // Opened, and then seen to hold the pipe, and then not reaped: it is the one that holds it.
                let pidfd =
                    i32::try_from(holder.pid).ok().and_then(|pid| fds::clear_of_stdio(pidfd::open(pid).ok()?).ok());
                if !search.holds(pipe, &holder)? || pidfd.as_ref().is_some_and(|pidfd| is_reaped(pidfd.as_fd())) {
                    continue;
                }
                strangers.found.push(Stranger { holder, pidfd });
            }
        }
        Ok(strangers)
    }

    fn has(&mut self, pid: u32) -> bool {
        let known = i32::try_from(pid).ok().and_then(|pid| self.by_pid.get(&pid).copied());
        known.is_some_and(|index| self.is_there(index))
    }
}

fn is_reaped(pidfd: BorrowedFd<'_>) -> bool {
    pidfd::send_signal(pidfd, 0).is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
}

impl Stranger {
    /// Kills it: SIGKILL. One that has ended does not mind.
    ///
    /// # Errors
    /// What the system says; that there is no process descriptor.
    pub(crate) fn kill(&self) -> io::Result<()> {
        let Some(pidfd) = &self.pidfd else { return Err(io::ErrorKind::Unsupported.into()) };
        match pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            sent => sent,
        }
    }
}
