//! What is known of a tree: its processes, and how each of them is reached.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::BorrowedFd;

use super::member::Member;
use super::search::Search;
use super::step::Steps;
use super::system::{Handle, Proc, System};
use crate::process::Process;
use crate::procfs::stat::Stat;
use crate::procfs::{self, Unseen, has_ended, is_shortage};
use crate::sys::poll;

/// The roots and their descendants, as far as they were seen.
pub(crate) struct Tree<S: System = Proc> {
    pub(super) system: S,
    /// The roots first, then parents before children.
    pub(super) members: Vec<Member<S::Handle>>,
    pub(super) by_pid: HashMap<i32, usize>,
    /// Children whose `stat` cannot be read.
    pub(super) hidden: Vec<u32>,
    /// Zombies that a look found, by number and start time.
    pub(super) zombies: HashSet<(i32, u64)>,
    /// The number of children that looks found new, whether or not they were still there to be taken in.
    pub(super) new_children: usize,
    pub(super) steps: Steps,
    pub(super) search: Search,
}

/// A process that did not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survivor {
    pub(crate) pid: u32,
    /// At most 15 bytes; empty where it cannot be read.
    pub(crate) name: String,
    pub(crate) why: String,
}

impl Tree {
    /// A tree with these roots, before any look.
    pub(crate) fn of(roots: &[Process]) -> Tree {
        Tree::new(Proc::default(), roots.iter().map(|root| (root.number(), Handle::Root(root.clone()))))
    }

    /// The number and the name of each known process.
    pub(crate) fn named(&self) -> Vec<(u32, String)> {
        self.members.iter().map(|member| (member.pid.unsigned_abs(), member.name.clone())).collect()
    }

    /// The report on a process that has not ended.
    pub(crate) fn still_there(&self, index: usize) -> Survivor {
        self.survivor(index, "it has not ended".to_string())
    }

    /// The members that are not among these survivors.
    pub(crate) fn all_but(&self, survivors: &[Survivor]) -> Vec<usize> {
        let survives = |index: &usize| survivors.iter().any(|it| it.pid == self.members[*index].pid.unsigned_abs());
        (0..self.members.len()).filter(|index| !survives(index)).collect()
    }

    /// Whether a process is known, and not among the first `first` members.
    pub(crate) fn has_from(&self, first: usize, pid: u32) -> bool {
        self.members[first..].iter().any(|member| member.pid.unsigned_abs() == pid)
    }

    /// The number of known processes, the roots included.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether this killed process cannot die for now: it is in an uninterruptible sleep, or cannot be looked at.
    pub(crate) fn is_stuck(&self, index: usize) -> bool {
        self.system.stat(self.members[index].pid).map_or(true, |stat| stat.is_stuck())
    }

    /// A descriptor that becomes readable when the process ends.
    pub(crate) fn end_fd(&self, index: usize) -> Option<BorrowedFd<'_>> {
        self.members[index].handle.as_ref().map(Handle::as_fd)
    }

    pub(crate) fn has_ended(&self, index: usize) -> bool {
        if let Some(fd) = self.end_fd(index) {
            // A refusal is no end.
            return poll::is_readable(fd).unwrap_or(false);
        }
        let member = &self.members[index];
        match self.system.stat(member.pid) {
            Ok(stat) => Some(stat.start) != member.start || stat.has_ended(),
            Err(error) => procfs::has_ended(&error),
        }
    }
}

impl<S: System> Tree<S> {
    pub(super) fn new(system: S, roots: impl Iterator<Item = (i32, S::Handle)>) -> Tree<S> {
        let members: Vec<_> = roots.map(|(pid, handle)| Member::root(pid, handle)).collect();
        Tree {
            system,
            by_pid: members.iter().enumerate().map(|(index, root)| (root.pid, index)).collect(),
            members,
            hidden: Vec::new(),
            zombies: HashSet::new(),
            new_children: 0,
            steps: Steps::default(),
            search: Search::default(),
        }
    }

    /// The numbers of the known processes, the roots first, then parents before children.
    #[cfg(test)]
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.pid.unsigned_abs()).collect()
    }

    /// Why there may be more than is known.
    pub(crate) fn unseen(&self) -> Option<Unseen> {
        self.search.unseen()
    }

    pub(super) fn add(&mut self, member: Member<S::Handle>) {
        self.by_pid.insert(member.pid, self.members.len());
        self.members.push(member);
    }

    pub(super) fn survivor(&self, index: usize, why: String) -> Survivor {
        let member = &self.members[index];
        // Its present name, if that can be read.
        let stat = self.system.stat(member.pid).ok();
        let stat = stat.filter(|stat| member.start.is_none_or(|start| start == stat.start));
        let name = stat.map_or_else(|| member.name.clone(), |stat| stat.name);
        Survivor { pid: member.pid.unsigned_abs(), name, why }
    }

    /// Signals a member; whether it was still there, alive or as a zombie.
    pub(super) fn send(&mut self, index: usize, signal: i32) -> io::Result<bool> {
        let (pid, start) = (self.members[index].pid, self.members[index].start);
        if let Some(handle) = &self.members[index].handle {
            let sent = was_there(self.system.signal(handle, signal));
            // Either a filter refused the call, or the process's user refuses the signal, and then kill(2) refuses it too: go on by
            // number, like without a descriptor.
            if sent.is_ok() || start.is_none() {
                return sent;
            }
        }
        let (handle, stat) = match self.open(pid, false) {
            Err(error) if has_ended(&error) => return Ok(false),
            opened => opened?,
        };
        let stat = match stat {
            Err(error) if has_ended(&error) => return Ok(false),
            stat => stat?,
        };
        if Some(stat.start) != start {
            return Ok(false);
        }
        match handle.map(|handle| was_there(self.system.signal(&handle, signal))) {
            Some(Ok(sent)) => Ok(sent),
            Some(Err(_)) | None => was_there(self.system.signal_number(pid, signal)),
        }
    }

    /// Whether the member is known not to have been reaped, so that its number is its own.
    pub(super) fn is_there(&mut self, index: usize) -> bool {
        match self.send(index, 0) {
            Ok(there) => there,
            // EPERM comes from a process that is there. Any other errno means that the question was refused.
            Err(error) => error.raw_os_error() == Some(libc::EPERM),
        }
    }

    /// A descriptor for the process that has this number, if there is one left, and its `stat`. In this order, so that the two are of one
    /// process if that is not reaped afterwards.
    pub(super) fn open(&mut self, pid: i32, keep: bool) -> io::Result<(Option<S::Handle>, io::Result<Stat>)> {
        let handle = self.with_room(|system| system.open(pid, keep))?;
        match self.system.stat(pid) {
            Err(error) if is_shortage(&error) => {
                // The handle may have taken the last descriptor.
                drop(handle);
                Ok((None, self.with_room(|system| system.stat(pid))))
            }
            stat => Ok((handle, stat)),
        }
    }

    /// Asks the system. When it has no descriptor left, this tree closes two that it keeps and asks again: their processes are then
    /// reached by number and start time.
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
        let closable =
            |member: &&mut Member<S::Handle>| member.handle.as_ref().is_some_and(|handle| system.is_closable(handle));
        let kept = self.members.iter_mut().rev().filter(closable).take(2);
        kept.map(|member| member.handle = None).count() > 0
    }
}

fn was_there(sent: io::Result<()>) -> io::Result<bool> {
    match sent {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
        Err(error) => Err(error),
    }
}
