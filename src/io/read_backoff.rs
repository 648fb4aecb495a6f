//! Waiting a moment before the next read, for the sake of a writer of tiny pieces.
//!
//! A reader that polls costs such a writer a wake-up for each piece, and takes the CPU for a few bytes. A reader that pauses
//! finds many pieces at once. Only streams whose bytes are not seen before their end are read like that.

use std::time::Duration;

use crate::clock::Deadline;
use crate::pipe::budget;

/// The size in bytes below which a read is tiny. A writer of larger pieces fills the pipe during the pause, and then blocks.
const TINY: usize = 512;
/// Tiny reads in a row before the reader pauses. Most children write too little to get here.
const TINY_READS: u32 = 8;
/// The length of a pause. The end of a stream is seen late by at most this. What such a writer can write meanwhile usually has
/// room in the pipe.
const PAUSE: Duration = Duration::from_micros(100);
/// A read after a pause that brings at most this many bytes shows that the writer is slow: pauses gain nothing.
const SLOW: usize = 256;

/// Decides from the last reads when a stream is read next.
#[derive(Default)]
pub(crate) struct ReadBackoff {
    /// Tiny reads in a row, and reads after pauses; at most `TINY_READS`.
    reads: u32,
    /// The end of the pause; `NEVER` without a pause.
    until: Deadline,
}

impl ReadBackoff {
    /// Takes in a read of this many bytes; `full`: of all that was asked for.
    pub(crate) fn record(&mut self, read: usize, full: bool) {
        let paused = self.end();
        let goes_on = self.pauses() || read < TINY;
        // A full read has probably kept the writer waiting.
        self.reads = if full || !goes_on || paused && read <= SLOW { 0 } else { TINY_READS.min(self.reads + 1) };
        if self.pauses() {
            self.until = Deadline::after(PAUSE);
        }
    }

    /// Ends the pause; returns whether there was one.
    pub(crate) fn end(&mut self) -> bool {
        !std::mem::take(&mut self.until).is_never()
    }

    fn pauses(&self) -> bool {
        self.reads >= TINY_READS
    }

    /// The size of the next read: after a pause, all that came meanwhile.
    pub(crate) fn read_size(&self, usual: usize) -> usize {
        if self.pauses() { usual.max(budget::DEFAULT) } else { usual }
    }

    /// The end of the pause, if it has not passed; `NEVER` if the stream is to be polled now.
    pub(crate) fn until(&self) -> Deadline {
        if self.until.passed() { Deadline::NEVER } else { self.until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(reads: &[(usize, bool)]) -> ReadBackoff {
        let mut backoff = ReadBackoff::default();
        reads.iter().for_each(|&(read, full)| backoff.record(read, full));
        backoff
    }

    fn is_paused(backoff: &ReadBackoff) -> bool {
        !backoff.until.is_never()
    }

    #[test]
    fn a_writer_of_little_is_read_at_once() {
        assert!(!is_paused(&after(&[(20, false); TINY_READS as usize - 1])));
        assert!(!is_paused(&after(&[(TINY, false); 100])));
        assert!(!is_paused(&after(&[(65_536, true); 100])));
    }

    #[test]
    fn tiny_pieces_in_a_row_are_left_to_gather_until_pauses_bring_nothing() {
        let mut reads = vec![(20, false); TINY_READS as usize];
        assert!(is_paused(&after(&reads)));
        assert_eq!(after(&reads).read_size(1), budget::DEFAULT);
        reads.push((20_000, false));
        assert!(is_paused(&after(&reads)), "it brought much");
        reads.push((SLOW, false));
        assert!(!is_paused(&after(&reads)), "it brought little");
        assert_eq!(after(&reads).read_size(1), 1);
    }

    #[test]
    fn a_writer_that_fills_the_pipe_meanwhile_is_no_longer_left_alone() {
        let mut reads = vec![(20, false); TINY_READS as usize];
        reads.push((budget::DEFAULT, true));
        assert!(!is_paused(&after(&reads)));
        reads.push((20, false));
        assert!(!is_paused(&after(&reads)));
    }
}
