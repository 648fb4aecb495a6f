//! Streams that somebody else still held when they were given up, and who that was.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::clock::Deadline;
use crate::fd::{FdKind, Holder, HolderSearch};
use crate::process::Process;
use crate::stdio::Stream;
use crate::sys::fds;

/// How long to look for holders, over all streams of a run: what a bound on a run's time has to spare.
const BUDGET: Duration = Duration::from_millis(60);

/// What leaked, as far as it could be seen.
#[derive(Debug, Default)]
pub(crate) struct Leaks {
    pub(crate) streams: Vec<Stream>,
    pub(crate) holders: Vec<Holder>,
    /// Until when to look; from the first look on.
    until: Option<Deadline>,
}

impl Leaks {
    /// A stream was given up while somebody held it.
    pub(super) fn stream(&mut self, stream: Stream) {
        self.streams.push(stream);
    }

    /// Looks for who holds a pipe's other end.
    pub(super) fn look(&mut self, pipe: BorrowedFd<'_>) {
        let until = *self.until.get_or_insert_with(|| Deadline::after(BUDGET));
        let left = until.remaining().unwrap_or_default();
        // Best effort: without a descriptor to look with, or the right to, nobody is named.
        let Ok(found) = HolderSearch::new().budget(left).run(pipe) else { return };
        for holder in found.found {
            if !self.holders.contains(&holder) {
                self.holders.push(holder);
            }
        }
    }

    /// Looks for strangers that hold the write end of what a process of the run reads; `own` are the run's processes.
    pub(super) fn look_behind(&mut self, process: &Process, own: &[u32]) {
        let path = format!("/proc/{}/fd/0", process.pid());
        // What else may be there is not to be opened: that may do something to a device.
        if !fds::describe_path(path.as_ref()).is_ok_and(|stdin| FdKind::from(stdin) == FdKind::Pipe) {
            return;
        }
        // A pipe that is opened anew has another reader for this moment, which changes nothing for those who wait.
        let Ok(stdin) = fds::open_nonblocking(path.as_ref(), false) else { return };
        self.look(stdin.as_fd());
        self.holders.retain(|holder| !own.contains(&holder.pid));
    }
}
