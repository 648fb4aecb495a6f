//! Killing: the whole tree is stopped first, so that no process starts another one behind the sweep.
//!
//! SIGSTOP goes out level by level, from the roots down, and each level is waited for before the next gets it. A stopped parent forks no
//! more, does not end, and does not see its children stop (a shell with job control would go on to its next command). SIGSTOP is not
//! immediate, and one thread may still finish a fork when another has stopped, so "stopped" is read from every thread's `stat`. Then
//! the children of the stopped are listed. When no process is left to stop, all are listed once more, since a subreaper among them gets
//! children while it is stopped. This is repeated until a whole round finds no new process. A process that has ended by the time of the
//! look counts as new: its children may have gone to a subreaper that was listed before.
//!
//! At the end all were stopped before the last round began, and it found no new process: that is the fixed point.
//!
//! A process that does not stop, because it is in an uninterruptible sleep, holds its level up for 100 ms at most, and is then listed as it
//! is; that is [`Unseen::Running`]. The parent of a vfork sleeps so until its child runs its program. The child gets there, because it
//! is a level below and still runs.

use super::known::{Survivor, Tree};
use super::member::Suspension;
use super::system::System;
use crate::clock::Deadline;
use crate::procfs::{Unseen, has_ended};

/// What a kill came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Killed {
    /// The processes that got the signal or had ended already: the roots first, then parents before children.
    pub(crate) killed: Vec<u32>,
    pub(crate) survivors: Vec<Survivor>,
    /// Why more may be left than what cannot be seen at all.
    pub(crate) unseen: Option<Unseen>,
}

impl<S: System> Tree<S> {
    /// Freezes all known processes and those that looks within the budget add, then sends SIGKILL, children before parents: the end of a
    /// session's leader would continue processes that are still stopped. Does not wait for the ends.
    ///
    /// The budget bounds the search. The sweep is not cut short: each SIGKILL that is left out would need a SIGCONT instead.
    pub(crate) fn kill(&mut self, budget: Deadline) -> Killed {
        self.look(budget);
        self.kill_what_is_known(budget)
    }

    /// Does the same after a look.
    pub(crate) fn kill_what_is_known(&mut self, budget: Deadline) -> Killed {
        self.search.forget_unseen();
        // On a busy machine processes may take long to stop. Half of the budget is left for a look without the freeze.
        self.freeze(budget.remaining().map_or(Deadline::NEVER, |left| Deadline::after(left / 2)));
        if self.unseen().is_some() {
            self.look(budget);
        }
        let mut killed = Killed { killed: Vec::new(), survivors: Vec::new(), unseen: None };
        self.sweep(0, &mut killed);
        let hidden = self.hidden.iter().filter(|pid| !killed.killed.contains(pid));
        let hidden =
            hidden.map(|&pid| Survivor { pid, name: String::new(), why: "it cannot be looked at".to_string() });
        killed.survivors.extend(hidden);
        Killed { unseen: self.unseen(), ..killed }
    }

    /// Sends SIGKILL to the members from `first` on, children before parents.
    pub(crate) fn sweep(&mut self, first: usize, swept: &mut Killed) {
        let (mut killed, mut survivors) = (Vec::new(), Vec::new());
        for index in (first..self.members.len()).rev() {
            match self.send(index, libc::SIGKILL) {
                Ok(_) => {
                    self.members[index].delivery.is_done = true;
                    killed.push(self.members[index].pid.unsigned_abs());
                }
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
            member.suspension = Suspension::NotYet;
        }
        loop {
            if budget.passed() {
                self.search.missed(Unseen::Time);
                // Parents first and without a wait: a shell that gets this before it sees a child's end does not go on to its next
                // command.
                let waiting = (0..self.members.len()).filter(|&i| self.members[i].suspension == Suspension::NotYet);
                waiting.collect::<Vec<_>>().into_iter().for_each(|index| self.stop(index));
                return;
            }
            let known = self.new_children;
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
            if !self.list_all(&which, budget) || (is_all && self.new_children == known) {
                return;
            }
        }
    }

    /// The members nearest to a root that were sent no SIGSTOP.
    fn next_level(&self) -> Option<Vec<usize>> {
        let waiting = || self.members.iter().enumerate().filter(|(_, member)| member.suspension == Suspension::NotYet);
        let depth = waiting().map(|(_, member)| member.depth).min()?;
        Some(waiting().filter(|(_, member)| member.depth == depth).map(|(index, _)| index).collect())
    }

    fn list_all(&mut self, which: &[usize], budget: Deadline) -> bool {
        self.begin() && which.iter().all(|&index| self.list(index, budget))
    }

    fn stop(&mut self, index: usize) {
        self.members[index].suspension = match self.send(index, libc::SIGSTOP) {
            Ok(true) => Suspension::Sent,
            // It is gone, or it refuses, and then the sweep gets the same refusal.
            Ok(false) | Err(_) => Suspension::InVain,
        };
    }

    fn thaw(&mut self, index: usize) {
        if self.members[index].suspension == Suspension::Sent {
            // It refused SIGKILL, which is reported.
            let _ = self.send(index, libc::SIGCONT);
        }
    }

    fn wait_until_still(&mut self, level: &[usize], budget: Deadline) {
        let until = budget.earlier(Deadline::after(self.system.patience()));
        let stopped = level.iter().copied().filter(|&index| self.members[index].suspension == Suspension::Sent);
        let mut running: Vec<usize> = stopped.collect();
        let mut times = 0;
        loop {
            let mut failed = None;
            running.retain(|&index| {
                let pid = self.members[index].pid;
                match self.with_room(|system| system.is_still(pid)) {
                    // Another process may have the number by now.
                    Ok(still) => !still && self.is_there(index),
                    Err(error) if has_ended(&error) => false,
                    Err(error) => {
                        failed = Some(error);
                        true
                    }
                }
            });
            if let Some(error) = failed {
                // There is no descriptor to look with, and there will not be one soon.
                return self.search.failed(&error);
            }
            if running.is_empty() {
                return;
            }
            if until.passed() {
                self.search.missed(Unseen::Running);
                return;
            }
            self.system.pause(times);
            times += 1;
        }
    }
}
