//! Killing: all stopped first, so that none starts another one behind the sweep.
//!
//! SIGSTOP goes out level by level, from the roots down, and each level is waited for before the next gets it: a parent that is
//! stopped forks no more, ends no more, and does not see its children stop (a shell with job control would go on to its next
//! command). SIGSTOP is not immediate, and one thread may still finish a fork when another has stopped: "stopped" is read from
//! every thread's `stat`. Then the children of the stopped are listed. When nobody is left to stop, all are listed once more, since a
//! subreaper among them gets children while it is stopped; until a whole round meets nobody that was not known. One that has ended by
//! the time it is looked at counts as met: its children may have gone to a subreaper that had been listed already.
//!
//! So at the end all were stopped before the last round began, and it met known ones alone: that is the fixed point.
//!
//! A process that does not stop, being in an uninterruptible sleep, holds its level up for 100 ms at most, and is then listed as it is;
//! that is [`Unseen::Running`]. The parent of a vfork sleeps so until its child has its program, which is not kept from getting there:
//! it is a level below.

use super::member::Stop;
use super::system::System;
use super::{Killed, Survivor, Tree};
use crate::clock::Deadline;
use crate::procfs::{Unseen, has_ended};

impl<S: System> Tree<S> {
    /// Kills all that is known and what looks within the budget add, frozen first: SIGKILL, children before parents, so that no
    /// end of a session's leader continues those that are still stopped. Does not wait for the ends; [`Tree::wait`] does.
    ///
    /// The budget bounds the search. The sweep is not cut short: a SIGKILL costs no more than the SIGCONT that would have to take the
    /// place of it.
    pub(crate) fn kill(&mut self, budget: Deadline) -> Killed {
        self.look(budget);
        self.kill_what_is_known(budget)
    }

    /// The same behind a look.
    pub(crate) fn kill_what_is_known(&mut self, budget: Deadline) -> Killed {
        self.gap = None;
        // On a busy machine processes may take long to stop. Looking takes none of their time: what there is without the freeze, is
        // still found.
        self.freeze(budget.remaining().map_or(Deadline::NEVER, |left| Deadline::after(left / 2)));
        if self.gap.is_some() {
            self.look(budget);
        }
        let mut killed = Killed { killed: Vec::new(), survivors: Vec::new(), gap: None };
        self.sweep(0, &mut killed);
        let hidden = self.hidden.iter().filter(|pid| !killed.killed.contains(pid));
        let hidden =
            hidden.map(|&pid| Survivor { pid, name: String::new(), why: "it cannot be looked at".to_string() });
        killed.survivors.extend(hidden);
        Killed { gap: self.gap, ..killed }
    }

    /// SIGKILL to those from the n-th on, children before parents.
    pub(crate) fn sweep(&mut self, first: usize, swept: &mut Killed) {
        let (mut killed, mut survivors) = (Vec::new(), Vec::new());
        for index in (first..self.members.len()).rev() {
            match self.send(index, libc::SIGKILL) {
                Ok(_) => killed.push(self.members[index].pid.unsigned_abs()),
                Err(error) => {
                    survivors.push(self.survivor(index, error.to_string()));
                    self.thaw(index);
                }
            }
        }
        swept.killed.extend(killed.into_iter().rev());
        swept.survivors.extend(survivors.into_iter().rev());
    }

    /// Stops the tree, to a fixed point.
    pub(super) fn freeze(&mut self, budget: Deadline) {
        for member in &mut self.members {
            member.stop = Stop::NotYet;
        }
        loop {
            if budget.passed() {
                self.gap.get_or_insert(Unseen::Time);
                // Parents first, and no wait: one that has this before it takes note of a child's end does not go on to its next
                // command.
                let waiting = (0..self.members.len()).filter(|&index| self.members[index].stop == Stop::NotYet);
                waiting.collect::<Vec<_>>().into_iter().for_each(|index| self.stop(index));
                return;
            }
            let moved = self.moved;
            let which = match self.next_level() {
                Some(level) => {
                    for &index in &level {
                        self.stop(index);
                    }
                    self.wait_until_still(&level, budget);
                    level
                }
                None => (0..self.members.len()).collect(),
            };
            let is_all = which.len() == self.members.len();
            if !self.list_all(&which, budget) || (is_all && self.moved == moved) {
                return;
            }
        }
    }

    /// The members nearest to a root that were not told to stop.
    fn next_level(&self) -> Option<Vec<usize>> {
        let waiting = || self.members.iter().enumerate().filter(|(_, member)| member.stop == Stop::NotYet);
        let depth = waiting().map(|(_, member)| member.depth).min()?;
        Some(waiting().filter(|(_, member)| member.depth == depth).map(|(index, _)| index).collect())
    }

    fn list_all(&mut self, which: &[usize], budget: Deadline) -> bool {
        self.begin() && which.iter().all(|&index| self.list(index, budget))
    }

    fn stop(&mut self, index: usize) {
        self.members[index].stop = match self.send(index, libc::SIGSTOP) {
            Ok(true) => Stop::Sent,
            // Gone; or it refuses, and the sweep will be told the same.
            Ok(false) | Err(_) => Stop::InVain,
        };
    }

    fn thaw(&mut self, index: usize) {
        if self.members[index].stop == Stop::Sent {
            // It refused to be killed, which is reported.
            let _ = self.send(index, libc::SIGCONT);
        }
    }

    fn wait_until_still(&mut self, level: &[usize], budget: Deadline) {
        let until = budget.earlier(Deadline::after(self.system.patience()));
        let stopped = level.iter().copied().filter(|&index| self.members[index].stop == Stop::Sent);
        let mut running: Vec<usize> = stopped.collect();
        let mut times = 0;
        loop {
            let mut failed = None;
            running.retain(|&index| {
                let pid = self.members[index].pid;
                match self.with_room(|system| system.is_still(pid)) {
                    // Somebody else may have the number by now.
                    Ok(still) => !still && self.is_there(index),
                    Err(error) if has_ended(&error) => false,
                    Err(error) => {
                        failed = Some(error);
                        true
                    }
                }
            });
            if let Some(error) = failed {
                // Nothing to look with: it will be no better soon.
                return self.note(&error);
            }
            if running.is_empty() {
                return;
            }
            if until.passed() {
                self.gap.get_or_insert(Unseen::Running);
                return;
            }
            self.system.pause(times);
            times += 1;
        }
    }
}
