//! Bytes from one thread's slices to another's, under the pipe in memory.
//!
//! One writer and one reader at a time have their sides' *turns*; the rest queue for them. The two meet in one word:
//!
//! | phase | who leaves it | to |
//! |---|---|---|
//! | `IDLE` | the writer, with an offer written down, unless a side is closed | `OFFERED` |
//! | `OFFERED` | a reader that wants it | `CLAIMED` |
//! | | the writer that takes it back: a deadline, a closing | `IDLE` |
//! | `CLAIMED` | that reader, when it has copied; bytes are left | `OFFERED` |
//! | | when none are left, or `RETURN` asks for the rest | `IDLE` |
//!
//! Beside the phase the word holds who is closed (`R_CLOSED`, `W_CLOSED`: set for good), who sleeps (`R_ASLEEP`, `W_ASLEEP`), and `RETURN`.
//!
//! **Why the copy is sound.** The offer points to the writer's slices. It is written in `IDLE`, by who has the writers' turn, and used in `CLAIMED`, by who
//! made it so; no two threads can. The writer goes back to its caller only after `IDLE`: it finds the phase there, or takes
//! an `OFFERED` there itself, or, when that fails, asks for the rest and waits until the reader has copied. That wait has no deadline and needs
//! none: between `CLAIMED` and the next phase the reader does nothing but copy, and runs no code of a caller's. A guard does the same if the writer should
//! unwind. A closing changes no phase.
//!
//! **Why nothing is lost.** `taken` counts in the offer what was copied, and the writer reads it after `IDLE`. No offer is made once the writers' side
//! is closed: the same compare-and-swap checks both. So a reader that finds `IDLE` and `W_CLOSED` has seen the last offer. With a ring it then takes the
//! writers' turn for a moment: no write is half done then, and none that comes later will begin.

#![expect(unsafe_code, reason = "slices that another thread lends, and a ring that two threads share")]

mod cpu;
#[cfg(all(test, loom))]
mod models;
mod park;
mod ring;
mod slices;
mod sync;
#[cfg(all(test, not(loom)))]
mod tests;
mod turn;

use std::io::{IoSlice, IoSliceMut};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::{ptr, slice};

use crate::clock::Deadline;
use park::{Patience, TimedOut, Word, gather, look_briefly};
use ring::Ring;
use slices::Slices;
use sync::{Apart, AtomicU32, UnsafeCell, fence};
use turn::Turn;

const PHASE: u32 = 0b11;
const IDLE: u32 = 0;
const OFFERED: u32 = 1;
const CLAIMED: u32 = 2;
/// What a reader leaves goes back to the writer.
const RETURN: u32 = 1 << 2;
const R_CLOSED: u32 = 1 << 3;
const W_CLOSED: u32 = 1 << 4;
const R_ASLEEP: u32 = 1 << 5;
const W_ASLEEP: u32 = 1 << 6;

/// A write from this size on is handed to a reader that is there, past an empty ring.
const DIRECT: usize = if cfg!(all(test, loom)) {
    2
} else if cfg!(miri) {
    64
} else {
    16 * 1024
};
/// The most writes that do not try that after it failed.
const MOST_SKIPPED: u32 = 64;

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Reader,
    Writer,
}

/// Why nothing was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The caller's own side is closed.
    Closed,
    /// The other side is closed, and nothing is left.
    PeerClosed,
    /// The deadline has passed.
    TimedOut,
}

impl From<TimedOut> for Stop {
    fn from(_: TimedOut) -> Stop {
        Stop::TimedOut
    }
}

/// The meeting point of readers and writers.
pub(crate) struct Handoff {
    meeting: Apart<Meeting>,
    readers: Apart<Queue>,
    writers: Apart<Queue>,
    ring: Option<Ring>,
    /// How many big writes are to go without trying a direct hand-over, and how many after the next failure.
    skips: (AtomicU32, AtomicU32),
}

/// The word and what it guards, in one cache line.
struct Meeting {
    word: Word,
    offer: UnsafeCell<Offer>,
}

struct Queue {
    turn: Turn,
    patience: Patience,
}

/// What the writer lends.
struct Offer {
    first: *const [u8],
    rest: (*const IoSlice<'static>, usize),
    taken: usize,
}

// SAFETY: the pointers in the offer are used under the protocol above.
unsafe impl Send for Handoff {}
// SAFETY: as above.
unsafe impl Sync for Handoff {}

/// What a reader finds.
enum Found {
    Closed,
    Kept,
    Offered(u32),
    Ended,
}

impl Handoff {
    /// With a capacity of 0 a write waits until it is read.
    pub(crate) fn new(capacity: usize) -> Self {
        let empty = Slices::new(&[]);
        let offer = Offer { first: empty.first, rest: (ptr::null(), 0), taken: 0 };
        let queue = || Apart(Queue { turn: Turn::new(), patience: Patience::new() });
        Handoff {
            meeting: Apart(Meeting { word: Word::new(), offer: UnsafeCell::new(offer) }),
            readers: queue(),
            writers: queue(),
            ring: (capacity > 0).then(|| Ring::new(capacity)),
            skips: (AtomicU32::new(0), AtomicU32::new(1)),
        }
    }

    /// Closes a side for good, and wakes everybody. Who queues for a turn comes to it: those before it are woken, too.
    pub(crate) fn close(&self, side: Side) {
        let bit = match side {
            Side::Reader => R_CLOSED,
            Side::Writer => W_CLOSED,
        };
        let before = self.meeting.word.value.fetch_or(bit, AcqRel);
        self.wake(before, R_ASLEEP | W_ASLEEP);
    }

    pub(crate) fn is_closed(&self, side: Side) -> bool {
        let bit = match side {
            Side::Reader => R_CLOSED,
            Side::Writer => W_CLOSED,
        };
        self.state() & bit != 0
    }

    /// Waits for bytes; the number read, which is 0 only when there is no room for any.
    pub(crate) fn read(&self, into: &mut [IoSliceMut<'_>], deadline: Deadline) -> Result<usize, Stop> {
        if self.state() & R_CLOSED != 0 {
            return Err(Stop::Closed);
        }
        if into.iter().all(|slice| slice.is_empty()) {
            return Ok(0);
        }
        let _turn = self.readers.turn.take(deadline)?;
        self.readers.patience.note();
        loop {
            let patience = (&self.readers.patience, &self.writers.patience);
            match self.meeting.word.wait(R_ASLEEP, patience, deadline, |state| self.find(state))? {
                Found::Closed => return Err(Stop::Closed),
                Found::Kept => {
                    if let Some(ring) = &self.ring {
                        let room = into.iter().fold(0usize, |sum, slice| sum.saturating_add(slice.len()));
                        gather(&self.writers.patience, room.min(ring.capacity() / 2), || ring.len());
                        // SAFETY: the readers' turn is ours.
                        let read = unsafe { ring.pull(into) };
                        fence(SeqCst);
                        self.wake(self.meeting.word.value.load(Relaxed), W_ASLEEP);
                        return Ok(read);
                    }
                }
                Found::Offered(state) => {
                    let claimed = state & !PHASE | CLAIMED;
                    if self.meeting.word.value.compare_exchange(state, claimed, Acquire, Relaxed).is_ok() {
                        return Ok(self.accept(into));
                    }
                }
                Found::Ended => {
                    let Some(ring) = &self.ring else {
                        return Err(Stop::PeerClosed);
                    };
                    // No write is half done while the turn is ours, and none begins after.
                    drop(self.writers.turn.take(deadline)?);
                    if ring.is_empty() {
                        return Err(Stop::PeerClosed);
                    }
                }
            }
        }
    }

    fn find(&self, state: u32) -> Option<Found> {
        if state & R_CLOSED != 0 {
            Some(Found::Closed)
        } else if self.ring.as_ref().is_some_and(|ring| !ring.is_empty()) {
            Some(Found::Kept)
        } else if state & PHASE == OFFERED {
            Some(Found::Offered(state))
        } else {
            (state & W_CLOSED != 0).then_some(Found::Ended)
        }
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

    /// Waits until all bytes are taken, or kept in the ring; the number of those that are. None of several is an error.
    pub(crate) fn write(&self, from: &[IoSlice<'_>], deadline: Deadline) -> Result<usize, Stop> {
        let mut left = Slices::new(from);
        if self.state() & W_CLOSED != 0 {
            return Err(Stop::Closed);
        }
        if left.is_empty() {
            return Ok(0);
        }
        let _turn = self.writers.turn.take(deadline)?;
        self.writers.patience.note();
        let (written, stop) = match &self.ring {
            None => self.offer(left, 0, |handoff| handoff.await_readers(deadline)),
            Some(ring) => self.keep(ring, &mut left, deadline),
        };
        match stop {
            Some(stop) if written == 0 => Err(stop),
            _ => Ok(written),
        }
    }

    /// Lends slices to readers while `wait` waits; how many bytes they took, and what they took not all for. For who has the
    /// writers' turn.
    fn offer(
        &self,
        left: Slices<'_>,
        flags: u32,
        wait: impl FnOnce(&Handoff) -> Option<Stop>,
    ) -> (usize, Option<Stop>) {
        self.meeting.offer.with_mut(|offer| {
            let rest = (left.rest.as_ptr().cast(), left.rest.len());
            // SAFETY: the phase is `IDLE` and the writers' turn ours: nobody else uses the offer.
            unsafe { *offer = Offer { first: left.first, rest, taken: 0 } };
        });
        let word = &self.meeting.word.value;
        let mut state = word.load(Relaxed);
        loop {
            if let Some(stop) = closed_to_writers(state) {
                return (0, Some(stop));
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
        // SAFETY: the phase is `IDLE` and the writers' turn ours.
        let taken = self.meeting.offer.with(|offer| unsafe { (*offer).taken });
        (taken, stop)
    }

    /// Waits for the phase `IDLE`.
    fn await_readers(&self, deadline: Deadline) -> Option<Stop> {
        let patience = (&self.writers.patience, &self.readers.patience);
        let check = |state| if state & PHASE == IDLE { Some(None) } else { closed_to_writers(state).map(Some) };
        self.meeting.word.wait(W_ASLEEP, patience, deadline, check).unwrap_or(Some(Stop::TimedOut))
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

    /// Puts all into the ring, or into the hands of a reader that is there. For who has the writers' turn.
    fn keep(&self, ring: &Ring, left: &mut Slices<'_>, deadline: Deadline) -> (usize, Option<Stop>) {
        let mut written = 0;
        loop {
            let state = self.state();
            if let Some(stop) = closed_to_writers(state) {
                return (written, Some(stop));
            }
            if left.has(DIRECT) && state & R_ASLEEP == 0 && ring.is_empty() {
                let taken = self.hand_over(*left);
                left.skip(taken);
                written += taken;
                if taken > 0 && !left.is_empty() {
                    continue;
                }
            }
            // SAFETY: the writers' turn is ours.
            written += unsafe { ring.push(left) };
            fence(SeqCst);
            self.wake(self.meeting.word.value.load(Relaxed), R_ASLEEP);
            if left.is_empty() {
                return (written, None);
            }
            let patience = (&self.writers.patience, &self.readers.patience);
            let check = |state| (closed_to_writers(state).is_some() || ring.has_room()).then_some(());
            if self.meeting.word.wait(W_ASLEEP, patience, deadline, check).is_err() {
                return (written, Some(Stop::TimedOut));
            }
        }
    }

    /// Offers a big write for a moment: a reader that comes just then spares a copy.
    fn hand_over(&self, left: Slices<'_>) -> usize {
        let (skip, next) = &self.skips;
        let skips = skip.load(Relaxed);
        if skips > 0 {
            skip.store(skips - 1, Relaxed);
            return 0;
        }
        let briefly = |handoff: &Handoff| {
            let is_taken = || handoff.state() & PHASE != OFFERED;
            look_briefly(&handoff.readers.patience, is_taken);
            None
        };
        let (taken, _) = self.offer(left, RETURN, briefly);
        if taken > 0 {
            next.store(1, Relaxed);
        } else {
            let skips = next.load(Relaxed);
            skip.store(skips, Relaxed);
            next.store((skips * 2).min(MOST_SKIPPED), Relaxed);
        }
        taken
    }

    fn state(&self) -> u32 {
        self.meeting.word.value.load(Acquire)
    }

    /// Wakes those of `whom` that `state` says are asleep.
    fn wake(&self, state: u32, whom: u32) {
        if state & whom != 0 {
            self.meeting.word.wake(whom);
        }
    }
}

/// Slices are lent until this is dropped.
struct Lent<'h>(&'h Handoff);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.take_back();
    }
}

fn closed_to_writers(state: u32) -> Option<Stop> {
    if state & W_CLOSED != 0 { Some(Stop::Closed) } else { (state & R_CLOSED != 0).then_some(Stop::PeerClosed) }
}
