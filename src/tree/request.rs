//! Requests to exit: a signal that a process may answer, to each process once.
//!
//! What a process starts in answer (the command of a `trap`, a handler's subprocess) is its clean-up, and must not get the signal that it
//! answers. A process that was forked just before the signal, and that the look missed, must get it. A later look finds both. Two facts
//! that the kernel keeps of each process tell them apart: its start, in ticks of 10 ms, and its number.
//!
//! Right before the first signal goes out, the time and the last number that the kernel gave away are read. A process that
//! - started in an earlier tick, or
//! - started in the same tick, with a number that was given away between the beginning of the look and that reading,
//!
//! was begun before any signal was sent: it is no answer. The kernel gives numbers away in cyclic order, so "between" has a meaning unless
//! all of them are used up within a tick. A fork in flight when its process gets the signal is begun again after the handler
//! (`copy_process` returns ERESTARTNOINTR), with a new number. Every other process may be an answer, and is left alone until
//! [`request_rest`](Tree::request_rest). A process that was forked between the reading and the delivery to its parent is left alone, too: a
//! missing signal costs time, and a wrong one costs a clean-up.
//!
//! A fork that still runs its parent's program may still have its parent's handlers. They swallow the signal that is meant for the program
//! that it is about to run (dash does that, before it clears its traps). So a process that was such a copy when it was found, and runs a
//! program of its own by a later look, gets the signal then.
//!
//! The last number is in `/proc/sys/kernel/ns_last_pid`. `/proc/loadavg` has it too, but a container's may be made up (lxcfs). Where it
//! cannot be read, the tick decides alone.
//!
//! The kernel signals a process group in one call, forks in flight included (Linux 4.19). Its members are not signalled again.

use super::known::Tree;
use super::step::{Sent, Step};
use super::system::System;

impl<S: System> Tree<S> {
    /// Begins a step, before the look that finds the processes to signal.
    pub(crate) fn begin_request(&mut self, signal: i32) {
        let before = self.system.last_pid();
        self.steps.current = Some(Step { signal, before, sent: None, groups: Vec::new() });
        self.members.iter_mut().for_each(|member| member.delivery.is_done = false);
    }

    /// Sends the step's signal to all known processes, then SIGCONT for those that are stopped, parents first; `signal_groups` sends both
    /// to these groups. Does not wait.
    pub(crate) fn request_known(&mut self, groups: Vec<i32>, signal_groups: impl FnOnce(i32)) {
        let Some(mut step) = self.steps.current.take() else { return };
        step.groups = groups;
        // Before the groups are signalled: a process may answer by leaving its group.
        let alone: Vec<usize> = (0..self.members.len()).filter(|&index| !self.has_it_by_group(index, &step)).collect();
        step.sent = Some(Sent { at: self.system.now(), last: self.system.last_pid() });
        signal_groups(step.signal);
        self.request(&alone, step.signal);
        self.members.iter_mut().for_each(|member| member.delivery.is_done = true);
        self.steps.current = Some(step);
    }

    /// Does the same to the processes that were found since and were begun before the first signal was sent.
    pub(crate) fn request_older(&mut self) {
        let Some(step) = self.steps.current.take() else { return };
        let older = |index: &usize| {
            let member = &self.members[*index];
            !member.delivery.is_done && member.start.is_some_and(|start| step.is_older(start, member.pid))
        };
        let older: Vec<usize> = (0..self.members.len()).filter(older).collect();
        let alone: Vec<usize> = older.iter().copied().filter(|&index| !self.has_it_by_group(index, &step)).collect();
        let renewed: Vec<usize> = (0..self.members.len()).filter(|&index| self.is_renewed(index)).collect();
        renewed.iter().for_each(|&index| self.members[index].delivery.to_copy = false);
        self.request(&[alone, renewed].concat(), step.signal);
        older.into_iter().for_each(|index| self.members[index].delivery.is_done = true);
        self.steps.current = Some(step);
    }

    /// Does the same to all others. This is for the time when the processes whose clean-up they may be have ended.
    pub(crate) fn request_rest(&mut self) {
        let Some(signal) = self.steps.current.as_ref().map(|step| step.signal) else { return };
        let rest: Vec<usize> = (0..self.members.len()).filter(|&index| !self.members[index].delivery.is_done).collect();
        self.request(&rest, signal);
        rest.into_iter().for_each(|index| self.members[index].delivery.is_done = true);
    }

    /// Excepts this process group from requests, because it has the signal already. A kill excepts nothing.
    pub(crate) fn spare(&mut self, group: Option<i32>) {
        self.steps.already_signalled = group;
    }

    /// Sends one signal to all processes that are there, parents first, and no other. Does not wait.
    #[cfg(feature = "forward")]
    pub(crate) fn signal_all(&mut self, signal: i32, budget: crate::clock::Deadline) {
        self.look(budget);
        for index in 0..self.members.len() {
            let in_group = |group| self.system.stat(self.members[index].pid).is_ok_and(|stat| stat.group == group);
            if !self.steps.already_signalled.is_some_and(in_group) {
                // A process that refuses runs as another user, and is not to be stopped.
                let _ = self.send(index, signal);
            }
        }
    }

    fn request(&mut self, which: &[usize], signal: i32) {
        for signal in [signal, libc::SIGCONT] {
            for &index in which {
                // A process that refuses is found to be alive when the grace is over.
                let _ = self.send(index, signal);
            }
        }
    }

    /// Whether the signal went to a copy of its parent that runs a program of its own by now.
    fn is_renewed(&self, index: usize) -> bool {
        let member = &self.members[index];
        let runs_own =
            || self.system.stat(member.pid).is_ok_and(|stat| stat.is_program && Some(stat.start) == member.start);
        member.delivery.is_done && member.delivery.to_copy && runs_own()
    }

    fn has_it_by_group(&self, index: usize, step: &Step) -> bool {
        if step.groups.is_empty() && self.steps.already_signalled.is_none() {
            return false;
        }
        let group = self.system.stat(self.members[index].pid).ok().map(|stat| stat.group);
        group.is_some_and(|group| step.groups.contains(&group) || self.steps.already_signalled == Some(group))
    }
}
