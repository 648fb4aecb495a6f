//! `poll(2)` with a deadline.

#![expect(unsafe_code, reason = "poll on a list of our own")]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use crate::clock::Deadline;

/// What is waited for. Errors and hang-ups are reported with either of the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Readable,
    Writable,
    /// Nothing before that moment: until then no reader is in the pipe's queue, and a writer has none to wake up.
    ReadableAfter(Deadline),
}

/// A list of descriptors to wait for, reused from call to call.
#[derive(Default)]
pub(crate) struct PollSet {
    entries: Vec<libc::pollfd>,
    /// When one that is left alone may be asked for again.
    asked_again: Deadline,
}

impl PollSet {
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.asked_again = Deadline::NEVER;
    }

    /// Adds a descriptor; its place is the number of those added before. It must be open until `wait` returns.
    pub(crate) fn push(&mut self, fd: BorrowedFd<'_>, interest: Interest) {
        let (fd, events) = match interest {
            Interest::Readable => (fd.as_raw_fd(), libc::POLLIN),
            Interest::Writable => (fd.as_raw_fd(), libc::POLLOUT),
            Interest::ReadableAfter(moment) => {
                self.asked_again = self.asked_again.earlier(moment);
                // A place that poll passes over.
                (-1, 0)
            }
        };
        self.entries.push(libc::pollfd { fd, events, revents: 0 });
    }

    /// Waits until one is ready, one that is left alone may be asked for again, or the deadline has passed; says how many are ready.
    /// An interruption is no news.
    pub(crate) fn wait(&mut self, deadline: Deadline) -> io::Result<usize> {
        let deadline = deadline.earlier(self.asked_again);
        loop {
            let left = deadline.remaining();
            let timeout = match left {
                None => -1,
                // Rounded up: waking a moment too early would spin until the deadline.
                Some(left) => i32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX),
            };
            let ready = match left {
                Some(left) if timeout == 1 => self.poll_briefly(left),
                _ => self.poll(timeout),
            };
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

    fn poll(&mut self, millis: c_int) -> c_int {
        // SAFETY: the list is ours and as long as said.
        unsafe { libc::poll(self.entries.as_mut_ptr(), self.entries.len() as libc::nfds_t, millis) }
    }

    /// Less than a millisecond, where the system has a call for that, and no filter refuses it.
    #[cfg(target_os = "linux")]
    fn poll_briefly(&mut self, left: Duration) -> c_int {
        let time = libc::timespec { tv_sec: 0, tv_nsec: left.subsec_nanos() as libc::c_long };
        let (list, length) = (self.entries.as_mut_ptr(), self.entries.len() as libc::nfds_t);
        // SAFETY: the list is ours and as long as said; the time lives on this stack; no mask.
        match unsafe { libc::ppoll(list, length, &raw const time, std::ptr::null()) } {
            -1 if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted => self.poll(1),
            ready => ready,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn poll_briefly(&mut self, _left: Duration) -> c_int {
        self.poll(1)
    }

    /// Whether the n-th has anything to report. Any event counts: a full pipe whose reader is gone reports POLLERR alone.
    pub(crate) fn ready(&self, index: usize) -> bool {
        self.entries[index].revents != 0
    }

    /// Whether all other ends of the n-th are closed (`POLLHUP`). What was written before may still be there.
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

/// Whether a descriptor is readable now. Does not block.
pub(crate) fn is_readable(fd: BorrowedFd<'_>) -> io::Result<bool> {
    wait_for(fd, Interest::Readable, Deadline::after(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;
    use crate::pipe;

    const LATE: Duration = Duration::from_secs(3600);

    #[test]
    fn what_is_left_alone_keeps_neither_others_nor_a_deadline_waiting() {
        let ((alone, mut to_alone), (other, mut to_other)) = (pipe::kernel().unwrap(), pipe::kernel().unwrap());
        to_alone.write_all(b"x").unwrap();
        let mut set = PollSet::default();
        set.push(alone.as_fd(), Interest::ReadableAfter(Deadline::after(LATE)));
        set.push(other.as_fd(), Interest::Readable);
        assert_eq!(set.wait(Deadline::after(Duration::from_micros(100))).unwrap(), 0);
        to_other.write_all(b"x").unwrap();
        assert_eq!(set.wait(Deadline::NEVER).unwrap(), 1);
        assert!(!set.ready(0) && set.ready(1));
    }

    #[test]
    fn a_wait_ends_when_what_was_left_alone_may_be_asked_for() {
        let (alone, mut to_alone) = pipe::kernel().unwrap();
        to_alone.write_all(b"x").unwrap();
        let mut set = PollSet::default();
        let soon = Deadline::after(Duration::from_micros(100));
        set.push(alone.as_fd(), Interest::ReadableAfter(soon));
        assert_eq!(set.wait(Deadline::after(LATE)).unwrap(), 0);
        assert!(soon.passed());
        set.clear();
        set.push(alone.as_fd(), Interest::Readable);
        assert_eq!(set.wait(Deadline::NEVER).unwrap(), 1);
    }
}
