//! What the processes of a run have started in turn, while the run is being ended.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::clock::Deadline;
use crate::process::Process;
use crate::process::tree::{self, Survivor, Tree};

/// How long a search may take, so that it costs a bound on a run's time nothing to speak of; and in a drop.
const BUDGET: Duration = Duration::from_millis(30);
const DROP_BUDGET: Duration = Duration::from_millis(10);

pub(super) struct Descendants {
    tree: Tree,
    /// Those that have not ended, as far as is known.
    left: Vec<usize>,
    /// Those that a kill did not reach.
    survivors: Vec<Survivor>,
}

impl Descendants {
    /// Asks these processes and what they have started to end.
    pub(super) fn terminate(roots: &[Process]) -> Descendants {
        let tree = tree::terminate(roots, Deadline::after(BUDGET));
        Descendants { left: (0..tree.len()).collect(), tree, survivors: Vec::new() }
    }

    /// Kills all of them, and what they have started meanwhile.
    pub(super) fn kill(&mut self) {
        self.survivors = self.tree.kill(Deadline::after(BUDGET)).survivors;
        self.left = (0..self.tree.len()).collect();
    }

    pub(super) fn kill_briefly(&mut self) {
        self.survivors = self.tree.kill(Deadline::after(DROP_BUDGET)).survivors;
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

    pub(super) fn into_survivors(self) -> Vec<Survivor> {
        self.survivors
    }
}

/// Kills processes and what they have started, in the time that a drop has.
pub(super) fn kill_briefly(roots: &[Process]) {
    if !roots.is_empty() {
        // What survives is left to the reaper, and nobody is there to be told.
        let _ = tree::kill(roots, Deadline::after(DROP_BUDGET));
    }
}
