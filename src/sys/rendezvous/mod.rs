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
//! A reader that has to wait lends its slices as well, so that the next write is over without a switch of threads:
//!
//! | loan | who leaves it | to |
//! |---|---|---|
//! | `NONE` | the reader, with a loan written down, in the phase `IDLE`, unless a side is closed | `LENT` |
//! | `LENT` | a writer that has something | `FILLING` |
//! | | the reader that takes it back: a deadline, a closing, bytes in the ring | `NONE` |
//! | `FILLING` | that writer, when it has copied | `FILLED` |
//! | `FILLED` | the reader | `NONE` |
//!
//! Nothing is offered while a loan is `LENT`: it is filled first. An offer may come before the reader has seen that its loan is `FILLED`; the loan is
//! then read first.
//!
//! Beside these the word holds who is closed (`R_CLOSED`, `W_CLOSED`: set for good), who sleeps (`R_ASLEEP`, `W_ASLEEP`), and `RETURN`.
//!
//! **Why the copy is sound.** The offer points to the writer's slices. It is written in `IDLE`, by the holder of the writers' lock, and used in `CLAIMED`, by who
//! made it so; no two threads can. The writer goes back to its caller only after `IDLE`: it finds the phase there, or takes
//! an `OFFERED` there itself, or, when that fails, asks for the rest and waits until the reader has copied. That wait has no deadline and needs
//! none: between `CLAIMED` and the next phase the reader does nothing but copy, and runs no code of a caller's. A guard does the same if the writer should
//! unwind. A closing changes no phase. With the loan it is the same the other way round: it is written in `NONE` by the holder of the readers' lock, used in
//! `FILLING` by who made it so, and the reader goes back to its caller only after `NONE`.
//!
//! **Why nothing is lost.** `taken` counts in the offer what was copied, and the writer reads it after `IDLE`; `filled` does it in the loan. No offer is
//! made and no loan filled once the writers' side is closed: the same compare-and-swap checks both. So a reader that finds `IDLE` and `W_CLOSED`, and has
//! taken back its loan, has seen the last bytes. With a ring it then takes the writers' turn for a moment: no write is half done then, and none that comes
//! later will begin. A loan is filled only past a ring that is empty.

#![expect(unsafe_code, reason = "slices that another thread lends, and a ring that two threads share")]

mod cpu;
mod loan;
#[cfg(all(test, loom))]
mod models;
mod offer;
mod park;
mod ring;
mod side_lock;
mod slices;
mod sync;
#[cfg(all(test, not(loom)))]
mod tests;

use std::io::{IoSlice, IoSliceMut};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};

use crate::clock::Deadline;
use loan::Loan;
use offer::Offer;
use park::{Patience, TimedOut, Word, empties_soon, gather, look_briefly};
use ring::Ring;
use side_lock::SideLock;
use slices::Slices;
use sync::{Apart, AtomicU32, UnsafeCell, fence};

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
const LOAN: u32 = 0b11 << 7;
const LENT: u32 = 0b01 << 7;
const FILLING: u32 = 0b10 << 7;
const FILLED: u32 = 0b11 << 7;

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
pub(crate) enum TransferError {
    /// The caller's own side is closed.
    Closed,
    /// The other side is closed, and nothing is left.
    PeerClosed,
    /// The deadline has passed.
    TimedOut,
}

impl From<TimedOut> for TransferError {
    fn from(_: TimedOut) -> TransferError {
        TransferError::TimedOut
    }
}

/// The meeting point of readers and writers.
pub(crate) struct Rendezvous {
    meeting: Apart<Meeting>,
    readers: Apart<Queue>,
    writers: Apart<Queue>,
    ring: Option<Ring>,
    /// How many big writes are to go without trying a direct hand-over, and how many after the next failure.
    skips: (AtomicU32, AtomicU32),
}

/// The word and what it guards, close to each other.
struct Meeting {
    word: Word,
    offer: UnsafeCell<Offer>,
    loan: UnsafeCell<Loan>,
}

struct Queue {
    lock: SideLock,
    patience: Patience,
}

// SAFETY: the pointers in the offer and in the loan are used under the protocol above.
unsafe impl Send for Rendezvous {}
// SAFETY: as above.
unsafe impl Sync for Rendezvous {}

/// What a reader finds.
enum Found {
    Filled(usize),
    Closed,
    Kept,
    Offered(u32),
    Ended,
}

impl Rendezvous {
    /// With a capacity of 0 a write waits until it is read.
    pub(crate) fn new(capacity: usize) -> Self {
        let (offer, loan) = (UnsafeCell::new(Offer::none()), UnsafeCell::new(Loan::none()));
        let queue = || Apart(Queue { lock: SideLock::new(), patience: Patience::new() });
        Rendezvous {
            meeting: Apart(Meeting { word: Word::new(), offer, loan }),
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
    pub(crate) fn read(&self, into: &mut [IoSliceMut<'_>], deadline: Deadline) -> Result<usize, TransferError> {
        if self.state() & R_CLOSED != 0 {
            return Err(TransferError::Closed);
        }
        if into.iter().all(|slice| slice.is_empty()) {
            return Ok(0);
        }
        let _guard = self.readers.lock.lock_until(deadline)?;
        self.readers.patience.note();
        loop {
            match self.await_writers(into, deadline)? {
                Found::Filled(count) => return Ok(count),
                Found::Closed => return Err(TransferError::Closed),
                Found::Kept => {
                    if let Some(ring) = &self.ring {
                        let room = into.iter().fold(0usize, |sum, slice| sum.saturating_add(slice.len()));
                        gather(&self.writers.patience, room.min(ring.capacity() / 2), || ring.len());
                        // SAFETY: this thread holds the readers' lock.
                        let read = unsafe { ring.pull(into) };
                        fence(SeqCst);
                        self.wake(self.meeting.word.value.load(Relaxed), W_ASLEEP);
                        return Ok(read);
                    }
                }
                Found::Offered(state) => {
                    if let Some(count) = self.claim(state, into) {
                        return Ok(count);
                    }
                }
                Found::Ended => {
                    let Some(ring) = &self.ring else {
                        return Err(TransferError::PeerClosed);
                    };
                    // No write is half done while the turn is ours, and none begins after.
                    drop(self.writers.lock.lock_until(deadline)?);
                    if ring.is_empty() {
                        return Err(TransferError::PeerClosed);
                    }
                }
            }
        }
    }

    /// Waits for something to read. Who waits for longer than a moment lends its slices meanwhile.
    fn await_writers(&self, into: &mut [IoSliceMut<'_>], deadline: Deadline) -> Result<Found, TimedOut> {
        let word = &self.meeting.word;
        let patience = (&self.readers.patience, &self.writers.patience);
        if let Some(found) = word.watch(patience, |state| self.find(state)) {
            return Ok(found);
        }
        let check = |state| if state & LOAN == FILLED { Some(Found::Filled(0)) } else { self.find(state) };
        let (found, filled) = self.lend(into, || word.rest(R_ASLEEP, patience, deadline, check));
        if filled > 0 { Ok(Found::Filled(filled)) } else { found }
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

    /// Waits until all bytes are taken, or kept in the ring; the number of those that are. None of several is an error.
    pub(crate) fn write(&self, from: &[IoSlice<'_>], deadline: Deadline) -> Result<usize, TransferError> {
        let mut left = Slices::new(from);
        if self.state() & W_CLOSED != 0 {
            return Err(TransferError::Closed);
        }
        if left.is_empty() {
            return Ok(0);
        }
        let _guard = self.writers.lock.lock_until(deadline)?;
        self.writers.patience.note();
        let (written, stop) = match &self.ring {
            None => self.pass(&mut left, deadline),
            Some(ring) => self.keep(ring, &mut left, deadline),
        };
        match stop {
            Some(stop) if written == 0 => Err(stop),
            _ => Ok(written),
        }
    }

    /// Waits until readers have taken all. The caller holds the writers' lock.
    fn pass(&self, left: &mut Slices<'_>, deadline: Deadline) -> (usize, Option<TransferError>) {
        let mut written = 0;
        loop {
            written += self.fill(left);
            if left.is_empty() {
                return (written, None);
            }
            if let Some((taken, stop)) = self.offer(*left, 0, |rendezvous| rendezvous.await_readers(deadline)) {
                return (written + taken, stop);
            }
        }
    }

    /// Puts all into the ring, or into the hands of a reader that is there. The caller holds the writers' lock.
    fn keep(&self, ring: &Ring, left: &mut Slices<'_>, deadline: Deadline) -> (usize, Option<TransferError>) {
        let mut written = 0;
        loop {
            let state = self.state();
            if let Some(stop) = closed_to_writers(state) {
                return (written, Some(stop));
            }
            if left.has(DIRECT) {
                let taken = self.hand_over(ring, left);
                written += taken;
                if left.is_empty() {
                    return (written, None);
                }
                if taken > 0 {
                    continue;
                }
            }
            // SAFETY: this thread holds the writers' lock.
            written += unsafe { ring.push(left) };
            fence(SeqCst);
            self.wake(self.meeting.word.value.load(Relaxed), R_ASLEEP);
            if left.is_empty() {
                return (written, None);
            }
            let patience = (&self.writers.patience, &self.readers.patience);
            let check = |state| (closed_to_writers(state).is_some() || ring.has_room()).then_some(());
            if self.meeting.word.wait(W_ASLEEP, patience, deadline, check).is_err() {
                return (written, Some(TransferError::TimedOut));
            }
        }
    }

    /// Hands a big write to a reader that waits, or comes within a moment. That spares a copy, and the way through a ring that is
    /// larger than a cache.
    fn hand_over(&self, ring: &Ring, left: &mut Slices<'_>) -> usize {
        let filled = if ring.is_empty() { self.fill(left) } else { 0 };
        if filled > 0 {
            return filled;
        }
        let (skip, next) = &self.skips;
        let skips = skip.load(Relaxed);
        if skips > 0 {
            skip.store(skips - 1, Relaxed);
            return 0;
        }
        let taken = self.hand_over_soon(ring, left);
        // One that reads little at a time is better served by the ring.
        if taken >= DIRECT {
            next.store(1, Relaxed);
        } else {
            let skips = next.load(Relaxed);
            skip.store(skips, Relaxed);
            next.store((skips * 2).min(MOST_SKIPPED), Relaxed);
        }
        taken
    }

    fn hand_over_soon(&self, ring: &Ring, left: &mut Slices<'_>) -> usize {
        if !empties_soon(&self.readers.patience, || ring.len()) {
            return 0;
        }
        let filled = self.fill(left);
        if filled > 0 {
            return filled;
        }
        let briefly = |rendezvous: &Rendezvous| {
            look_briefly(&rendezvous.readers.patience, || rendezvous.state() & PHASE != OFFERED);
            None
        };
        let Some((taken, _)) = self.offer(*left, RETURN, briefly) else {
            return self.fill(left);
        };
        left.skip(taken);
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

fn closed_to_writers(state: u32) -> Option<TransferError> {
    if state & W_CLOSED != 0 {
        Some(TransferError::Closed)
    } else {
        (state & R_CLOSED != 0).then_some(TransferError::PeerClosed)
    }
}
