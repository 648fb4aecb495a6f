//! Moving a stream from its pipe to descriptors inside the kernel, without a copy in this process.
//!
//! All sinks except one are pipes, which get the bytes by tee(2). The last one, the *consumer*, takes them out of the source by
//! splice(2). tee begins at the source's first byte, so a pipe gets more only when the consumer has taken all that the pipe
//! received before; and the consumer takes no more than what all pipes have received. So every sink gets every byte once, however
//! many bytes each call moves.

use std::io;
use std::os::fd::BorrowedFd;

use super::fd_writer::{Blocking, FdWriter};
use super::sink::Sink;
use crate::fd::FdKind;
use crate::pipe::budget::{self, Grant};
use crate::sys::{fds, signals, splice};

pub(crate) struct ZeroCopy {
    /// How many of the source's next bytes each sink has received already; always 0 for the consumer.
    pub(super) received: Vec<usize>,
    consumer: usize,
    /// The sink that has no room for what is in the source.
    pub(super) blocked: Option<usize>,
    /// Pipe memory, by sink.
    grants: Vec<(usize, Grant)>,
    /// Set when the stream is wrapped up: from the source's next bytes, only this number may be taken, and not by this.
    pub(super) left: Option<usize>,
}

/// The result of one step.
pub(crate) enum Progress {
    Moved,
    /// The source has no bytes, or a sink has no room.
    WouldBlock,
    /// The source has ended, and every sink has every byte.
    End,
    /// The kernel cannot do it for these descriptors, or must not go on.
    Unsupported,
    /// A write to this sink failed.
    Failed(usize, io::Error),
}

impl ZeroCopy {
    /// `None` unless all sinks are descriptors that the kernel may do it for. Grows the sinks' pipes, unless their capacity is `fixed`:
    /// with small pipes the calls cost more than they save.
    pub(crate) fn new(sinks: &[Sink], fixed: bool) -> Option<ZeroCopy> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let writers: Vec<&FdWriter> = sinks.iter().map(Sink::fd_writer).collect::<Option<_>>()?;
        if writers.iter().any(|writer| writer.blocking() == Blocking::Possible) {
            return None;
        }
        let is_pipe = |writer: &&FdWriter| FdKind::of(writer.fd()).is_ok_and(|kind| kind == FdKind::Pipe);
        let others: Vec<usize> = (0..writers.len()).filter(|&index| !is_pipe(&writers[index])).collect();
        let consumer = match others.as_slice() {
            [] => writers.len().checked_sub(1)?,
            [only] => *only,
            _ => return None,
        };
        let grown = writers.iter().enumerate().filter(|_| !fixed);
        let grants = grown.filter_map(|(index, writer)| Some((index, budget::grow_usual(writer.fd())?))).collect();
        Some(ZeroCopy { received: vec![0; writers.len()], consumer, blocked: None, grants, left: None })
    }

    /// Gives the pipes that it grew their old capacity back, where the kernel allows it: other processes may go on with them.
    pub(crate) fn restore_capacities(&self, sinks: &[Sink]) {
        for writer in self.grants.iter().filter_map(|(index, _)| sinks[*index].fd_writer()) {
            budget::give_back(writer.fd());
        }
    }

    /// How many of the source's next bytes at least one sink has received.
    pub(crate) fn most_received(&self) -> usize {
        self.received.iter().copied().max().unwrap_or(0)
    }

    /// Moves what goes without blocking: at most one call for each sink.
    pub(crate) fn step(&mut self, source: BorrowedFd<'_>, sinks: &[Sink]) -> Progress {
        if self.left.is_some() {
            return Progress::Unsupported;
        }
        signals::without_sigpipe(|| self.step_without_sigpipe(source, sinks))
    }

    fn step_without_sigpipe(&mut self, source: BorrowedFd<'_>, sinks: &[Sink]) -> Progress {
        self.blocked = None;
        let mut most = budget::BULK;
        for (index, sink) in sinks.iter().enumerate() {
            let Some(writer) = sink.fd_writer() else { return Progress::Unsupported };
            if index == self.consumer {
                continue;
            }
            if self.received[index] == 0 {
                match splice::tee_now(source, writer.fd(), budget::BULK) {
                    Ok(0) => return Progress::End,
                    Ok(received) => self.received[index] = received,
                    Err(error) => return self.failed(source, index, error),
                }
            }
            most = most.min(self.received[index]);
        }
        let Some(writer) = sinks[self.consumer].fd_writer() else { return Progress::Unsupported };
        match splice::splice_now(source, writer.fd(), most) {
            Ok(0) => Progress::End,
            Ok(taken) => {
                for (index, received) in self.received.iter_mut().enumerate() {
                    if index != self.consumer {
                        *received -= taken;
                    }
                }
                Progress::Moved
            }
            Err(error) => self.failed(source, self.consumer, error),
        }
    }

    fn failed(&mut self, source: BorrowedFd<'_>, sink: usize, error: io::Error) -> Progress {
        match error.raw_os_error() {
            Some(libc::EAGAIN) => {
                // EAGAIN does not tell whether the source is empty or the sink is full.
                self.blocked = fds::bytes_queued(source).is_ok_and(|queued| queued > 0).then_some(sink);
                Progress::WouldBlock
            }
            Some(libc::EINVAL | libc::EBADF | libc::ENOSYS | libc::EPERM | libc::EOPNOTSUPP | libc::ENOMEM) => {
                Progress::Unsupported
            }
            _ => Progress::Failed(sink, error),
        }
    }
}
