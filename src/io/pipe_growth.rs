//! How many bytes go through a pipe at once, and which pipes get more memory.

use std::os::fd::BorrowedFd;

use crate::pipe::budget::{self, Grant};

/// Bytes a read or write: a quarter of the pipe. A reader that empties the whole pipe at once leaves its writer asleep, and the
/// two run in turns.
pub(crate) const CHUNK: usize = budget::DEFAULT / 4;
const BULK_CHUNK: usize = budget::BULK / 4;
/// Full chunks in a row before a pipe counts as busy: most streams end earlier.
pub(super) const BUSY: u32 = 8;

/// Measures how busy a pipe is, and grows it once when it is.
#[derive(Default)]
pub(crate) struct PipeGrowth {
    /// Full chunks in a row; stays at `BUSY`.
    pub(super) full_chunks: u32,
    /// The builder asked for a capacity: it stays as it is.
    pub(super) fixed: bool,
    grant: Option<Grant>,
}

impl PipeGrowth {
    pub(crate) fn is_busy(&self) -> bool {
        self.full_chunks >= BUSY
    }

    /// The size of the next read or write.
    pub(crate) fn chunk(&self) -> usize {
        if self.grant.is_some() { BULK_CHUNK } else { CHUNK }
    }

    /// Takes in a read or write; `full`: of all that was asked for.
    pub(crate) fn record(&mut self, full: bool, pipe: BorrowedFd<'_>) {
        if self.is_busy() {
            return;
        }
        self.full_chunks = if full { self.full_chunks + 1 } else { 0 };
        if self.is_busy() && !self.fixed {
            self.grant = budget::grow(pipe);
        }
    }
}
