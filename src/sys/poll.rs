//! `poll(2)` with a deadline.

#![expect(unsafe_code, reason = "poll on a list of our own")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::clock::Deadline;

/// What is waited for. Errors and hang-ups are always reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Readable,
    Writable,
}

/// A list of descriptors to wait for, reused from call to call.
#[derive(Default)]
pub(crate) struct PollSet {
    entries: Vec<libc::pollfd>,
}

impl PollSet {
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Adds a descriptor; its place is the number of those added before. It must be open until `wait` returns.
    pub(crate) fn push(&mut self, fd: BorrowedFd<'_>, interest: Interest) {
        let events = match interest {
            Interest::Readable => libc::POLLIN,
            Interest::Writable => libc::POLLOUT,
        };
        self.entries.push(libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 });
    }

    /// Waits until one is ready or the deadline has passed; says how many are ready. An interruption is no news.
    pub(crate) fn wait(&mut self, deadline: Deadline) -> io::Result<usize> {
        loop {
            let timeout = match deadline.remaining() {
                None => -1,
                // Rounded up: waking a moment too early would spin until the deadline.
                Some(left) => i32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX),
            };
            // SAFETY: the list is ours and as long as said.
            let ready = unsafe { libc::poll(self.entries.as_mut_ptr(), self.entries.len() as libc::nfds_t, timeout) };
            match super::check(ready) {
                // A wait longer than poll can express (24 days) ends early and goes on.
                Ok(0) if timeout == i32::MAX => {}
                Ok(ready) => return Ok(ready as usize),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if timeout == 0 {
                        return Ok(0);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the n-th has anything to report. Any event counts: a full pipe whose reader is gone reports POLLERR alone.
    pub(crate) fn ready(&self, index: usize) -> bool {
        self.entries[index].revents != 0
    }

    /// Whether everybody at the other end of the n-th is gone (`POLLHUP`); what they left may still be there.
    pub(crate) fn hung_up(&self, index: usize) -> bool {
        self.entries[index].revents & libc::POLLHUP != 0
    }

    /// Whether poll could not wait for the n-th at all (`POLLNVAL`).
    pub(crate) fn is_refused(&self, index: usize) -> bool {
        self.entries[index].revents & libc::POLLNVAL != 0
    }
}

/// Waits for one descriptor; false when the deadline passed first.
pub(crate) fn wait_for(fd: BorrowedFd<'_>, interest: Interest, deadline: Deadline) -> io::Result<bool> {
    let mut set = PollSet::default();
    set.push(fd, interest);
    Ok(set.wait(deadline)? > 0)
}
