//! Bytes from one thread's slices to another's, under the pipe in memory.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::clock::Deadline;

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

/// The meeting point of readers and writers.
pub(crate) struct Handoff {
    inner: Mutex<Inner>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct Inner {
    /// What the writer whose turn it is has left to give.
    offer: VecDeque<u8>,
    ring: VecDeque<u8>,
    writing: bool,
    reader_closed: bool,
    writer_closed: bool,
}

impl Handoff {
    /// With a capacity of 0 a write waits until it is read.
    pub(crate) fn new(capacity: usize) -> Self {
        let ring = VecDeque::with_capacity(capacity);
        Handoff { inner: Mutex::new(Inner { ring, ..Inner::default() }), changed: Condvar::new(), capacity }
    }

    /// Closes a side for good, and wakes everybody.
    pub(crate) fn close(&self, side: Side) {
        match side {
            Side::Reader => self.lock().reader_closed = true,
            Side::Writer => self.lock().writer_closed = true,
        }
        self.changed.notify_all();
    }

    pub(crate) fn is_closed(&self, side: Side) -> bool {
        match side {
            Side::Reader => self.lock().reader_closed,
            Side::Writer => self.lock().writer_closed,
        }
    }

    /// Waits for bytes; the number read, which is 0 only when there is no room for any.
    pub(crate) fn read(&self, into: &mut [IoSliceMut<'_>], deadline: Deadline) -> Result<usize, Stop> {
        let mut inner = self.lock();
        let has_room = into.iter().any(|slice| !slice.is_empty());
        loop {
            if inner.reader_closed {
                return Err(Stop::Closed);
            }
            if !has_room {
                return Ok(0);
            }
            let Inner { offer, ring, .. } = &mut *inner;
            let from = if ring.is_empty() { offer } else { ring };
            if !from.is_empty() {
                let mut read = 0;
                for slice in into {
                    let count = slice.len().min(from.len());
                    for (place, byte) in slice.iter_mut().zip(from.drain(..count)) {
                        *place = byte;
                    }
                    read += count;
                }
                self.changed.notify_all();
                return Ok(read);
            }
            if inner.writer_closed && !inner.writing {
                return Err(Stop::PeerClosed);
            }
            inner = self.wait(inner, deadline)?;
        }
    }

    /// Waits until all bytes are taken, or kept in the ring; the number of those that are. None of several is an error, and so
    /// is a stop before the first.
    pub(crate) fn write(&self, from: &[IoSlice<'_>], deadline: Deadline) -> Result<usize, Stop> {
        let bytes: VecDeque<u8> = from.iter().flat_map(|slice| slice.iter().copied()).collect();
        let total = bytes.len();
        let mut inner = self.lock();
        loop {
            if inner.writer_closed {
                return Err(Stop::Closed);
            }
            if total == 0 {
                return Ok(0);
            }
            if inner.reader_closed {
                return Err(Stop::PeerClosed);
            }
            if !inner.writing {
                break;
            }
            inner = self.wait(inner, deadline)?;
        }
        inner.writing = true;
        inner.offer = bytes;
        self.changed.notify_all();
        let stop = loop {
            let Inner { offer, ring, .. } = &mut *inner;
            if self.capacity > 0 {
                let room = (self.capacity - ring.len()).min(offer.len());
                ring.extend(offer.drain(..room));
                self.changed.notify_all();
            }
            if offer.is_empty() {
                break None;
            }
            if inner.reader_closed {
                break Some(Stop::PeerClosed);
            }
            if inner.writer_closed {
                break Some(Stop::Closed);
            }
            if deadline.passed() {
                break Some(Stop::TimedOut);
            }
            inner = self.wait(inner, deadline).unwrap_or_else(|_| self.lock());
        };
        let written = total - inner.offer.len();
        inner.offer.clear();
        inner.writing = false;
        self.changed.notify_all();
        match stop {
            Some(stop) if written == 0 => Err(stop),
            _ => Ok(written),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'i>(&self, inner: MutexGuard<'i, Inner>, deadline: Deadline) -> Result<MutexGuard<'i, Inner>, Stop> {
        match deadline.remaining() {
            None => Ok(self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner)),
            Some(left) if left.is_zero() => Err(Stop::TimedOut),
            Some(left) => Ok(self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0),
        }
    }
}
