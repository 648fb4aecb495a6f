//! The loan: a reader's slices, lent to a writer.

use std::io::IoSliceMut;
use std::slice;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use super::meeting::{Loan, Meeting};
use super::slices::Slices;
use super::state::{FILLED, FILLING, IDLE, LENT, LOAN, PHASE, R_ASLEEP, R_CLOSED, Side, W_CLOSED, closed_to_writers};
use crate::clock::Deadline;

impl Meeting {
    /// Lends slices to a writer while `wait` runs, unless there is something to read now; gives its result, and the number of bytes that
    /// are in the slices. The caller holds the readers' lock.
    pub(super) fn lend<T>(&self, into: &mut [IoSliceMut<'_>], wait: impl FnOnce() -> T) -> (T, usize) {
        self.point.loan.with_mut(|loan| {
            let slices = (into.as_mut_ptr().cast(), into.len());
            // SAFETY: the loan is `NONE` and this thread holds the readers' lock: no other thread uses it.
            unsafe { *loan = Loan { slices, filled: 0 } };
        });
        let word = &self.point.word.value;
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
        (result, self.point.loan.with(|loan| unsafe { (*loan).filled }))
    }

    /// Ends the loan, after the end of `FILLING`.
    fn take_back_loan(&self) {
        let word = &self.point.word.value;
        let mut state = word.load(Acquire);
        while state & LOAN == LENT {
            match word.compare_exchange_weak(state, state & !LOAN, AcqRel, Acquire) {
                Err(now) => state = now,
                Ok(_) => return,
            }
        }
        if state & LOAN == FILLING {
            let is_filled = |state| (state & LOAN == FILLED).then_some(());
            // Without a deadline it cannot time out.
            let _ = self.point.word.wait(self.wait_of(Side::Reader, Deadline::NEVER), is_filled);
        }
        word.fetch_and(!LOAN, AcqRel);
    }

    /// Copies into the slices of a reader that waits, if one does; gives the number of bytes. The caller holds the writers' lock. Nothing in
    /// here panics: the reader waits for `FILLED` without a deadline.
    pub(super) fn fill(&self, left: &mut Slices<'_>) -> usize {
        let word = &self.point.word.value;
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
        let filled = self.point.loan.with_mut(|loan| {
            // SAFETY: the loan is `FILLING`, by this thread: no other thread uses it.
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

/// The slices are lent until this is dropped, also by a panic.
struct Lent<'m>(&'m Meeting);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.take_back_loan();
    }
}
