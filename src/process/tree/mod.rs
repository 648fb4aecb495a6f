//! Process trees: what the processes of a run have started in turn, found and ended. Linux; elsewhere the roots alone.
//!
//! # How they are found
//! A process's children are in `/proc/PID/task/*/children`; where the kernel has no such files, a scan of every `/proc/PID/stat` tells
//! parents. A tree is walked from its roots, which are children of this process, and what was found once stays known: it is signalled
//! and killed also when its parent has ended since.
//!
//! # Why a reused number is never signalled
//! A number *is* a process for as long as the process is not reaped. A process descriptor names one process for good, and signal 0 over
//! it tells whether that process still has its number. So, for a process P that is known to be of the tree:
//! 1. the time is taken, then the numbers of P's children are read;
//! 2. P is not reaped after that: P had its number all the while, and the list is P's, no stranger's;
//! 3. of each number a descriptor is opened, then its `stat` is read. If that has a start before the time of 1, one process had the
//!    number when the list was read, when the descriptor was opened, and when the `stat` was read: it *is* P's child, and the
//!    descriptor is its own;
//! 4. one that started later, or in the same tick of the clock (10 ms), is taken if the `stat` says that P is its parent, and P is still
//!    not reaped. Should the descriptor be that of somebody who had the number just before, then that one is reaped, and no signal
//!    over the descriptor reaches anybody.
//!
//! From then on the descriptor is what gets signals. Without one (see [`system`]: too many, none to spare, a kernel or filter that refuses)
//! 3 and 4 hold all the same; a later signal goes to whoever has the number *and* the start time, over a descriptor that is opened for
//! that one signal, before the `stat` is read. A stranger would have to get the number within the tick in which the process started:
//! once round all numbers in 10 ms. Where no descriptor can be opened at all, the signal is a `kill` right after the look at the start
//! time; what may go wrong in between is that the process is reaped, the numbers go round once, and a stranger gets this one.
//!
//! The numbers 0, 1 and this process's own are never taken, whatever a list says.
//!
//! # What a kill guarantees
//! It looks, so that what is there is known also when there is no time for more; then it freezes: [`freeze`] says how. When that came to its end, no process below the roots, by parentage, ran any more, and all of
//! them were known; so none is missing among the killed, but for
//! - one whose parent had ended before it was found (a double fork; `setsid` alone does not matter), which the system gave to another
//!   parent: `init`, or a subreaper, which may be this process. With a subreaper *in* the tree it is found there;
//! - one that a process outside of the tree made for it (a service manager, `at`, a container's daemon).
//!
//! That, and what another user's process does, is why nobody here says "complete". [`Killed::gap`] says when not even that much is
//! true. Killed while its tree is frozen, this process leaves it frozen.
//!
//! # Cost
//! A lone child without children: 4 system calls a look (`statx`, then open, read and close of one file). [`Tree::ask_known`] between 2 looks is
//! 2 signals and 6 calls for the last number, 16 in all; [`Tree::kill`] a stop, a look at its state (4, again until it has stopped), a look, and the signal: 10 too. Each process
//! found costs 6, and 5 at each further look. Where there are no `children` files, a look costs 5 for each process there is. What the
//! system has is found out once, by 4, and that `/proc` shows this process once a tree, by one more.

mod ask;
mod freeze;
mod member;
#[cfg(test)]
mod model;
mod system;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::Process;
use crate::clock::Deadline;
use crate::procfs::stat::Stat;
use crate::procfs::{self, Unseen, is_shortage};
use crate::sys::poll::{Interest, wait_for};
use ask::Asking;
use member::Member;
use system::{Name, Proc, System};

/// Processes and what they have started in turn, as far as it was seen.
pub(crate) struct Tree<S: System = Proc> {
    system: S,
    /// The roots first, then parents before children.
    members: Vec<Member<S::Handle>>,
    by_pid: HashMap<i32, usize>,
    /// Children that cannot be looked at.
    hidden: BTreeSet<u32>,
    /// Zombies that were met, by number and start time.
    zombies: HashSet<(i32, u64)>,
    /// How often a child was met that was not known before, whether or not it was still there to be taken in.
    moved: usize,
    /// The step that was begun last.
    asking: Option<Asking>,
    /// The process group that is asked nothing.
    spared: Option<i32>,
    /// How many processes were looked at.
    looked: usize,
    gap: Option<Unseen>,
}

/// So many looks are had whatever the clock says: on a busy machine time passes without anything being done.
const AT_LEAST: usize = 256;

/// A process that did not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survivor {
    pub(crate) pid: u32,
    /// Of at most 15 bytes; empty where it cannot be read.
    pub(crate) name: String,
    pub(crate) why: String,
}

/// What a kill came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Killed {
    /// Those that got the signal or had ended already: the roots first, then parents before children.
    pub(crate) killed: Vec<u32>,
    pub(crate) survivors: Vec<Survivor>,
    /// Why more may be left than what cannot be seen at all.
    pub(crate) gap: Option<Unseen>,
}

impl Tree {
    /// A tree with these roots, at which nobody has looked yet.
    pub(crate) fn of(roots: &[Process]) -> Tree {
        Tree::new(Proc::default(), roots.iter().map(|root| (root.0.pid, Name::Root(root.clone()))))
    }

    /// Nobody's tree, for those that belong to it by another mark.
    pub(crate) fn empty() -> Tree {
        Tree::of(&[])
    }

    /// The numbers and names of all that is known.
    pub(crate) fn named(&self) -> Vec<(u32, String)> {
        self.members.iter().map(|member| (member.pid.unsigned_abs(), member.name.clone())).collect()
    }

    /// Takes in whoever has a mark that keeps its number; how many that were. Every process there is is looked at, as long as there is
    /// time.
    pub(crate) fn take_in_marked(&mut self, budget: Deadline, has_mark: impl Fn(&Stat) -> bool) -> usize {
        let found = match self.with_room(|_| system::scan(budget)) {
            Ok(found) => found,
            Err(error) => {
                self.note(&error);
                return 0;
            }
        };
        let marked = found.into_iter().filter(&has_mark).map(|stat| stat.pid);
        marked.map(|pid| usize::from(self.take_in(pid, &has_mark))).sum()
    }

    /// Takes in whoever is in a list; how many that were. Who is in it before and after a look at them was in it then. The list is by the
    /// numbers of this namespace, whatever `/proc` shows: with a descriptor that is enough.
    pub(crate) fn take_in_listed(&mut self, budget: Deadline, list: impl Fn() -> io::Result<Vec<i32>>) -> usize {
        let mut met = Vec::new();
        for pid in self.listed(&list) {
            if self.is_out_of_time(budget) {
                break;
            }
            met.extend(self.meet_new(pid));
        }
        if met.is_empty() {
            return 0;
        }
        let listed: HashSet<i32> = self.listed(&list).into_iter().collect();
        met.into_iter().map(|met| usize::from(listed.contains(&met.pid) && self.keep(met))).sum()
    }

    fn listed(&mut self, list: impl Fn() -> io::Result<Vec<i32>>) -> Vec<i32> {
        let listed = self.with_room(|_| list()).unwrap_or_else(|error| {
            self.note(&error);
            Vec::new()
        });
        if listed.contains(&0) {
            self.gap.get_or_insert(Unseen::Namespace);
        }
        listed
    }

    /// Takes in a process that can have something only from one of the tree; whether that was news. Not a child of this process without a
    /// program of its own: that may have it from the fork. (One with a program is an orphan that this process was given.)
    pub(crate) fn take_in_heir(&mut self, pid: u32, has_it: impl FnOnce() -> bool) -> bool {
        let own = self.system.own();
        i32::try_from(pid)
            .is_ok_and(|pid| self.take_in(pid, |stat| (stat.parent != own || stat.is_program) && has_it()))
    }

    /// One that has not ended.
    pub(crate) fn still_there(&self, index: usize) -> Survivor {
        self.survivor(index, "it has not ended".to_string())
    }

    /// Which are not among these survivors.
    pub(crate) fn all_but(&self, survivors: &[Survivor]) -> Vec<usize> {
        let survives = |index: &usize| survivors.iter().any(|it| it.pid == self.members[*index].pid.unsigned_abs());
        (0..self.members.len()).filter(|index| !survives(index)).collect()
    }

    /// Whether it is among those from the n-th on.
    pub(crate) fn has_from(&self, first: usize, pid: u32) -> bool {
        self.members[first..].iter().any(|member| member.pid.unsigned_abs() == pid)
    }

    /// How many were found, the roots included.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether this one, which was killed, cannot die for now: it is in an uninterruptible sleep. One that cannot be looked at counts as one.
    pub(crate) fn is_stuck(&self, index: usize) -> bool {
        self.system.stat(self.members[index].pid).map_or(true, |stat| stat.is_stuck())
    }

    /// What becomes readable when this one ends.
    pub(crate) fn end_fd(&self, index: usize) -> Option<BorrowedFd<'_>> {
        match self.members[index].handle.as_ref()? {
            Name::Root(process) => Some(process.end_fd()),
            Name::Pidfd(held) => Some(held.fd().as_fd()),
        }
    }

    pub(crate) fn has_ended(&self, index: usize) -> bool {
        let fd = match &self.members[index].handle {
            Some(Name::Root(process)) => process.end_fd(),
            Some(Name::Pidfd(held)) => held.fd().as_fd(),
            None => {
                let member = &self.members[index];
                return match self.system.stat(member.pid) {
                    Ok(stat) => Some(stat.start) != member.start || stat.has_ended(),
                    Err(error) => procfs::has_ended(&error),
                };
            }
        };
        // A refusal is no end.
        wait_for(fd, Interest::Readable, Deadline::after(Duration::ZERO)).unwrap_or(false)
    }
}

impl<S: System> Tree<S> {
    fn new(system: S, roots: impl Iterator<Item = (i32, S::Handle)>) -> Tree<S> {
        let members: Vec<_> = roots.map(|(pid, handle)| Member::root(pid, handle)).collect();
        let by_pid = members.iter().enumerate().map(|(index, root)| (root.pid, index)).collect();
        let (hidden, zombies) = (BTreeSet::new(), HashSet::new());
        Tree { system, members, by_pid, hidden, zombies, moved: 0, asking: None, spared: None, looked: 0, gap: None }
    }

    /// The numbers of what was found, the roots first, then parents before children.
    #[cfg(test)]
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.pid.unsigned_abs()).collect()
    }

    /// Why there may be more.
    pub(crate) fn gap(&self) -> Option<Unseen> {
        self.gap
    }

    /// Sends a signal to all that is known, parents first. Who refused; one that has ended does not.
    #[cfg(test)]
    pub(crate) fn signal(&mut self, signal: i32) -> Vec<Survivor> {
        let refused = (0..self.members.len()).filter_map(|index| Some((index, self.send(index, signal).err()?)));
        let refused: Vec<(usize, io::Error)> = refused.collect();
        refused.into_iter().map(|(index, error)| self.survivor(index, error.to_string())).collect()
    }

    /// Sends one signal to all that is there, parents first, and no other. Does not wait.
    pub(crate) fn tell(&mut self, signal: i32, budget: Deadline) {
        self.look(budget);
        for index in 0..self.members.len() {
            if !self.is_spared(index) {
                // What refuses has a user of its own, and is not to be stopped.
                let _ = self.send(index, signal);
            }
        }
    }

    fn survivor(&self, index: usize, why: String) -> Survivor {
        let member = &self.members[index];
        // What it is called by now, if that can be told.
        let stat = self.system.stat(member.pid).ok();
        let stat = stat.filter(|stat| member.start.is_none_or(|start| start == stat.start));
        let name = stat.map_or_else(|| member.name.clone(), |stat| stat.name);
        Survivor { pid: member.pid.unsigned_abs(), name, why }
    }

    /// Whether to look no further.
    fn is_out_of_time(&mut self, budget: Deadline) -> bool {
        self.looked += 1;
        let is_over = self.looked > AT_LEAST && budget.passed();
        if is_over {
            self.gap.get_or_insert(Unseen::Time);
        }
        is_over
    }

    fn note(&mut self, error: &io::Error) {
        let gap = if is_shortage(error) { Unseen::Descriptors } else { Unseen::Proc };
        // That a search was not possible says more than that it was not through.
        if !self.gap.is_some_and(Unseen::is_blind) {
            self.gap = Some(gap);
        }
    }
}
