//! How much goes through a pipe at once, and which pipes are worth more memory.

use std::os::fd::BorrowedFd;

use crate::pipe::budget::{self, Grant};

/// A quarter of a pipe at a time: a reader that empties the whole pipe at once leaves its writer asleep, and the two
/// run in turns.
pub(crate) const CHUNK: usize = budget::DEFAULT / 4;
const BULK_CHUNK: usize = budget::BULK / 4;
/// So many full chunks in a row, and the pipe is grown.
const BUSY: u32 = 8;

/// How busy one of our own pipe ends is; one that proves busy is grown, once, unless its capacity was asked for.
#[derive(Default)]
pub(crate) struct Busy {
    full: u32,
    /// Its capacity is not to be touched.
    pub(crate) fixed: bool,
    /// It was busy for a while.
    pub(crate) proven: bool,
    grant: Option<Grant>,
}

impl Busy {
    pub(crate) fn chunk(&self) -> usize {
        if self.grant.is_some() { BULK_CHUNK } else { CHUNK }
    }

    pub(crate) fn saw(&mut self, full: bool, pipe: BorrowedFd<'_>) {
        if self.proven {
            return;
        }
        self.full = if full { self.full + 1 } else { 0 };
        if self.full >= BUSY {
            self.proven = true;
            self.grant = if self.fixed { None } else { budget::grow(pipe) };
        }
    }
}
