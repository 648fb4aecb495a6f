//! Moving a stream on inside the kernel: from its pipe to descriptors, without a copy in this process.
//!
//! All sinks but one are pipes, which are shown the bytes by tee(2); the last one, the *consumer*, takes them out of the source by
//! splice(2). What a pipe was shown and the consumer has not taken, the pipe is *ahead* by. It is shown more only when it is
//! ahead by nothing, since tee begins at the source's first byte; and the consumer takes no more than what all were shown.
//! So every sink gets every byte once, whatever each call moves.

use std::io;
use std::os::fd::BorrowedFd;

use super::fd_writer::{Outlet, OutletKind};
use super::sink::Sink;
use crate::fd::FdKind;
use crate::pipe::budget::{self, Grant};
use crate::sys::{fds, signals, splice};

pub(crate) struct Conduit {
    /// By sink; always 0 for the consumer.
    ahead: Vec<usize>,
    consumer: usize,
    /// The sink that has no room for what waits in the source.
    blocked: Option<usize>,
    /// Pipe memory, for these sinks.
    grants: Vec<(usize, Grant)>,
}

/// What one piece of work came to.
pub(crate) enum Progress {
    Moved,
    /// Nothing to move, or no room.
    Waits,
    /// The source has ended, and everybody has everything.
    End,
    /// Not for this sink.
    Refused,
    Failed(usize, io::Error),
}

impl Conduit {
    /// For sinks that are all descriptors which the kernel may do this for. Their pipes are grown, unless the capacity is `fixed`: with
    /// small ones it does not pay.
    pub(crate) fn new(sinks: &[Sink], fixed: bool) -> Option<Conduit> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let outlets: Vec<&Outlet> = sinks.iter().map(Sink::outlet).collect::<Option<_>>()?;
        if outlets.iter().any(|outlet| outlet.kind() == OutletKind::MayBlock) {
            return None;
        }
        let is_pipe = |outlet: &&Outlet| FdKind::of(outlet.fd()).is_ok_and(|kind| kind == FdKind::Pipe);
        let others: Vec<usize> = (0..outlets.len()).filter(|&index| !is_pipe(&outlets[index])).collect();
        let consumer = match others.as_slice() {
            [] => outlets.len().checked_sub(1)?,
            [only] => *only,
            _ => return None,
        };
        let grown = outlets.iter().enumerate().filter(|_| !fixed);
        let grants = grown.filter_map(|(index, outlet)| Some((index, budget::grow_usual(outlet.fd())?))).collect();
        Some(Conduit { ahead: vec![0; outlets.len()], consumer, blocked: None, grants })
    }

    /// It is over: the pipes that it grew and others go on with are what they were, as far as they can be.
    pub(crate) fn give_back(&self, sinks: &[Sink]) {
        for outlet in self.grants.iter().filter_map(|(index, _)| sinks[*index].outlet()) {
            budget::give_back(outlet.fd());
        }
    }

    /// The sink to wait for, if not the source.
    pub(crate) fn blocked(&self) -> Option<usize> {
        self.blocked
    }

    /// How far a sink is ahead of the source.
    pub(crate) fn ahead(&self, sink: usize) -> usize {
        self.ahead[sink]
    }

    /// How many of the source's next bytes some sink has.
    pub(crate) fn most_ahead(&self) -> usize {
        self.ahead.iter().copied().max().unwrap_or(0)
    }

    /// Moves what goes without waiting, once around.
    pub(crate) fn step(&mut self, source: BorrowedFd<'_>, sinks: &[Sink]) -> Progress {
        signals::without_sigpipe(|| self.step_without_sigpipe(source, sinks))
    }

    fn step_without_sigpipe(&mut self, source: BorrowedFd<'_>, sinks: &[Sink]) -> Progress {
        self.blocked = None;
        let mut most = budget::BULK;
        for (index, sink) in sinks.iter().enumerate() {
            let Some(outlet) = sink.outlet() else { return Progress::Refused };
            if index == self.consumer {
                continue;
            }
            if self.ahead[index] == 0 {
                match splice::tee_now(source, outlet.fd(), budget::BULK) {
                    Ok(0) => return Progress::End,
                    Ok(shown) => self.ahead[index] = shown,
                    Err(error) => return self.stuck(source, index, error),
                }
            }
            most = most.min(self.ahead[index]);
        }
        let Some(outlet) = sinks[self.consumer].outlet() else { return Progress::Refused };
        match splice::splice_now(source, outlet.fd(), most) {
            Ok(0) => Progress::End,
            Ok(taken) => {
                for (index, ahead) in self.ahead.iter_mut().enumerate() {
                    if index != self.consumer {
                        *ahead -= taken;
                    }
                }
                Progress::Moved
            }
            Err(error) => self.stuck(source, self.consumer, error),
        }
    }

    fn stuck(&mut self, source: BorrowedFd<'_>, sink: usize, error: io::Error) -> Progress {
        match error.raw_os_error() {
            Some(libc::EAGAIN) => {
                // The call does not say which of the two it was.
                self.blocked = fds::bytes_queued(source).is_ok_and(|queued| queued > 0).then_some(sink);
                Progress::Waits
            }
            Some(libc::EINVAL | libc::EBADF | libc::ENOSYS | libc::EPERM | libc::EOPNOTSUPP | libc::ENOMEM) => {
                Progress::Refused
            }
            _ => Progress::Failed(sink, error),
        }
    }
}
