//! The bytes that are left of one write.

use std::io::{IoSlice, IoSliceMut};

/// The bytes of several slices that have not been taken yet. The first is not empty unless nothing is left.
#[derive(Clone, Copy)]
pub(super) struct Slices<'a> {
    pub(super) first: &'a [u8],
    pub(super) rest: &'a [IoSlice<'a>],
}

impl<'a> Slices<'a> {
    pub(super) fn new(slices: &'a [IoSlice<'a>]) -> Self {
        let mut all = Slices { first: &[], rest: slices };
        all.advance(0);
        all
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    pub(super) fn advance(&mut self, count: usize) {
        self.first = &self.first[count..];
        while self.first.is_empty() && !self.rest.is_empty() {
            self.first = &self.rest[0];
            self.rest = &self.rest[1..];
        }
    }

    /// Passes over `count` bytes, which may be of several slices.
    pub(super) fn skip(&mut self, mut count: usize) {
        while count > 0 {
            let here = count.min(self.first.len());
            self.advance(here);
            count -= here;
        }
    }

    /// Whether at least `count` bytes are left.
    pub(super) fn has(&self, count: usize) -> bool {
        let mut left = self.first.len();
        let mut rest = self.rest.iter();
        while left < count {
            match rest.next() {
                Some(slice) => left = left.saturating_add(slice.len()),
                None => return false,
            }
        }
        true
    }

    /// Copies as many bytes as fit; gives their number.
    pub(super) fn copy_to(&mut self, into: &mut [IoSliceMut<'_>]) -> usize {
        let mut copied = 0;
        for slice in into {
            let mut room = &mut slice[..];
            while !room.is_empty() && !self.is_empty() {
                let count = room.len().min(self.first.len());
                let (place, after) = room.split_at_mut(count);
                place.copy_from_slice(&self.first[..count]);
                room = after;
                self.advance(count);
                copied += count;
            }
        }
        copied
    }
}
