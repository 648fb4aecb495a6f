//! A waiting reader's slices, lent to the writer.

use std::io::IoSliceMut;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::{ptr, slice};

use super::slices::Slices;
use super::{FILLED, FILLING, IDLE, LENT, LOAN, PHASE, R_ASLEEP, R_CLOSED, Rendezvous, W_CLOSED, closed_to_writers};
use crate::clock::Deadline;

/// What the reader lends.
pub(super) struct Loan {
    slices: (*mut IoSliceMut<'static>, usize),
    filled: usize,
}

impl Loan {
    pub(super) fn none() -> Self {
        Loan { slices: (ptr::null_mut(), 0), filled: 0 }
    }
}

impl Rendezvous {
    /// Lends slices to a writer while `wait` waits, unless there is something to read now; what that gave, and how many bytes are in the slices. For
    /// who has the readers' turn.
    pub(super) fn lend<T>(&self, into: &mut [IoSliceMut<'_>], wait: impl FnOnce() -> T) -> (T, usize) {
        self.meeting.loan.with_mut(|loan| {
            let slices = (into.as_mut_ptr().cast(), into.len());
            // SAFETY: the loan is `NONE` and this thread holds the readers' lock: nobody else uses it.
            unsafe { *loan = Loan { slices, filled: 0 } };
        });
        let word = &self.meeting.word.value;
        let mut state = word.load(Relaxed);
        while state & PHASE == IDLE && state & (R_CLOSED | W_CLOSED) == 0 {
            match word.compare_exchange_weak(state, state | LENT, AcqRel, Relaxed) {
                Err(now) => state = now,
                Ok(_) => break,
            }
        }
        let lent = Lent(self);
        let result = wait();
        drop(lent);
        // SAFETY: the loan is `NONE` and this thread holds the readers' lock.
        (result, self.meeting.loan.with(|loan| unsafe { (*loan).filled }))
    }

    /// Ends the loan, and sees `FILLING` out.
    fn call_in(&self) {
        let word = &self.meeting.word.value;
        let mut state = word.load(Acquire);
        while state & LOAN == LENT {
            match word.compare_exchange_weak(state, state & !LOAN, AcqRel, Acquire) {
                Err(now) => state = now,
                Ok(_) => return,
            }
        }
        if state & LOAN == FILLING {
            let patience = (&self.readers.patience, &self.writers.patience);
            let is_filled = |state| (state & LOAN == FILLED).then_some(());
            // Without a deadline it cannot time out.
            let _ = self.meeting.word.wait(R_ASLEEP, patience, Deadline::NEVER, is_filled);
        }
        word.fetch_and(!LOAN, AcqRel);
    }

    /// Copies into the slices of a reader that waits, if one does; how much that was. The caller holds the writers' lock. Nothing in here
    /// panics.
    pub(super) fn fill(&self, left: &mut Slices<'_>) -> usize {
        let word = &self.meeting.word.value;
        let mut state = word.load(Relaxed);
        loop {
            if state & LOAN != LENT || closed_to_writers(state).is_some() {
                return 0;
            }
            match word.compare_exchange_weak(state, state & !LOAN | FILLING, AcqRel, Relaxed) {
                Err(now) => state = now,
                Ok(_) => break,
            }
        }
        let filled = self.meeting.loan.with_mut(|loan| {
            // SAFETY: the loan is `FILLING`, by this thread: nobody else uses it.
            let loan = unsafe { &mut *loan };
            // SAFETY: the reader lends its slices, and does not touch them, until the loan is `FILLED`.
            let into = unsafe { slice::from_raw_parts_mut(loan.slices.0, loan.slices.1) };
            loan.filled = left.copy_to(into);
            loan.filled
        });
        let state = word.fetch_or(FILLED, AcqRel);
        self.wake(state, R_ASLEEP);
        filled
    }
}

/// Slices are lent until this is dropped.
struct Lent<'h>(&'h Rendezvous);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.call_in();
    }
}
