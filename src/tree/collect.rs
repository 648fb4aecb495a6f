//! Taking in processes that belong to a tree by another mark than their parent: a group, a session, a cgroup, a pipe.

use std::io;

use super::known::Tree;
use super::member::{Member, Origin};
use super::system::{self, System};
use crate::clock::Deadline;
use crate::procfs::stat::Stat;
use crate::procfs::{Unseen, has_ended};

/// A process that may belong to the tree.
struct Candidate<H> {
    pid: i32,
    handle: Option<H>,
    /// `None`: its `stat` cannot be read, and the handle alone names it.
    stat: Option<Stat>,
}

impl Tree {
    /// Takes in the processes that have a mark which keeps its number, and returns how many there were. Looks at every process of the
    /// system, as long as there is time.
    pub(crate) fn take_in_marked(&mut self, budget: Deadline, has_mark: impl Fn(&Stat) -> bool) -> usize {
        let found = match self.with_room(|_| system::scan(budget)) {
            Ok(found) => found,
            Err(error) => {
                self.search.failed(&error);
                return 0;
            }
        };
        let marked = found.into_iter().filter(&has_mark).map(|stat| stat.pid);
        marked.map(|pid| usize::from(self.take_in(pid, &has_mark))).sum()
    }

    /// Takes in the processes of a list, and returns how many there were. A process that is listed before and after a look at it was in
    /// the list at the look. The numbers are those of this namespace, whatever `/proc` shows: a descriptor suffices.
    pub(crate) fn take_in_listed(&mut self, budget: Deadline, list: impl Fn() -> io::Result<Vec<i32>>) -> usize {
        let mut candidates = Vec::new();
        for pid in self.listed(&list) {
            if self.search.is_out_of_time(budget) {
                break;
            }
            candidates.extend(self.candidate(pid));
        }
        if candidates.is_empty() {
            return 0;
        }
        let mut listed = self.listed(&list);
        listed.sort_unstable();
        let still_listed = |pid: &i32| listed.binary_search(pid).is_ok();
        candidates.into_iter().map(|it| usize::from(still_listed(&it.pid) && self.keep(it))).sum()
    }

    fn listed(&mut self, list: impl Fn() -> io::Result<Vec<i32>>) -> Vec<i32> {
        let listed = self.with_room(|_| list()).unwrap_or_else(|error| {
            self.search.failed(&error);
            Vec::new()
        });
        if listed.contains(&0) {
            self.search.missed(Unseen::Namespace);
        }
        listed
    }

    /// Takes in a process that has something which only a process of the tree can have passed on; whether it was new. A child of this
    /// process that runs no program of its own is left out: it may have the thing from the fork. (A child with a program is an orphan
    /// that this process was given.)
    pub(crate) fn take_in_heir(&mut self, pid: u32, has_it: impl FnOnce() -> bool) -> bool {
        let own = self.system.own();
        i32::try_from(pid)
            .is_ok_and(|pid| self.take_in(pid, |stat| (stat.parent != own || stat.is_program) && has_it()))
    }

    /// The mark is looked at when the descriptor is there, and the process is seen not to have been reaped after that: both are of one
    /// process.
    fn take_in(&mut self, pid: i32, belongs: impl FnOnce(&Stat) -> bool) -> bool {
        self.candidate(pid).is_some_and(|it| it.stat.as_ref().is_some_and(belongs) && self.keep(it))
    }

    /// The process with this number, if it is not known yet and not seen to have ended.
    fn candidate(&mut self, pid: i32) -> Option<Candidate<system::Handle>> {
        if !self.is_new(pid) {
            return None;
        }
        match self.open(pid, true) {
            Ok((handle, Ok(stat))) if !stat.has_ended() => Some(Candidate { pid, handle, stat: Some(stat) }),
            Ok((_, Ok(_))) => None,
            Ok((_, Err(error))) | Err(error) if has_ended(&error) => None,
            Ok((handle, Err(error))) => {
                self.search.failed(&error);
                handle.map(|handle| Candidate { pid, handle: Some(handle), stat: None })
            }
            Err(error) => {
                self.search.failed(&error);
                None
            }
        }
    }

    /// Makes it a member, unless it has been reaped by now; whether it is one.
    fn keep(&mut self, candidate: Candidate<system::Handle>) -> bool {
        let Candidate { pid, handle, stat } = candidate;
        if handle.is_some() && !self.is_unreaped(handle.as_ref()) {
            return false;
        }
        // A process with another parent was started by that one. A child of this process may be one that the host started.
        let is_descendant = stat.as_ref().is_some_and(|stat| stat.parent != self.system.own());
        let origin = if is_descendant { Origin::Descendant } else { Origin::Own };
        self.add(Member::new(pid, handle, stat, 0, origin));
        true
    }
}
