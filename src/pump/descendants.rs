//! What the processes of a run have started in turn, and who else is in their container, while the run is being ended.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use super::leak::unseen_by;
use crate::clock::Deadline;
use crate::fd::{Holder, HolderSearch};
use crate::process::Process;
use crate::process::contain::{self, Container};
use crate::process::tree::{Survivor, Tree};
use crate::procfs::Unseen;

/// How long a search may take, so that it costs a bound on a run's time nothing to speak of; and in a drop.
const BUDGET: Duration = Duration::from_millis(30);
const HOLDERS_BUDGET: Duration = Duration::from_millis(60);
const DROP_BUDGET: Duration = Duration::from_millis(20);

pub(super) struct Descendants {
    tree: Tree,
    container: Option<Arc<Container>>,
    /// Those that have not ended, as far as is known.
    left: Vec<usize>,
    /// Those that a kill did not reach.
    survivors: Vec<Survivor>,
    /// Why there may be more of those who hold the pipes.
    unseen: Option<Unseen>,
}

impl Descendants {
    /// Those of these processes.
    pub(super) fn of(roots: &[Process], container: Option<&Arc<Container>>) -> Descendants {
        Descendants {
            tree: Tree::of(roots),
            container: container.cloned(),
            left: Vec::new(),
            survivors: Vec::new(),
            unseen: None,
        }
    }

    /// Asks them to end, and what they have started; then those who hold one of the run's pipes and are nobody's descendants any more:
    /// these are returned, with the place of the pipe. A group that is spared gets nothing.
    pub(super) fn ask(&mut self, signal: i32, spared: Option<i32>, pipes: &[BorrowedFd<'_>]) -> Vec<(usize, Holder)> {
        self.tree.spare(spared);
        contain::ask(&mut self.tree, self.container.as_deref(), signal, Deadline::after(BUDGET));
        let known = self.tree.len();
        let strangers = self.take_in_holders(pipes);
        if self.tree.len() > known {
            self.tree.ask_from(known, signal, Deadline::after(BUDGET));
        }
        self.left = (0..self.tree.len()).collect();
        strangers
    }

    /// Kills all of them, and what they have started meanwhile; the rest as [`ask`](Self::ask).
    pub(super) fn kill(&mut self, pipes: &[BorrowedFd<'_>]) -> Vec<(usize, Holder)> {
        let strangers = self.take_in_holders(pipes);
        let until = Deadline::after(BUDGET);
        self.survivors = contain::kill(&mut self.tree, self.container.as_deref(), until).killed.survivors;
        self.left = (0..self.tree.len()).collect();
        strangers
    }

    pub(super) fn kill_briefly(&mut self) {
        self.survivors =
            contain::kill(&mut self.tree, self.container.as_deref(), Deadline::after(DROP_BUDGET)).killed.survivors;
    }

    /// Only a process that got it from one of the run can have an end of a pipe that was made for the run.
    fn take_in_holders(&mut self, pipes: &[BorrowedFd<'_>]) -> Vec<(usize, Holder)> {
        let until = Deadline::after(HOLDERS_BUDGET);
        let mut strangers = Vec::new();
        let first = self.tree.len();
        for (index, pipe) in pipes.iter().enumerate() {
            let search = HolderSearch::new().budget(until.remaining().unwrap_or_default()).in_any_case();
            let searched = search.run(pipe);
            self.unseen = self.unseen.or(unseen_by(&searched));
            // Without a descriptor to look with, or the right to, they are left.
            let Ok(holders) = searched else { continue };
            for holder in holders.found {
                let found = self.tree.take_in_heir(holder.pid, || search.finds(pipe, holder.pid));
                if found || self.tree.has_from(first, holder.pid) {
                    strangers.push((index, holder));
                }
            }
        }
        strangers
    }

    pub(super) fn wait(&mut self, until: Deadline) {
        // Who does not die in time is left.
        let _ = self.tree.wait(until);
    }

    pub(super) fn named(&self) -> Vec<(u32, String)> {
        self.tree.named()
    }

    /// What becomes readable when one of them ends. One that has no descriptor is waited for as long as there is time.
    pub(super) fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.left.iter().filter_map(|&index| self.tree.end_fd(index))
    }

    /// Looks who has ended.
    pub(super) fn look(&mut self) {
        let tree = &self.tree;
        self.left.retain(|&index| !tree.has_ended(index));
    }

    pub(super) fn are_gone(&self) -> bool {
        self.left.is_empty()
    }

    /// Those that a kill did not reach, and why there may be more.
    pub(super) fn into_rest(self) -> (Vec<Survivor>, Option<Unseen>) {
        (self.survivors, self.tree.gap().or(self.unseen))
    }
}
