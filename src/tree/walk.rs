//! The step from a process to its children. The module's page says why what it finds is of the tree.

use std::io;

use super::known::Tree;
use super::member::{Member, Origin};
use super::system::{Listing, System};
use crate::clock::Deadline;
use crate::procfs::{has_ended, is_shortage};

impl<S: System> Tree<S> {
    /// Looks for children of all known processes, and for theirs.
    pub(crate) fn look(&mut self, budget: Deadline) {
        if self.begin() {
            let mut index = 0;
            while index < self.members.len() && self.list(index, budget) {
                index += 1;
            }
        }
    }

    /// Prepares a round of looks; whether one is possible.
    pub(super) fn begin(&mut self) -> bool {
        let begun = self.with_room(S::begin);
        begun.map_err(|error| self.search.failed(&error)).is_ok()
    }

    /// Takes in the children of one member. False where a further look is of no use; the search holds the reason.
    pub(super) fn list(&mut self, index: usize, budget: Deadline) -> bool {
        if self.search.is_out_of_time(budget) {
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
                self.search.failed(&error);
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
            if self.search.is_out_of_time(budget) {
                break;
            }
            self.new_children += usize::from(self.adopt(parent, pid, listing.at)?);
        }
        Ok(())
    }

    pub(super) fn is_new(&mut self, pid: i32) -> bool {
        if pid <= 1 || pid == self.system.own() {
            return false;
        }
        match self.by_pid.get(&pid) {
            // Once a member is known to be gone, another process of the tree may have its number.
            Some(&index) => matches!(self.send(index, 0), Ok(false)),
            None => true,
        }
    }

    /// Takes in a listed child; whether it was new, also if it has ended since.
    fn adopt(&mut self, parent: usize, pid: i32, listed: u64) -> io::Result<bool> {
        let (handle, stat) = match self.open(pid, true) {
            Err(error) if has_ended(&error) => return Ok(true),
            opened => opened?,
        };
        let stat = match stat {
            Err(error) if has_ended(&error) && !self.is_unreaped(handle.as_ref()) => return Ok(true),
            // It is there and its `stat` is not: another user's process, in a `/proc` that hides those.
            Err(error) if !is_shortage(&error) => {
                let is_new = !self.hidden.contains(&pid.unsigned_abs());
                self.hidden.extend(is_new.then_some(pid.unsigned_abs()));
                return Ok(is_new);
            }
            stat => stat?,
        };
        if stat.start >= listed && !(stat.parent == self.members[parent].pid && self.is_there(parent)) {
            return Ok(true);
        }
        if stat.has_ended() {
            return Ok(self.zombies.insert((pid, stat.start)));
        }
        let depth = self.members[parent].depth + 1;
        self.add(Member::new(pid, handle, Some(stat), depth, Origin::Descendant));
        Ok(true)
    }

    pub(super) fn is_unreaped(&self, handle: Option<&S::Handle>) -> bool {
        let sent = handle.map(|handle| self.system.signal(handle, 0));
        sent.is_some_and(|sent| !sent.is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH)))
    }
}
