//! What the two sides share, besides the ring.

use std::io::{IoSlice, IoSliceMut};
use std::ptr;
use std::sync::atomic::Ordering::Acquire;

use super::backoff::Backoff;
use super::side_lock::SideLock;
use super::state::{R_ASLEEP, Side, W_ASLEEP};
use super::sync::{Apart, UnsafeCell};
use super::word::{Wait, Word};
use crate::clock::Deadline;

pub(super) struct Meeting {
    pub(super) point: Apart<Point>,
    pub(super) readers: Apart<Queue>,
    pub(super) writers: Apart<Queue>,
}

/// The word and what it guards, close to each other.
pub(super) struct Point {
    pub(super) word: Word,
    pub(super) offer: UnsafeCell<Offer>,
    pub(super) loan: UnsafeCell<Loan>,
}

/// One side's threads.
pub(super) struct Queue {
    pub(super) lock: SideLock,
    pub(super) backoff: Backoff,
}

/// The slices of a writer that waits.
pub(super) struct Offer {
    pub(super) first: *const [u8],
    pub(super) rest: (*const IoSlice<'static>, usize),
    pub(super) taken: usize,
}

/// The slices of a reader that waits.
pub(super) struct Loan {
    pub(super) slices: (*mut IoSliceMut<'static>, usize),
    pub(super) filled: usize,
}

// SAFETY: the pointers in the offer and in the loan are used under the protocol at the top of `rendezvous`.
unsafe impl Send for Meeting {}
// SAFETY: as above.
unsafe impl Sync for Meeting {}

impl Meeting {
    pub(super) fn new() -> Self {
        let offer = Offer { first: ptr::from_ref(&[]), rest: (ptr::null(), 0), taken: 0 };
        let loan = Loan { slices: (ptr::null_mut(), 0), filled: 0 };
        let queue = || Apart(Queue { lock: SideLock::new(), backoff: Backoff::new() });
        Meeting {
            point: Apart(Point { word: Word::new(), offer: UnsafeCell::new(offer), loan: UnsafeCell::new(loan) }),
            readers: queue(),
            writers: queue(),
        }
    }

    pub(super) fn state(&self) -> u32 {
        self.point.word.value.load(Acquire)
    }

    /// How a thread of this side waits for the other side.
    pub(super) fn wait_of(&self, side: Side, deadline: Deadline) -> Wait<'_> {
        let (readers, writers) = (&self.readers.backoff, &self.writers.backoff);
        match side {
            Side::Reader => Wait { mark: R_ASLEEP, own: readers, other: writers, deadline },
            Side::Writer => Wait { mark: W_ASLEEP, own: writers, other: readers, deadline },
        }
    }

    /// Wakes those of `marks` that `state` says are asleep.
    pub(super) fn wake(&self, state: u32, marks: u32) {
        if state & marks != 0 {
            self.point.word.wake(marks);
        }
    }
}
