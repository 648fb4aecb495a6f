//! Finding: the step from a process to its children. The module's first page says why what it finds is of the tree.

use std::io;

use super::Tree;
use super::member::Member;
use super::system::{Listing, System};
use crate::clock::Deadline;
use crate::procfs::stat::Stat;
use crate::procfs::{has_ended, is_shortage};

impl<S: System> Tree<S> {
    /// Looks for children of all that is known, and for theirs; how many were found.
    pub(crate) fn look(&mut self, budget: Deadline) -> usize {
        let known = self.members.len();
        if self.begin() {
            let mut index = 0;
            while index < self.members.len() && self.list(index, budget) {
                index += 1;
            }
        }
        self.members.len() - known
    }

    /// Whether there is anything to look at.
    pub(super) fn begin(&mut self) -> bool {
        let begun = self.with_room(S::begin);
        begun.map_err(|error| self.note(&error)).is_ok()
    }

    /// Takes in the children of one member. False where looking any further is of no use; the gap says why.
    pub(super) fn list(&mut self, index: usize, budget: Deadline) -> bool {
        if self.is_out_of_time(budget) {
            return false;
        }
        let pid = self.members[index].pid;
        let listed = match self.with_room(|system| system.children(pid)) {
            Ok(listing) => self.adopt_all(index, listing, budget),
            Err(error) if has_ended(&error) => Ok(()),
            Err(error) => Err(error),
        };
        match listed {
            Ok(()) => true,
            Err(error) => {
                self.note(&error);
                !is_shortage(&error)
            }
        }
    }

    fn adopt_all(&mut self, parent: usize, listing: Listing, budget: Deadline) -> io::Result<()> {
        let new: Vec<i32> = listing.pids.into_iter().filter(|&pid| self.is_new(pid)).collect();
        if new.is_empty() || !self.is_there(parent) {
            return Ok(());
        }
        for pid in new {
            if self.is_out_of_time(budget) {
                break;
            }
            self.moved += usize::from(self.adopt(parent, pid, listing.at)?);
        }
        Ok(())
    }

    fn is_new(&mut self, pid: i32) -> bool {
        if pid <= 1 || pid == self.system.own() {
            return false;
        }
        match self.by_pid.get(&pid) {
            // Once it is known to be gone, its number may be that of another one of the tree.
            Some(&index) => matches!(self.send(index, 0), Ok(false)),
            None => true,
        }
    }

    /// Takes in a child that was listed. Whether that was news: anything but one that was met before.
    fn adopt(&mut self, parent: usize, pid: i32, listed: u64) -> io::Result<bool> {
        let (handle, stat) = match self.meet(pid, true) {
            Err(error) if has_ended(&error) => return Ok(true),
            met => met?,
        };
        let stat = match stat {
            Err(error) if has_ended(&error) && !self.is_unreaped(handle.as_ref()) => return Ok(true),
            // There, and not to be seen: another user's, in a `/proc` that hides those.
            Err(error) if !is_shortage(&error) => return Ok(self.hidden.insert(pid.unsigned_abs())),
            stat => stat?,
        };
        if stat.start >= listed && !(stat.parent == self.members[parent].pid && self.is_there(parent)) {
            return Ok(true);
        }
        if stat.has_ended() {
            return Ok(self.zombies.insert((pid, stat.start)));
        }
        self.by_pid.insert(pid, self.members.len());
        let depth = self.members[parent].depth + 1;
        self.members.push(Member::new(pid, handle, Some(stat), depth));
        Ok(true)
    }

    /// Takes in a process that `belongs` to the tree by another mark than its parent. The mark is looked at when the descriptor is
    /// there, and the process is seen not to have been reaped after that: so both are of one.
    pub(super) fn take_in(&mut self, pid: i32, belongs: impl FnOnce(&Stat) -> bool) -> bool {
        self.meet_new(pid).is_some_and(|met| met.stat.as_ref().is_some_and(belongs) && self.keep(met))
    }

    /// One that is not known yet, and is not seen to have ended.
    pub(super) fn meet_new(&mut self, pid: i32) -> Option<Met<S::Handle>> {
        if !self.is_new(pid) {
            return None;
        }
        match self.meet(pid, true) {
            Ok((handle, Ok(stat))) if !stat.has_ended() => Some(Met { pid, handle, stat: Some(stat) }),
            Ok((_, Ok(_))) => None,
            Ok((_, Err(error))) | Err(error) if has_ended(&error) => None,
            Ok((handle, Err(error))) => {
                self.note(&error);
                handle.map(|handle| Met { pid, handle: Some(handle), stat: None })
            }
            Err(error) => {
                self.note(&error);
                None
            }
        }
    }

    /// Makes it a member, unless it has been reaped by now; whether it is one.
    pub(super) fn keep(&mut self, met: Met<S::Handle>) -> bool {
        let Met { pid, handle, stat } = met;
        if handle.is_some() && !self.is_unreaped(handle.as_ref()) {
            return false;
        }
        self.by_pid.insert(pid, self.members.len());
        self.members.push(Member::new(pid, handle, stat, 0));
        true
    }

    fn is_unreaped(&self, handle: Option<&S::Handle>) -> bool {
        let asked = handle.map(|handle| self.system.signal(handle, 0));
        asked.is_some_and(|asked| !asked.is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH)))
    }
}

/// One that may belong to the tree.
pub(super) struct Met<H> {
    pub(super) pid: i32,
    handle: Option<H>,
    /// `None`: it cannot be looked at, and is known by its handle alone.
    stat: Option<Stat>,
}
