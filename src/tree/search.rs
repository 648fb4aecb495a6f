//! How far the looks at a tree came, and what they could not see.

use std::io;

use crate::clock::Deadline;
use crate::procfs::{Unseen, is_shortage};

/// The number of processes that are looked at whatever the clock says: on a busy machine time passes in which this thread did nothing.
const AT_LEAST: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Search {
    looked: usize,
    unseen: Option<Unseen>,
}

impl Search {
    pub(super) fn unseen(&self) -> Option<Unseen> {
        self.unseen
    }

    pub(super) fn forget_unseen(&mut self) {
        self.unseen = None;
    }

    /// Counts one look; whether to look no further.
    pub(super) fn is_out_of_time(&mut self, budget: Deadline) -> bool {
        self.looked += 1;
        let is_over = self.looked > AT_LEAST && budget.passed();
        if is_over {
            self.missed(Unseen::Time);
        }
        is_over
    }

    /// The first reason stays.
    pub(super) fn missed(&mut self, unseen: Unseen) {
        self.unseen.get_or_insert(unseen);
    }

    pub(super) fn failed(&mut self, error: &io::Error) {
        let unseen = if is_shortage(error) { Unseen::Descriptors } else { Unseen::Proc };
        // That a search was not possible says more than that it was cut short.
        if !self.unseen.is_some_and(Unseen::is_blind) {
            self.unseen = Some(unseen);
        }
    }
}
