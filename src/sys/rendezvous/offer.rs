//! The offer: a writer's slices, lent to readers.

use std::io::IoSliceMut;
use std::slice;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use super::meeting::{Meeting, Offer};
use super::slices::Slices;
use super::state::{
    CLAIMED, IDLE, LENT, LOAN, OFFERED, PHASE, R_ASLEEP, RETURN, Side, TransferError, W_ASLEEP, closed_to_writers,
};
use crate::clock::Deadline;

impl Meeting {
    /// Lends slices to readers while `wait` runs; gives the number of bytes that they took, and why they took no more. `None` when a reader
    /// has made a loan. The caller holds the writers' lock.
    pub(super) fn offer(
        &self,
        left: Slices<'_>,
        flags: u32,
        wait: impl FnOnce() -> Option<TransferError>,
    ) -> Option<(usize, Option<TransferError>)> {
        self.point.offer.with_mut(|offer| {
            let rest = (left.rest.as_ptr().cast(), left.rest.len());
            // SAFETY: the phase is `IDLE` and this thread holds the writers' lock: no other thread uses the offer.
            unsafe { *offer = Offer { first: left.first, rest, taken: 0 } };
        });
        let word = &self.point.word.value;
        let mut state = word.load(Relaxed);
        loop {
            if let Some(error) = closed_to_writers(state) {
                return Some((0, Some(error)));
            }
            if state & LOAN == LENT {
                return None;
            }
            match word.compare_exchange_weak(state, state | OFFERED | flags, AcqRel, Relaxed) {
                Err(now) => state = now,
                Ok(_) => break,
            }
        }
        let offered = Offered(self);
        self.wake(state, R_ASLEEP);
        let error = wait();
        drop(offered);
        // SAFETY: the phase is `IDLE` and this thread holds the writers' lock.
        let taken = self.point.offer.with(|offer| unsafe { (*offer).taken });
        Some((taken, error))
    }

    /// Waits for the phase `IDLE`.
    pub(super) fn await_readers(&self, deadline: Deadline) -> Option<TransferError> {
        let check = |state| if state & PHASE == IDLE { Some(None) } else { closed_to_writers(state).map(Some) };
        self.point.word.wait(self.wait_of(Side::Writer, deadline), check).unwrap_or(Some(TransferError::TimedOut))
    }

    /// Ends the phase `OFFERED`, or waits for the end of `CLAIMED`.
    fn take_back_offer(&self) {
        let word = &self.point.word.value;
        let mut state = word.load(Acquire);
        loop {
            let next = match state & PHASE {
                IDLE => return,
                OFFERED => state & !(PHASE | RETURN) | IDLE,
                _ => state | RETURN,
            };
            match word.compare_exchange_weak(state, next, AcqRel, Acquire) {
                Err(now) => state = now,
                Ok(_) if next & PHASE == IDLE => return,
                Ok(_) => break,
            }
        }
        let is_idle = |state| (state & PHASE == IDLE).then_some(());
        // Without a deadline it cannot time out.
        let _ = self.point.word.wait(self.wait_of(Side::Writer, Deadline::NEVER), is_idle);
    }

    /// Copies what is offered, unless the word is no longer `state`. The caller holds the readers' lock.
    pub(super) fn claim(&self, state: u32, into: &mut [IoSliceMut<'_>]) -> Option<usize> {
        let claimed = state & !PHASE | CLAIMED;
        self.point.word.value.compare_exchange(state, claimed, Acquire, Relaxed).ok()?;
        Some(self.accept(into))
    }

    /// Copies what was claimed. Nothing in here panics: the writer waits for the next phase without a deadline.
    fn accept(&self, into: &mut [IoSliceMut<'_>]) -> usize {
        let (copied, is_over) = self.point.offer.with_mut(|offer| {
            // SAFETY: the phase is `CLAIMED`, by this thread: no other thread uses the offer.
            let offer = unsafe { &mut *offer };
            // SAFETY: the writer lends its slices until the phase is `IDLE`.
            let first = unsafe { &*offer.first };
            // SAFETY: as above.
            let rest = unsafe { slice::from_raw_parts(offer.rest.0, offer.rest.1) };
            let mut left = Slices { first, rest };
            let copied = left.copy_to(into);
            offer.first = left.first;
            offer.rest = (left.rest.as_ptr(), left.rest.len());
            offer.taken += copied;
            (copied, left.is_empty())
        });
        let word = &self.point.word.value;
        let mut state = word.load(Relaxed);
        loop {
            let is_over = is_over || state & RETURN != 0;
            let next = if is_over { state & !(PHASE | RETURN) | IDLE } else { state & !PHASE | OFFERED };
            match word.compare_exchange_weak(state, next, AcqRel, Relaxed) {
                Err(now) => state = now,
                Ok(_) if is_over => {
                    self.wake(state, W_ASLEEP);
                    return copied;
                }
                Ok(_) => return copied,
            }
        }
    }
}

/// The slices are offered until this is dropped, also by a panic.
struct Offered<'m>(&'m Meeting);

impl Drop for Offered<'_> {
    fn drop(&mut self) {
        self.0.take_back_offer();
    }
}
