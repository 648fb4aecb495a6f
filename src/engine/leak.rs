//! Streams that other processes still held when they were given up, and these processes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Deadline;
use crate::fd::{FdKind, Holder, HolderSearch, Holders};
use crate::lock::lock;
use crate::process::Process;
use crate::procfs::{Procfs, Unseen};
use crate::stream::Stream;
use crate::sys::fds;

/// How long to search for holders, over all streams of a run. With the rest of the ending it is within the 100 ms that a deadline may be
/// late by.
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
    /// Nothing is done. [`Output::leaked`](crate::Output::leaked) names them.
    #[default]
    Allow,
    /// The run fails with [`ErrorKind::Leaked`](crate::ErrorKind::Leaked), unless it fails for another reason.
    Fail,
    /// They are killed (SIGKILL). [`Output::leaked`](crate::Output::leaked) names them.
    Kill,
}

/// A process that was left when the run was over, from [`Leak::processes`](crate::Leak::processes).
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
    /// Its process id.
    pub pid: u32,
    /// Its name, of at most 15 bytes; empty where it cannot be read.
    pub name: String,
    /// Whether it was killed, by [`OnLeak::Kill`] or because the run was ended.
    pub killed: bool,
}

/// What leaked, as far as this process may see it.
#[derive(Debug, Default)]
pub(crate) struct Leaks {
    pub(crate) streams: Vec<Stream>,
    pub(crate) holders: Vec<Holder>,
    pub(crate) processes: Vec<LeakedProcess>,
    /// Why there may be more.
    pub(crate) unseen: Option<Unseen>,
    /// When the search ends; set by the first one.
    until: Option<Deadline>,
}

/// The processes that were found because they held a stream of the run, and were ended with it.
#[derive(Debug, Clone, Default)]
pub(super) struct EndedHolders(Arc<Mutex<Vec<(Stream, Holder)>>>);

impl EndedHolders {
    pub(super) fn push(&self, stream: Stream, holder: Holder) {
        lock(&self.0).push((stream, holder));
    }

    fn take(&self) -> Vec<(Stream, Holder)> {
        std::mem::take(&mut *lock(&self.0))
    }
}

impl Leaks {
    /// A stream was given up while another process held it.
    pub(super) fn add_stream(&mut self, stream: Stream) {
        if !self.streams.contains(&stream) {
            self.streams.push(stream);
        }
    }

    pub(super) fn add_ended(&mut self, ended: &EndedHolders) {
        for (stream, holder) in ended.take() {
            self.add_stream(stream);
            self.add_process(holder.pid, &holder.name, true);
            if !self.holders.contains(&holder) {
                self.holders.push(holder);
            }
        }
    }

    /// Searches for the processes that hold the other end of a pipe.
    pub(super) fn find_holders(&mut self, pipe: BorrowedFd<'_>) {
        let until = *self.until.get_or_insert_with(|| Deadline::after(BUDGET));
        let left = until.remaining().unwrap_or_default();
        let found = HolderSearch::new().budget(left).in_any_case().run(pipe);
        self.note(unseen_by(&found));
        for holder in found.map_or_else(|_| Vec::new(), |found| found.found) {
            if !self.holders.contains(&holder) {
                self.add_process(holder.pid, &holder.name, false);
                self.holders.push(holder);
            }
        }
    }

    /// The first reason why there may be more stays.
    pub(super) fn note(&mut self, unseen: Option<Unseen>) {
        self.unseen = self.unseen.or(unseen);
    }

    /// A process was left.
    pub(super) fn add_process(&mut self, pid: u32, name: &str, killed: bool) {
        match self.processes.iter_mut().find(|known| known.pid == pid) {
            Some(known) => known.killed |= killed,
            None => self.processes.push(LeakedProcess { pid, name: name.to_string(), killed }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.processes.is_empty()
    }

    /// Searches for outsiders that hold the write end of the pipe which a process of the run reads; `own` are the run's processes.
    pub(super) fn find_writers_of_stdin(&mut self, process: &Process, own: &[u32]) {
        let Ok(proc) = Procfs::open() else { return };
        let path = proc.fd(process.pid(), 0);
        // Anything else is not opened: opening a device may act on it.
        if !fds::describe_path(&path).is_ok_and(|stdin| FdKind::from(stdin) == FdKind::Pipe) {
            return;
        }
        // The pipe has one more reader for this moment, which no process at the pipe can notice.
        let Ok(stdin) = fds::open_nonblocking(&path, false) else { return };
        self.find_holders(stdin.as_fd());
        self.holders.retain(|holder| !own.contains(&holder.pid));
        self.processes.retain(|process| !own.contains(&process.pid));
    }
}

/// Why a search for holders may have missed some. Where it found one, it does not matter that the processes of other users are hidden.
pub(super) fn unseen_by(searched: &io::Result<Holders>) -> Option<Unseen> {
    match searched {
        Ok(holders) => holders.unseen.filter(|unseen| *unseen != Unseen::Users || holders.found.is_empty()),
        // A search for a pipe fails only without descriptors (EMFILE, ENFILE).
        Err(_) => Some(Unseen::Descriptors),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_left_is_named_once_and_known_to_be_killed() {
        let mut leaks = Leaks::default();
        for (pid, killed) in [(7, false), (8, false), (7, true), (8, false)] {
            leaks.add_process(pid, "sleep", killed);
        }
        let left: Vec<_> = leaks.processes.iter().map(|process| (process.pid, process.killed)).collect();
        assert_eq!(left, [(7, true), (8, false)]);
    }
}
