//! Bytes that wait between one writer and one reader.

#[cfg(not(all(test, loom)))]
use std::alloc::{Layout, alloc_zeroed};
use std::io::IoSliceMut;
#[cfg(not(all(test, loom)))]
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::slices::Slices;
use super::sync::{Apart, AtomicUsize};

/// A bounded queue of bytes. One thread at a time may use the writer's functions, and one the reader's: the holders of the sides' locks.
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
    /// The head as the writer last read it.
    head: AtomicUsize,
}

impl Ring {
    /// Panics when there is no memory for as much. The capacity is not 0.
    pub(super) fn new(capacity: usize) -> Self {
        let tail = Tail { at: AtomicUsize::new(0), head: AtomicUsize::new(0) };
        Ring { bytes: Bytes::new(capacity), capacity, head: Apart(AtomicUsize::new(0)), tail: Apart(tail) }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The number of bytes that wait. For the reader there are at least as many, for the writer at most.
    pub(super) fn len(&self) -> usize {
        self.between(self.head.load(Acquire), self.tail.at.load(Acquire))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn has_room(&self) -> bool {
        self.len() < self.capacity
    }

    /// Takes as many bytes as there is room for.
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

    /// Copies out as many bytes as fit.
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

// SAFETY: bytes belong to no thread; the callers of `fill` and `copy` keep to different parts.
unsafe impl Send for Bytes {}
// SAFETY: as above.
unsafe impl Sync for Bytes {}

/// Memory of which two threads use different parts at a time.
#[cfg(not(all(test, loom)))]
struct Bytes(NonNull<[u8]>);

#[cfg(not(all(test, loom)))]
impl Bytes {
    /// Zeroed memory that is not touched yet: a large pipe takes up what it holds. `vec!` would abort where there is none.
    fn new(count: usize) -> Self {
        let memory = Layout::array::<u8>(count).ok().and_then(|layout| {
            // SAFETY: `count` is not 0.
            NonNull::new(unsafe { alloc_zeroed(layout) })
        });
        let Some(start) = memory else { panic!("no memory for a pipe with a capacity of {count} bytes") };
        Bytes(NonNull::slice_from_raw_parts(start, count))
    }

    fn start(&self) -> *mut u8 {
        self.0.as_ptr().cast()
    }

    /// # Safety
    /// The part is within the memory, and no other thread uses it.
    unsafe fn fill(&self, at: usize, from: &[u8]) {
        // SAFETY: within the memory, by this function's contract.
        let place = unsafe { self.start().add(at) };
        // SAFETY: no other thread uses the part, and so it is no part of `from`.
        unsafe { place.copy_from_nonoverlapping(from.as_ptr(), from.len()) };
    }

    /// # Safety
    /// The part is within the memory, and no thread writes to it.
    unsafe fn copy(&self, at: usize, into: &mut [u8]) {
        // SAFETY: within the memory, by this function's contract.
        let place = unsafe { self.start().add(at) };
        // SAFETY: no thread writes to the part, and so it is no part of `into`.
        unsafe { place.copy_to_nonoverlapping(into.as_mut_ptr(), into.len()) };
    }
}

#[cfg(not(all(test, loom)))]
impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: `new` allocated it like a box of as many bytes; it is freed once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// The same for loom, which watches each use of each byte.
#[cfg(all(test, loom))]
struct Bytes(Vec<super::sync::UnsafeCell<u8>>);

#[cfg(all(test, loom))]
impl Bytes {
    fn new(count: usize) -> Self {
        Bytes((0..count).map(|_| super::sync::UnsafeCell::new(0)).collect())
    }

    unsafe fn fill(&self, at: usize, from: &[u8]) {
        for (cell, byte) in self.0[at..].iter().zip(from) {
            // SAFETY: loom fails the model when another thread uses it.
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
