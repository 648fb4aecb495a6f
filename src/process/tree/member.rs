//! One process of a tree, and how it is reached.

use std::io;

use super::Tree;
use super::system::System;
use crate::procfs::stat::Stat;
use crate::procfs::{has_ended, is_shortage};

pub(super) struct Member<H> {
    pub(super) pid: i32,
    /// `None`: reached by its number and start time.
    pub(super) handle: Option<H>,
    /// In ticks since boot. Not asked of a root, which has a handle.
    pub(super) start: Option<u64>,
    /// As it was when it was found.
    pub(super) name: String,
    /// How many parents there are up to a root.
    pub(super) depth: usize,
    pub(super) stop: Stop,
    /// Whether it has had the signal of the step.
    pub(super) is_asked: bool,
    /// Whether it ran its parent's program when it was looked at last.
    pub(super) is_copy: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    NotYet,
    /// By us, to be continued if it is not killed.
    Sent,
    InVain,
}

impl<H> Member<H> {
    pub(super) fn root(pid: i32, handle: H) -> Member<H> {
        Member::new(pid, Some(handle), None, 0)
    }

    pub(super) fn new(pid: i32, handle: Option<H>, stat: Option<Stat>, depth: usize) -> Member<H> {
        let is_copy = stat.as_ref().is_some_and(|stat| !stat.is_program);
        let (start, name) = stat.map(|stat| (stat.start, stat.name)).unzip();
        let (name, stop) = (name.unwrap_or_default(), Stop::NotYet);
        Member { pid, handle, start, name, depth, stop, is_asked: false, is_copy }
    }
}

impl<S: System> Tree<S> {
    /// Signals a member; whether it was still there, as a zombie or more.
    pub(super) fn send(&mut self, index: usize, signal: i32) -> io::Result<bool> {
        let (pid, start) = (self.members[index].pid, self.members[index].start);
        if let Some(handle) = &self.members[index].handle {
            let sent = there(self.system.signal(handle, signal));
            // Refused, by a filter, or by the process, which then does so again: by its number, like one without a descriptor.
            if sent.is_ok() || start.is_none() {
                return sent;
            }
        }
        let (handle, stat) = match self.meet(pid, false) {
            Err(error) if has_ended(&error) => return Ok(false),
            met => met?,
        };
        let stat = match stat {
            Err(error) if has_ended(&error) => return Ok(false),
            stat => stat?,
        };
        if Some(stat.start) != start {
            return Ok(false);
        }
        match handle.map(|handle| there(self.system.signal(&handle, signal))) {
            Some(Ok(sent)) => Ok(sent),
            Some(Err(_)) | None => there(self.system.signal_number(pid, signal)),
        }
    }

    /// Whether the member is known not to have been reaped, so that its number is its own.
    pub(super) fn is_there(&mut self, index: usize) -> bool {
        match self.send(index, 0) {
            Ok(there) => there,
            // The refusal of somebody who is there. Any other means that it could not be asked.
            Err(error) => error.raw_os_error() == Some(libc::EPERM),
        }
    }

    /// A descriptor for whoever has this number, if one is to be had, and what its `stat` says: in this order, so that the two are of
    /// one process if that is not reaped afterwards.
    pub(super) fn meet(&mut self, pid: i32, keep: bool) -> io::Result<(Option<S::Handle>, io::Result<Stat>)> {
        let handle = self.with_room(|system| system.open(pid, keep))?;
        match self.system.stat(pid) {
            Err(error) if is_shortage(&error) => {
                // The descriptor may have been the last.
                drop(handle);
                Ok((None, self.with_room(|system| system.stat(pid))))
            }
            stat => Ok((handle, stat)),
        }
    }

    /// Asks the system. Where it has no descriptor for that, one or two that this tree keeps are let go of first: their processes are
    /// then reached by number and start time.
    pub(super) fn with_room<T>(&mut self, ask: impl Fn(&mut S) -> io::Result<T>) -> io::Result<T> {
        loop {
            match ask(&mut self.system) {
                Err(error) if is_shortage(&error) && self.make_room() => {}
                answer => return answer,
            }
        }
    }

    fn make_room(&mut self) -> bool {
        let system = &self.system;
        let ours =
            |member: &&mut Member<S::Handle>| member.handle.as_ref().is_some_and(|handle| system.is_ours(handle));
        let kept = self.members.iter_mut().rev().filter(ours).take(2);
        kept.map(|member| member.handle = None).count() > 0
    }
}

fn there(sent: io::Result<()>) -> io::Result<bool> {
    match sent {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
        Err(error) => Err(error),
    }
}
