//! The writer's slices, lent to readers.

use std::io::{IoSlice, IoSliceMut};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::{ptr, slice};

use super::slices::Slices;
use super::{
    CLAIMED, IDLE, LENT, LOAN, OFFERED, PHASE, R_ASLEEP, RETURN, Rendezvous, TransferError, W_ASLEEP, closed_to_writers,
};
use crate::clock::Deadline;

/// What the writer lends.
pub(super) struct Offer {
    first: *const [u8],
    rest: (*const IoSlice<'static>, usize),
    taken: usize,
}

impl Offer {
    pub(super) fn none() -> Self {
        Offer { first: ptr::from_ref(&[]), rest: (ptr::null(), 0), taken: 0 }
    }
}

impl Rendezvous {
    /// Lends slices to readers while `wait` waits; how many bytes they took, and what they took not all for. None when a reader
    /// lends its own. The caller holds the writers' lock.
    pub(super) fn offer(
        &self,
        left: Slices<'_>,
        flags: u32,
        wait: impl FnOnce(&Rendezvous) -> Option<TransferError>,
    ) -> Option<(usize, Option<TransferError>)> {
        self.meeting.offer.with_mut(|offer| {
            let rest = (left.rest.as_ptr().cast(), left.rest.len());
            // SAFETY: the phase is `IDLE` and this thread holds the writers' lock: nobody else uses the offer.
            unsafe { *offer = Offer { first: left.first, rest, taken: 0 } };
        });
        let word = &self.meeting.word.value;
        let mut state = word.load(Relaxed);
        loop {
            if let Some(stop) = closed_to_writers(state) {
                return Some((0, Some(stop)));
            }
            if state & LOAN == LENT {
                return None;
            }
            match word.compare_exchange_weak(state, state | OFFERED | flags, AcqRel, Relaxed) {
                Err(now) => state = now,
                Ok(_) => break,
            }
        }
        let lent = Lent(self);
        self.wake(state, R_ASLEEP);
        let stop = wait(self);
        drop(lent);
        // SAFETY: the phase is `IDLE` and this thread holds the writers' lock.
        let taken = self.meeting.offer.with(|offer| unsafe { (*offer).taken });
        Some((taken, stop))
    }

    /// Waits for the phase `IDLE`.
    pub(super) fn await_readers(&self, deadline: Deadline) -> Option<TransferError> {
        let patience = (&self.writers.patience, &self.readers.patience);
        let check = |state| if state & PHASE == IDLE { Some(None) } else { closed_to_writers(state).map(Some) };
        self.meeting.word.wait(W_ASLEEP, patience, deadline, check).unwrap_or(Some(TransferError::TimedOut))
    }

    /// Ends the phase `OFFERED`, and sees `CLAIMED` out.
    fn take_back(&self) {
        let word = &self.meeting.word.value;
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
        let patience = (&self.writers.patience, &self.readers.patience);
        let is_idle = |state| (state & PHASE == IDLE).then_some(());
        // Without a deadline it cannot time out.
        let _ = self.meeting.word.wait(W_ASLEEP, patience, Deadline::NEVER, is_idle);
    }

    /// Takes what is offered, unless the word is no longer `state`. The caller holds the readers' lock.
    pub(super) fn claim(&self, state: u32, into: &mut [IoSliceMut<'_>]) -> Option<usize> {
        let claimed = state & !PHASE | CLAIMED;
        self.meeting.word.value.compare_exchange(state, claimed, Acquire, Relaxed).ok()?;
        Some(self.accept(into))
    }

    /// Copies what was claimed. Nothing in here panics.
    fn accept(&self, into: &mut [IoSliceMut<'_>]) -> usize {
        let (copied, is_over) = self.meeting.offer.with_mut(|offer| {
            // SAFETY: the phase is `CLAIMED`, by this thread: nobody else uses the offer.
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
        let word = &self.meeting.word.value;
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

/// Slices are lent until this is dropped.
struct Lent<'h>(&'h Rendezvous);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.take_back();
    }
}
