//! Asking: a signal that a process may answer, to each process once.
//!
//! What a process starts in answer (the command of a `trap`, a handler's subprocess) is its clean-up, and must not get the signal that it
//! answers. What was forked just before the signal, and was not seen by the look, must. A later look finds both. They are told apart by
//! two facts that the kernel keeps of each process: when it was started, in ticks of 10 ms, and its number.
//!
//! Right before the first signal goes out, the time and the last number that was given away are read. So whatever
//! - started in an earlier tick, or
//! - started in the same tick, with a number that was given away between the beginning of the look and that reading,
//!
//! was begun before any signal was sent: it is no answer. Numbers are given away in cyclic order, so "between" means something unless all
//! of them are used up within a tick. A fork in flight when its process gets the signal is begun again after the handler
//! (`copy_process` returns ERESTARTNOINTR), with a new number. All else may be an answer, and is left alone until
//! [`ask_rest`](Tree::ask_rest). So is what was forked between the reading and the delivery to its parent: a signal that is missing
//! costs time, one too many costs a clean-up.
//!
//! A fork that runs its parent's program may still have its parent's handlers, which swallow the signal for the program that it is about to
//! run (dash, before it clears its traps). So what was such a copy when it was found, and runs a program of its own by a later look,
//! gets the signal then.
//!
//! The last number is `/proc/sys/kernel/ns_last_pid`. `/proc/loadavg` has it too, but a container's may be made up (lxcfs). Where it cannot be
//! read, the tick alone tells.
//!
//! A process group gets the signal from the kernel by one call, forks in flight included (Linux 4.19). Its members are not signalled again.

use super::Tree;
use super::system::System;

/// A step of asking.
pub(super) struct Asking {
    signal: i32,
    /// The last number that was given away before the look.
    before: Option<i32>,
    sent: Option<Sent>,
    /// The process groups that got it as such.
    groups: Vec<i32>,
}

/// Right before the first signal went out.
struct Sent {
    /// In ticks since boot.
    at: u64,
    last: Option<i32>,
}

impl Asking {
    /// Whether a process with this start and number was begun before the first signal was sent.
    fn is_older(&self, start: u64, pid: i32) -> bool {
        let Some(Sent { at, last }) = self.sent else { return false };
        let given_before =
            |(before, last)| if before <= last { before < pid && pid <= last } else { pid > before || pid <= last };
        start < at || (start == at && self.before.zip(last).is_some_and(given_before))
    }
}

impl<S: System> Tree<S> {
    /// Begins a step, before the look that finds whom to ask.
    pub(crate) fn begin_asking(&mut self, signal: i32) {
        let before = self.system.last_pid();
        self.asking = Some(Asking { signal, before, sent: None, groups: Vec::new() });
        self.members.iter_mut().for_each(|member| member.is_asked = false);
    }

    /// Sends the step's signal to all that is known, then SIGCONT for those that are stopped, parents first; `strike` sends both to these
    /// groups. Does not wait.
    pub(crate) fn ask_known(&mut self, groups: Vec<i32>, strike: impl FnOnce(i32)) {
        let Some(mut asking) = self.asking.take() else { return };
        asking.groups = groups;
        let known: Vec<usize> = (0..self.members.len()).collect();
        // Before the strike: an answer may be to leave the group.
        let alone: Vec<usize> = known.iter().copied().filter(|&index| !self.has_it_by_group(index, &asking)).collect();
        asking.sent = Some(Sent { at: self.system.now(), last: self.system.last_pid() });
        strike(asking.signal);
        self.send_asked(&alone, asking.signal);
        known.into_iter().for_each(|index| self.members[index].is_asked = true);
        self.asking = Some(asking);
    }

    /// The same to those that were found since and were begun before the first signal was sent.
    pub(crate) fn ask_older(&mut self) {
        let Some(asking) = self.asking.take() else { return };
        let older = |index: &usize| {
            let member = &self.members[*index];
            !member.is_asked && member.start.is_some_and(|start| asking.is_older(start, member.pid))
        };
        let older: Vec<usize> = (0..self.members.len()).filter(older).collect();
        let alone: Vec<usize> = older.iter().copied().filter(|&index| !self.has_it_by_group(index, &asking)).collect();
        let renewed: Vec<usize> = (0..self.members.len()).filter(|&index| self.has_renewed(index)).collect();
        renewed.iter().for_each(|&index| self.members[index].is_copy = false);
        self.send_asked(&[alone, renewed].concat(), asking.signal);
        older.into_iter().for_each(|index| self.members[index].is_asked = true);
        self.asking = Some(asking);
    }

    /// The same to whatever has not had it. For when the processes whose clean-up it may be have ended.
    pub(crate) fn ask_rest(&mut self) {
        let Some(signal) = self.asking.as_ref().map(|asking| asking.signal) else { return };
        let rest: Vec<usize> = (0..self.members.len()).filter(|&index| !self.members[index].is_asked).collect();
        self.send_asked(&rest, signal);
        rest.into_iter().for_each(|index| self.members[index].is_asked = true);
    }

    /// From now on, what is in this process group is asked nothing, because it has been told already; killed it is like the others.
    pub(crate) fn spare(&mut self, group: Option<i32>) {
        self.spared = group;
    }

    fn send_asked(&mut self, which: &[usize], signal: i32) {
        for signal in [signal, libc::SIGCONT] {
            for &index in which {
                // What refuses is seen when the grace is over.
                let _ = self.send(index, signal);
            }
        }
    }

    /// Whether the signal went to a copy of its parent, and it runs a program of its own by now.
    fn has_renewed(&self, index: usize) -> bool {
        let member = &self.members[index];
        let runs_own =
            || self.system.stat(member.pid).is_ok_and(|stat| stat.is_program && Some(stat.start) == member.start);
        member.is_asked && member.is_copy && runs_own()
    }

    fn has_it_by_group(&self, index: usize, asking: &Asking) -> bool {
        if asking.groups.is_empty() && self.spared.is_none() {
            return false;
        }
        let group = self.system.stat(self.members[index].pid).ok().map(|stat| stat.group);
        group.is_some_and(|group| asking.groups.contains(&group) || self.spared == Some(group))
    }

    /// Whether this one is asked nothing.
    pub(super) fn is_spared(&self, index: usize) -> bool {
        let in_group = |group| self.system.stat(self.members[index].pid).is_ok_and(|stat| stat.group == group);
        self.spared.is_some_and(in_group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_before_the_signal_is_told_by_its_tick_and_its_number() {
        let asking = |before, last| {
            let sent = Some(Sent { at: 5, last });
            Asking { signal: 15, before, sent, groups: Vec::new() }
        };
        for (before, last, start, pid, older) in [
            (Some(10), Some(12), 4, 99, true),
            (Some(10), Some(12), 6, 11, false),
            (Some(10), Some(12), 5, 10, false),
            (Some(10), Some(12), 5, 11, true),
            (Some(10), Some(12), 5, 12, true),
            (Some(10), Some(12), 5, 13, false),
            (Some(10), Some(10), 5, 10, false),
            (Some(98), Some(3), 5, 99, true),
            (Some(98), Some(3), 5, 2, true),
            (Some(98), Some(3), 5, 4, false),
            (None, Some(12), 5, 11, false),
            (Some(10), None, 5, 11, false),
        ] {
            assert_eq!(asking(before, last).is_older(start, pid), older, "{before:?} {last:?} {start} {pid}");
        }
        assert!(
            !Asking { signal: 15, before: None, sent: None, groups: Vec::new() }.is_older(0, 1),
            "nothing was sent yet"
        );
    }
}
