//! Bytes that wait between one writer and one reader.

use std::io::IoSliceMut;
#[cfg(not(all(test, loom)))]
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::slices::Slices;
use super::sync::{Apart, AtomicUsize};

/// A bounded queue of bytes. One thread at a time may use the writer's functions, and one the reader's: those who have the turn.
///
/// Positions run from 0 to twice the capacity and start over, so that full and empty differ whatever the capacity. The bytes between
/// `head` and `tail` are the reader's, all others the writer's.
pub(super) struct Ring {
    bytes: Bytes,
    capacity: usize,
    head: Apart<AtomicUsize>,
    tail: Apart<Tail>,
}

struct Tail {
    at: AtomicUsize,
    /// Where the writer last knew the head to be.
    head: AtomicUsize,
}

impl Ring {
    pub(super) fn new(capacity: usize) -> Self {
        let tail = Tail { at: AtomicUsize::new(0), head: AtomicUsize::new(0) };
        Ring { bytes: Bytes::new(capacity), capacity, head: Apart(AtomicUsize::new(0)), tail: Apart(tail) }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// For both: the bytes that wait. The reader's are those at least, the writer's those at most.
    pub(super) fn len(&self) -> usize {
        self.between(self.head.load(Acquire), self.tail.at.load(Acquire))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn has_room(&self) -> bool {
        self.len() < self.capacity
    }

    /// Takes what there is room for.
    ///
    /// # Safety
    /// The caller holds the writers' lock.
    pub(super) unsafe fn push(&self, from: &mut Slices<'_>) -> usize {
        let tail = self.tail.at.load(Relaxed);
        let mut room = self.capacity - self.between(self.tail.head.load(Relaxed), tail);
        if room < from.first.len() || room == 0 {
            let head = self.head.load(Acquire);
            self.tail.head.store(head, Relaxed);
            room = self.capacity - self.between(head, tail);
        }
        let mut at = tail;
        let mut pushed = 0;
        while room > pushed && !from.is_empty() {
            let index = self.index(at);
            let piece = from.first;
            let count = piece.len().min(room - pushed).min(self.capacity - index);
            // SAFETY: the places from `tail` on, as many as there is room for, are the writer's.
            unsafe { self.bytes.fill(index, &piece[..count]) };
            from.advance(count);
            at = self.after(at, count);
            pushed += count;
        }
        self.tail.at.store(at, Release);
        pushed
    }

    /// Gives out what is there, as far as it fits.
    ///
    /// # Safety
    /// The caller holds the readers' lock.
    pub(super) unsafe fn pull(&self, into: &mut [IoSliceMut<'_>]) -> usize {
        let head = self.head.load(Relaxed);
        let ready = self.between(head, self.tail.at.load(Acquire));
        let mut at = head;
        let mut pulled = 0;
        for slice in into {
            let mut rest = &mut slice[..];
            while !rest.is_empty() && pulled < ready {
                let index = self.index(at);
                let count = rest.len().min(ready - pulled).min(self.capacity - index);
                let (piece, after) = rest.split_at_mut(count);
                // SAFETY: the places from `head` to `tail` are the reader's.
                unsafe { self.bytes.copy(index, piece) };
                rest = after;
                at = self.after(at, count);
                pulled += count;
            }
        }
        self.head.store(at, Release);
        pulled
    }

    fn between(&self, head: usize, tail: usize) -> usize {
        if tail >= head { tail - head } else { tail + 2 * self.capacity - head }
    }

    fn index(&self, position: usize) -> usize {
        if position < self.capacity { position } else { position - self.capacity }
    }

    fn after(&self, position: usize, count: usize) -> usize {
        let next = position + count;
        if next < 2 * self.capacity { next } else { next - 2 * self.capacity }
    }
}

/// Memory of which two threads use different parts.
#[cfg(not(all(test, loom)))]
struct Bytes(NonNull<[u8]>);

// SAFETY: bytes belong to no thread; who uses which part is the callers' affair.
#[cfg(not(all(test, loom)))]
unsafe impl Send for Bytes {}
// SAFETY: as above.
#[cfg(not(all(test, loom)))]
unsafe impl Sync for Bytes {}

#[cfg(not(all(test, loom)))]
impl Bytes {
    fn new(count: usize) -> Self {
        // Zeroed memory that is not touched yet.
        Bytes(NonNull::from(Box::leak(vec![0; count].into_boxed_slice())))
    }

    fn start(&self) -> *mut u8 {
        self.0.as_ptr().cast()
    }

    /// # Safety
    /// The part is within the memory, and nobody else uses it.
    unsafe fn fill(&self, at: usize, from: &[u8]) {
        // SAFETY: within the memory, says the caller.
        let place = unsafe { self.start().add(at) };
        // SAFETY: nobody else uses the part, and so it is no part of `from`.
        unsafe { place.copy_from_nonoverlapping(from.as_ptr(), from.len()) };
    }

    /// # Safety
    /// The part is within the memory, and nobody writes to it.
    unsafe fn copy(&self, at: usize, into: &mut [u8]) {
        // SAFETY: within the memory, says the caller.
        let place = unsafe { self.start().add(at) };
        // SAFETY: nobody writes to the part, and so it is no part of `into`.
        unsafe { place.copy_to_nonoverlapping(into.as_mut_ptr(), into.len()) };
    }
}

#[cfg(not(all(test, loom)))]
impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: from the box that `new` made, and given back once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// The same for loom, which watches who uses which byte when.
#[cfg(all(test, loom))]
struct Bytes(Vec<super::sync::UnsafeCell<u8>>);

#[cfg(all(test, loom))]
impl Bytes {
    fn new(count: usize) -> Self {
        Bytes((0..count).map(|_| super::sync::UnsafeCell::new(0)).collect())
    }

    unsafe fn fill(&self, at: usize, from: &[u8]) {
        for (cell, byte) in self.0[at..].iter().zip(from) {
            // SAFETY: loom fails the model when somebody else uses it.
            cell.with_mut(|place| unsafe { *place = *byte });
        }
    }

    unsafe fn copy(&self, at: usize, into: &mut [u8]) {
        for (cell, byte) in self.0[at..].iter().zip(into) {
            // SAFETY: as above.
            *byte = cell.with(|place| unsafe { *place });
        }
    }
}
