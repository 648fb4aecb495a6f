//! Streams that somebody else still held when they were given up, and who that was.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Deadline;
use crate::fd::{FdKind, Holder, HolderSearch, Holders};
use crate::process::Process;
use crate::procfs::{Procfs, Unseen};
use crate::stdio::Stream;
use crate::sys::fds;

/// How long to look for holders, over all streams of a run: what a bound on a run's time has to spare.
const BUDGET: Duration = Duration::from_millis(60);

/// What is done about processes that are left when a run is over: those that hold one of its streams, and those in its
/// [container](crate::Containment).
///
/// ```
/// use pipewright::{Cmd, ErrorKind, OnLeak};
/// let error = Cmd::sh("sleep 60 & echo done").on_leak(OnLeak::Fail).output().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Leaked);
/// let out = Cmd::sh("sleep 60 & echo done").on_leak(OnLeak::Kill).output()?;
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// assert!(out.leaked.unwrap().processes[0].killed);
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnLeak {
    /// Nothing: [`Output::leaked`](crate::Output::leaked) tells.
    #[default]
    Allow,
    /// The run fails with [`ErrorKind::Leaked`](crate::ErrorKind::Leaked), unless something else was wrong with it.
    Fail,
    /// They are killed (SIGKILL), and [`Output::leaked`](crate::Output::leaked) tells.
    Kill,
}

/// A process that was left when the run was over, as [`Leak::processes`](crate::Leak::processes) has it.
///
/// ```
/// use pipewright::{Cmd, OnLeak};
/// let out = Cmd::sh("sleep 60 & echo done").on_leak(OnLeak::Kill).output()?;
/// for process in out.leaked.into_iter().flat_map(|leak| leak.processes) {
///     println!("{} ({}) was killed: {}", process.name, process.pid, process.killed);
/// }
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeakedProcess {
    /// Its number.
    pub pid: u32,
    /// Its name, of at most 15 bytes; empty where that cannot be read.
    pub name: String,
    /// Whether it was killed, by [`OnLeak::Kill`] or as the run was ended.
    pub killed: bool,
}

/// What leaked, as far as it could be seen.
#[derive(Debug, Default)]
pub(crate) struct Leaks {
    pub(crate) streams: Vec<Stream>,
    pub(crate) holders: Vec<Holder>,
    pub(crate) processes: Vec<LeakedProcess>,
    /// Why there may be more.
    pub(crate) unseen: Option<Unseen>,
    /// Until when to look; from the first look on.
    until: Option<Deadline>,
}

/// Those that were found by a stream of the run, and ended with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Strangers(Arc<Mutex<Vec<(Stream, Holder)>>>);

impl Strangers {
    pub(super) fn push(&self, stream: Stream, holder: Holder) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((stream, holder));
    }

    fn take(&self) -> Vec<(Stream, Holder)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Leaks {
    /// A stream was given up while somebody held it.
    pub(super) fn stream(&mut self, stream: Stream) {
        if !self.streams.contains(&stream) {
            self.streams.push(stream);
        }
    }

    /// Those were ended with the run.
    pub(super) fn take_in(&mut self, strangers: &Strangers) {
        for (stream, holder) in strangers.take() {
            self.stream(stream);
            self.process(holder.pid, &holder.name, true);
            if !self.holders.contains(&holder) {
                self.holders.push(holder);
            }
        }
    }

    /// Looks for who holds a pipe's other end.
    pub(super) fn look(&mut self, pipe: BorrowedFd<'_>) {
        let until = *self.until.get_or_insert_with(|| Deadline::after(BUDGET));
        let left = until.remaining().unwrap_or_default();
        let found = HolderSearch::new().budget(left).in_any_case().run(pipe);
        self.note(unseen_by(&found));
        for holder in found.map_or_else(|_| Vec::new(), |found| found.found) {
            if !self.holders.contains(&holder) {
                self.process(holder.pid, &holder.name, false);
                self.holders.push(holder);
            }
        }
    }

    /// The first reason that there may be more is told.
    pub(super) fn note(&mut self, unseen: Option<Unseen>) {
        self.unseen = self.unseen.or(unseen);
    }

    /// A process was left.
    pub(super) fn process(&mut self, pid: u32, name: &str, killed: bool) {
        match self.processes.iter_mut().find(|known| known.pid == pid) {
            Some(known) => known.killed |= killed,
            None => self.processes.push(LeakedProcess { pid, name: name.to_string(), killed }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.processes.is_empty()
    }

    /// Looks for strangers that hold the write end of what a process of the run reads; `own` are the run's processes.
    pub(super) fn look_behind(&mut self, process: &Process, own: &[u32]) {
        let Ok(proc) = Procfs::open() else { return };
        let path = proc.fd(process.pid(), 0);
        // What else may be there is not to be opened: that may do something to a device.
        if !fds::describe_path(&path).is_ok_and(|stdin| FdKind::from(stdin) == FdKind::Pipe) {
            return;
        }
        // A pipe that is opened anew has another reader for this moment, which changes nothing for those who wait.
        let Ok(stdin) = fds::open_nonblocking(&path, false) else { return };
        self.look(stdin.as_fd());
        self.holders.retain(|holder| !own.contains(&holder.pid));
        self.processes.retain(|process| !own.contains(&process.pid));
    }
}

/// Why a search for holders may have missed some. Where it found one, that other users' processes cannot be looked at is no news.
pub(super) fn unseen_by(searched: &io::Result<Holders>) -> Option<Unseen> {
    match searched {
        Ok(holders) => holders.unseen.filter(|unseen| *unseen != Unseen::Users || holders.found.is_empty()),
        // What is searched is a pipe: nothing else fails.
        Err(_) => Some(Unseen::Descriptors),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_left_is_named_once_and_known_to_be_killed() {
        let mut leaks = Leaks::default();
        for (pid, killed) in [(7, false), (8, false), (7, true), (8, false)] {
            leaks.process(pid, "sleep", killed);
        }
        let left: Vec<_> = leaks.processes.iter().map(|process| (process.pid, process.killed)).collect();
        assert_eq!(left, [(7, true), (8, false)]);
    }
}
