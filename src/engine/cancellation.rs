//! How the closures of a run are ended: every read and write on their streams then fails.
//!
//! Closing a descriptor does not wake a thread that is blocked on it. A closure's streams therefore poll two descriptors: their own, and the
//! read end of a pipe whose write end the run holds. Closing the write end hangs the pipe up, which wakes every poll. Pipes in memory
//! are broken.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};

use super::end_reason::EndReason;
use crate::clock::Deadline;
use crate::lock::lock;
use crate::pipe;
use crate::pipe::Breaker;
use crate::status::signal_name;
use crate::sys::poll::{Interest, PollSet};

/// Shared by the run and the streams of its closures.
pub(crate) struct Cancellation {
    /// Why the run is being ended, once it is.
    reason: OnceLock<EndReason>,
    is_cancelled: AtomicBool,
    /// Hangs up when the other end is closed.
    hangup: OwnedFd,
    hangup_writer: Mutex<Option<OwnedFd>>,
    breakers: Mutex<Vec<Breaker>>,
}

impl Cancellation {
    pub(crate) fn new() -> io::Result<Arc<Cancellation>> {
        let (hangup, hangup_writer) = pipe::kernel()?;
        Ok(Arc::new(Cancellation {
            reason: OnceLock::new(),
            is_cancelled: AtomicBool::new(false),
            hangup: hangup.into(),
            hangup_writer: Mutex::new(Some(hangup_writer.into())),
            breakers: Mutex::default(),
        }))
    }

    /// Has a pipe in memory broken by a cancel.
    pub(crate) fn add_breaker(&self, pipe: Breaker) {
        lock(&self.breakers).push(pipe);
    }

    /// Says that the run is being ended. Reads and writes still work, but the end of an input or a broken pipe no longer means that
    /// another stage ended by itself. The first reason stays.
    pub(crate) fn announce(&self, reason: EndReason) {
        let _ = self.reason.set(reason);
    }

    /// Fails all reads and writes from now on. The reason is set before a closure wakes.
    pub(crate) fn cancel(&self, reason: EndReason) {
        self.announce(reason);
        self.is_cancelled.store(true, SeqCst);
        drop(lock(&self.hangup_writer).take());
        let breakers = std::mem::take(&mut *lock(&self.breakers));
        for breaker in breakers {
            breaker.break_with(error_for(self.reason().unwrap_or(reason)));
        }
    }

    /// Why the run is being ended, if it is.
    pub(crate) fn reason(&self) -> Option<EndReason> {
        self.reason.get().copied()
    }

    /// The error of reads and writes after the cancel.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.is_cancelled.load(SeqCst) { self.check_announced() } else { Ok(()) }
    }

    /// An error as soon as the run is being ended. It replaces an end of file or a broken pipe, which the ending may have caused.
    pub(crate) fn check_announced(&self) -> io::Result<()> {
        self.reason().map_or(Ok(()), |reason| Err(error_for(reason)))
    }

    /// Waits for a descriptor, or for the cancel, which is an error.
    pub(crate) fn wait_for(&self, fd: BorrowedFd<'_>, interest: Interest) -> io::Result<()> {
        let mut set = PollSet::default();
        set.push(fd, interest);
        set.push(self.hangup.as_fd(), Interest::Readable);
        set.wait(Deadline::NEVER)?;
        self.check()
    }
}

fn error_for(reason: EndReason) -> io::Error {
    match reason {
        EndReason::TimedOut => io::Error::new(io::ErrorKind::TimedOut, "the run's time is up"),
        EndReason::Cancelled => io::Error::other("the run was cancelled"),
        EndReason::Interrupted(signal) => {
            io::Error::other(format!("the run was interrupted by {}", signal_name(signal)))
        }
        EndReason::Stopped { .. } | EndReason::Aborted => io::Error::other("the run was ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_end_keeps_its_reason_and_fails_nothing_before_the_cancel() {
        let cancellation = Cancellation::new().unwrap();
        cancellation.announce(EndReason::TimedOut);
        assert!(cancellation.check().is_ok());
        assert_eq!(cancellation.check_announced().unwrap_err().kind(), io::ErrorKind::TimedOut);
        cancellation.cancel(EndReason::Aborted);
        let (reader, _writer) = pipe::kernel().unwrap();
        let error = cancellation.wait_for(reader.as_fd(), Interest::Readable).unwrap_err();
        assert_eq!((error.kind(), cancellation.reason()), (io::ErrorKind::TimedOut, Some(EndReason::TimedOut)));
    }
}
