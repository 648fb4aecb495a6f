//! Moving a stream on inside the kernel: from its pipe to descriptors, without a copy in this process.
//!
//! All sinks but one are pipes, which are shown the bytes by tee(2); the last one, the *consumer*, takes them out of the source by
//! splice(2). What a pipe was shown and the consumer has not taken, the pipe is *ahead* by. It is shown more only when it is
//! ahead by nothing, since tee begins at the source's first byte; and the consumer takes no more than what all were shown.
//! So every sink gets every byte once, whatever each call moves.

use std::io;
use std::os::fd::BorrowedFd;

use super::outlet::{Outlet, OutletKind};
use super::sink::Sink;
use crate::fd::FdKind;
use crate::pipe::budget::{self, Grant};
use crate::sys::{fds, signals, splice};

pub(super) struct Conduit {
    /// By sink; always 0 for the consumer.
    ahead: Vec<usize>,
    consumer: usize,
    /// The sink that has no room for what waits in the source.
    blocked: Option<usize>,
    /// Pipe memory for the sinks.
    _grants: Vec<Grant>,
}

/// What one piece of work came to.
pub(super) enum Progress {
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
    /// For sinks that are all descriptors which the kernel may do this for. Pipes of ours are grown, unless their capacity is `fixed`:
    /// with small ones it does not pay.
    pub(super) fn new(sinks: &[Sink], fixed: bool) -> Option<Conduit> {
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
        let ours = outlets.iter().filter(|outlet| outlet.kind() == OutletKind::Ours && !fixed);
        let grants = ours.filter_map(|outlet| budget::grow(outlet.fd())).collect();
        Some(Conduit { ahead: vec![0; outlets.len()], consumer, blocked: None, _grants: grants })
    }

    /// The sink to wait for, if not the source.
    pub(super) fn blocked(&self) -> Option<usize> {
        self.blocked
    }

    /// How far a sink is ahead of the source.
    pub(super) fn ahead(&self, sink: usize) -> usize {
        self.ahead[sink]
    }

    /// How many of the source's next bytes some sink has.
    pub(super) fn most_ahead(&self) -> usize {
        self.ahead.iter().copied().max().unwrap_or(0)
    }

    /// Moves what goes without waiting, once around.
    pub(super) fn step(&mut self, source: BorrowedFd<'_>, sinks: &[Sink]) -> Progress {
        self.blocked = None;
        let mut most = budget::BULK;
        for (index, sink) in sinks.iter().enumerate() {
            let Some(outlet) = sink.outlet() else { return Progress::Refused };
            if index == self.consumer {
                continue;
            }
            if self.ahead[index] == 0 {
                match signals::without_sigpipe(|| splice::tee_now(source, outlet.fd(), budget::BULK)) {
                    Ok(0) => return Progress::End,
                    Ok(shown) => self.ahead[index] = shown,
                    Err(error) => return self.stuck(source, index, error),
                }
            }
            most = most.min(self.ahead[index]);
        }
        let Some(outlet) = sinks[self.consumer].outlet() else { return Progress::Refused };
        match signals::without_sigpipe(|| splice::splice_now(source, outlet.fd(), most)) {
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
