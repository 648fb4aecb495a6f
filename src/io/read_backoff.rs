//! Letting a writer of tiny pieces run ahead.
//!
//! A reader that waits for every piece costs its writer a wake-up for each, and takes the CPU for a few bytes. One that looks in now
//! and then costs next to nothing and finds many pieces at once. That is for bytes that nobody sees before the end.

use std::time::Duration;

use crate::clock::Deadline;
use crate::pipe::budget;

/// What a tiny piece is. Of larger ones a pipe is full before the nap is over, and the writer waits.
const TINY: usize = 512;
/// So many in a row, and the reader begins to nap: a child that says little, as most do, is read as before.
const ROW: u32 = 8;
/// How long: the most that the end of a stream is seen late. All that such a writer can write meanwhile has room in the pipe, as a rule.
const NAP: Duration = Duration::from_micros(100);
/// A nap that brought no more than this was for nothing: the writer is slow.
const WORTH: usize = 256;

/// When to read a stream next, by what the last reads brought.
#[derive(Default)]
pub(crate) struct Nap {
    /// Tiny reads in a row, and those behind naps; up to `ROW`.
    tiny: u32,
    /// Until when the stream is left alone; never: it is not.
    until: Deadline,
}

impl Nap {
    /// A read of so much; `full`: of all that was asked for.
    pub(crate) fn saw(&mut self, read: usize, full: bool) {
        let napped = self.end();
        let naps = self.is_napper() || read < TINY;
        // A full pipe has kept its writer waiting.
        self.tiny = if full || !naps || napped && read <= WORTH { 0 } else { ROW.min(self.tiny + 1) };
        if self.is_napper() {
            self.until = Deadline::after(NAP);
        }
    }

    /// It is over; whether there was one.
    pub(crate) fn end(&mut self) -> bool {
        !std::mem::take(&mut self.until).is_never()
    }

    fn is_napper(&self) -> bool {
        self.tiny >= ROW
    }

    /// How much to read: one that naps takes all that came meanwhile.
    pub(crate) fn room(&self, usual: usize) -> usize {
        if self.is_napper() { usual.max(budget::DEFAULT) } else { usual }
    }

    /// Until when the stream is to be left alone; never: it is to be read when there is something.
    pub(crate) fn until(&self) -> Deadline {
        if self.until.passed() { Deadline::NEVER } else { self.until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(reads: &[(usize, bool)]) -> Nap {
        let mut nap = Nap::default();
        reads.iter().for_each(|&(read, full)| nap.saw(read, full));
        nap
    }

    fn is_set(nap: &Nap) -> bool {
        !nap.until.is_never()
    }

    #[test]
    fn who_says_little_is_read_at_once() {
        assert!(!is_set(&after(&[(20, false); ROW as usize - 1])));
        assert!(!is_set(&after(&[(TINY, false); 100])));
        assert!(!is_set(&after(&[(65_536, true); 100])));
    }

    #[test]
    fn tiny_pieces_in_a_row_are_left_to_gather_until_naps_bring_nothing() {
        let mut reads = vec![(20, false); ROW as usize];
        assert!(is_set(&after(&reads)));
        assert_eq!(after(&reads).room(1), budget::DEFAULT);
        reads.push((20_000, false));
        assert!(is_set(&after(&reads)), "it brought much");
        reads.push((WORTH, false));
        assert!(!is_set(&after(&reads)), "it brought little");
        assert_eq!(after(&reads).room(1), 1);
    }

    #[test]
    fn a_writer_that_fills_the_pipe_meanwhile_is_no_longer_left_alone() {
        let mut reads = vec![(20, false); ROW as usize];
        reads.push((budget::DEFAULT, true));
        assert!(!is_set(&after(&reads)));
        reads.push((20, false));
        assert!(!is_set(&after(&reads)));
    }
}
