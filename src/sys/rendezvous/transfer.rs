//! Reading and writing: the ways that bytes may take.

use std::io::{IoSlice, IoSliceMut};
use std::sync::atomic::Ordering::{AcqRel, Relaxed, SeqCst};

use super::backoff::{await_empty, gather, look_briefly};
use super::meeting::Meeting;
use super::ring::Ring;
use super::slices::Slices;
use super::state::{
    FILLED, LOAN, OFFERED, PHASE, R_ASLEEP, R_CLOSED, RETURN, Side, TransferError, W_ASLEEP, W_CLOSED,
    closed_to_writers,
};
use super::sync::{AtomicU32, fence};
use super::word::TimedOut;
use crate::clock::Deadline;

/// A write of at least this many bytes goes past an empty ring to a reader that is there, if one is: below that, finding a reader takes
/// longer than the copy that it saves.
pub(super) const DIRECT: usize = if cfg!(all(test, loom)) {
    2
} else if cfg!(miri) {
    64
} else {
    16 * 1024
};
/// After a direct transfer has failed, 1, 2, 4 … big writes go to the ring at once, and at most this many.
const MOST_SKIPPED: u32 = 64;

/// The meeting point of readers and writers.
pub(crate) struct Rendezvous {
    pub(super) meeting: Meeting,
    ring: Option<Ring>,
    /// How many big writes are to go to the ring at once, and how many after the next failure.
    skips: (AtomicU32, AtomicU32),
}

/// What a reader finds.
enum Found {
    Filled(usize),
    Closed,
    Kept,
    Offered(u32),
    Ended,
}

impl Rendezvous {
    /// With a capacity of 0, a write waits until it is read. Panics when there is no memory for `capacity` bytes.
    pub(crate) fn new(capacity: usize) -> Self {
        Rendezvous {
            meeting: Meeting::new(),
            ring: (capacity > 0).then(|| Ring::new(capacity)),
            skips: (AtomicU32::new(0), AtomicU32::new(1)),
        }
    }

    /// Closes a side for good, and wakes both. A thread that waits for its side's lock gets it soon: its holder is woken, too.
    pub(crate) fn close(&self, side: Side) {
        let before = self.meeting.point.word.value.fetch_or(side.closed_bit(), AcqRel);
        self.meeting.wake(before, R_ASLEEP | W_ASLEEP);
    }

    pub(crate) fn is_closed(&self, side: Side) -> bool {
        self.meeting.state() & side.closed_bit() != 0
    }

    /// Waits for bytes; gives their number, which is 0 only when there is no room for any.
    pub(crate) fn read(&self, into: &mut [IoSliceMut<'_>], deadline: Deadline) -> Result<usize, TransferError> {
        if self.is_closed(Side::Reader) {
            return Err(TransferError::Closed);
        }
        if into.iter().all(|slice| slice.is_empty()) {
            return Ok(0);
        }
        let _guard = self.meeting.readers.lock.lock_until(deadline)?;
        self.meeting.readers.backoff.note_cpu();
        loop {
            match self.await_writers(into, deadline)? {
                Found::Filled(count) => return Ok(count),
                Found::Closed => return Err(TransferError::Closed),
                Found::Kept => {
                    if let Some(ring) = &self.ring {
                        return Ok(self.take_kept(ring, into));
                    }
                }
                Found::Offered(state) => {
                    if let Some(count) = self.meeting.claim(state, into) {
                        return Ok(count);
                    }
                }
                Found::Ended => {
                    let Some(ring) = &self.ring else {
                        return Err(TransferError::PeerClosed);
                    };
                    // While this thread holds the writers' lock no write is half done, and no later one begins.
                    drop(self.meeting.writers.lock.lock_until(deadline)?);
                    if ring.is_empty() {
                        return Err(TransferError::PeerClosed);
                    }
                }
            }
        }
    }

    /// The caller holds the readers' lock.
    fn take_kept(&self, ring: &Ring, into: &mut [IoSliceMut<'_>]) -> usize {
        let room = into.iter().fold(0usize, |sum, slice| sum.saturating_add(slice.len()));
        gather(&self.meeting.writers.backoff, room.min(ring.capacity() / 2), || ring.len());
        // SAFETY: this thread holds the readers' lock.
        let read = unsafe { ring.pull(into) };
        fence(SeqCst);
        self.meeting.wake(self.meeting.point.word.value.load(Relaxed), W_ASLEEP);
        read
    }

    /// Waits for something to read; lends the slices once that takes longer than a spin.
    fn await_writers(&self, into: &mut [IoSliceMut<'_>], deadline: Deadline) -> Result<Found, TimedOut> {
        let word = &self.meeting.point.word;
        let wait = self.meeting.wait_of(Side::Reader, deadline);
        if let Some(found) = word.spin(wait, |state| self.find(state)) {
            return Ok(found);
        }
        let check = |state| if state & LOAN == FILLED { Some(Found::Filled(0)) } else { self.find(state) };
        let (found, filled) = self.meeting.lend(into, || word.yield_then_sleep(wait, check));
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

    /// Waits until all bytes are taken by readers or kept in the ring; gives their number. It is an error if none are.
    pub(crate) fn write(&self, from: &[IoSlice<'_>], deadline: Deadline) -> Result<usize, TransferError> {
        let mut left = Slices::new(from);
        if self.is_closed(Side::Writer) {
            return Err(TransferError::Closed);
        }
        if left.is_empty() {
            return Ok(0);
        }
        let _guard = self.meeting.writers.lock.lock_until(deadline)?;
        self.meeting.writers.backoff.note_cpu();
        let (written, error) = match &self.ring {
            None => self.write_to_readers(&mut left, deadline),
            Some(ring) => self.write_to_ring(ring, &mut left, deadline),
        };
        match error {
            Some(error) if written == 0 => Err(error),
            _ => Ok(written),
        }
    }

    /// Waits until readers have taken all. The caller holds the writers' lock.
    fn write_to_readers(&self, left: &mut Slices<'_>, deadline: Deadline) -> (usize, Option<TransferError>) {
        let mut written = 0;
        loop {
            written += self.meeting.fill(left);
            if left.is_empty() {
                return (written, None);
            }
            if let Some((taken, error)) = self.meeting.offer(*left, 0, || self.meeting.await_readers(deadline)) {
                return (written + taken, error);
            }
        }
    }

    /// Puts all into the ring, or into the slices of a reader that is there. The caller holds the writers' lock.
    fn write_to_ring(&self, ring: &Ring, left: &mut Slices<'_>, deadline: Deadline) -> (usize, Option<TransferError>) {
        let mut written = 0;
        loop {
            if let Some(error) = closed_to_writers(self.meeting.state()) {
                return (written, Some(error));
            }
            if left.has(DIRECT) {
                let taken = self.transfer_directly(ring, left, deadline);
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
            self.meeting.wake(self.meeting.point.word.value.load(Relaxed), R_ASLEEP);
            if left.is_empty() {
                return (written, None);
            }
            let check = |state| (closed_to_writers(state).is_some() || ring.has_room()).then_some(());
            if self.meeting.point.word.wait(self.meeting.wait_of(Side::Writer, deadline), check).is_err() {
                return (written, Some(TransferError::TimedOut));
            }
        }
    }

    /// Gives a big write to a reader that waits, or that comes within a moment. That saves one copy, and the way through a ring that is
    /// larger than a cache.
    fn transfer_directly(&self, ring: &Ring, left: &mut Slices<'_>, deadline: Deadline) -> usize {
        let filled = if ring.is_empty() { self.meeting.fill(left) } else { 0 };
        if filled > 0 {
            return filled;
        }
        let (skip, next) = &self.skips;
        let skips = skip.load(Relaxed);
        if skips > 0 {
            skip.store(skips - 1, Relaxed);
            return 0;
        }
        let taken = self.transfer_soon(ring, left, deadline);
        // A reader that takes little at a time is served better by the ring.
        if taken >= DIRECT {
            next.store(1, Relaxed);
        } else {
            let skips = next.load(Relaxed);
            skip.store(skips, Relaxed);
            next.store((skips * 2).min(MOST_SKIPPED), Relaxed);
        }
        taken
    }

    fn transfer_soon(&self, ring: &Ring, left: &mut Slices<'_>, deadline: Deadline) -> usize {
        let readers = &self.meeting.readers.backoff;
        if !await_empty(readers, || ring.len()) {
            return 0;
        }
        let filled = self.meeting.fill(left);
        if filled > 0 {
            return filled;
        }
        let briefly = || {
            look_briefly(readers, deadline, || self.meeting.state() & PHASE != OFFERED);
            None
        };
        let Some((taken, _)) = self.meeting.offer(*left, RETURN, briefly) else {
            return self.meeting.fill(left);
        };
        left.skip(taken);
        taken
    }
}
