//! What ends the closures of a run: from then on, whatever they read or write fails.
//!
//! Closing a descriptor does not wake a thread that is blocked in it. So their ends poll two things, the pipe and the reading end of
//! one more, whose writer the run holds: letting go of that is the stop. Pipes in memory are broken.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::timing::Cut;
use crate::clock::Deadline;
use crate::pipe;
use crate::pipe::Breaker;
use crate::status::signal_name;
use crate::sys::poll::{Interest, PollSet};

/// Shared by the run and the ends of its closures.
pub(crate) struct Stop {
    /// Why the run is being ended, once it is.
    why: OnceLock<Cut>,
    pulled: AtomicBool,
    /// Hangs up when it is pulled.
    line: OwnedFd,
    cord: Mutex<Option<OwnedFd>>,
    breakers: Mutex<Vec<Breaker>>,
}

impl Stop {
    pub(crate) fn new() -> io::Result<Arc<Stop>> {
        let (line, cord) = pipe::kernel()?;
        Ok(Arc::new(Stop {
            why: OnceLock::new(),
            pulled: AtomicBool::new(false),
            line: line.into(),
            cord: Mutex::new(Some(cord.into())),
            breakers: Mutex::default(),
        }))
    }

    /// Has a pipe in memory broken with the rest.
    pub(crate) fn breaks(&self, pipe: Breaker) {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner).push(pipe);
    }

    /// Tells that the run is being ended: what closures do still works, but an end of their input or a broken pipe is from then on
    /// no news of the other stages'. The first reason stays.
    pub(crate) fn announce(&self, cut: Cut) {
        let _ = self.why.set(cut);
    }

    /// Stops everybody, for good. The reason is there before anybody wakes.
    pub(crate) fn pull(&self, cut: Cut) {
        self.announce(cut);
        self.pulled.store(true, SeqCst);
        drop(self.cord.lock().unwrap_or_else(PoisonError::into_inner).take());
        let breakers = std::mem::take(&mut *self.breakers.lock().unwrap_or_else(PoisonError::into_inner));
        for breaker in breakers {
            breaker.break_with(said(self.why().unwrap_or(cut)));
        }
    }

    /// Why the run is being ended, if it is.
    pub(crate) fn why(&self) -> Option<Cut> {
        self.why.get().copied()
    }

    /// The error of whoever reads or writes after the stop.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.pulled.load(SeqCst) { self.announced() } else { Ok(()) }
    }

    /// An error once the run is being ended: for what would else be taken for a good end, or for somebody who had enough.
    pub(crate) fn announced(&self) -> io::Result<()> {
        self.why().map_or(Ok(()), |cut| Err(said(cut)))
    }

    /// Waits for a descriptor, or for the stop, which is an error.
    pub(crate) fn wait_for(&self, fd: BorrowedFd<'_>, interest: Interest) -> io::Result<()> {
        let mut set = PollSet::default();
        set.push(fd, interest);
        set.push(self.line.as_fd(), Interest::Readable);
        set.wait(Deadline::NEVER)?;
        self.check()
    }
}

fn said(cut: Cut) -> io::Error {
    match cut {
        Cut::TimedOut => io::Error::new(io::ErrorKind::TimedOut, "the run's time is up"),
        Cut::Cancelled => io::Error::other("the run was cancelled"),
        Cut::Interrupted(signal) => io::Error::other(format!("the run was interrupted by {}", signal_name(signal))),
        Cut::Stopped { .. } | Cut::Aborted => io::Error::other("the run was ended"),
    }
}
