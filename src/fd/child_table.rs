//! Which descriptors a child gets under which numbers, and the order of system calls that gets it there.
//!
//! Pure: nothing here touches a descriptor.

use std::os::fd::RawFd;

use crate::sys::child::{FdOp, FdSource};

#[cfg(test)]
mod tests;

/// Which descriptors a child gets, by their numbers there.
///
/// One source may appear under any number of targets, and sources and targets may overlap in every way:
/// a swap of 0 and 1 is an ordinary map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ChildTable {
    /// Sorted by target, each target once.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    target: RawFd,
    source: RawFd,
    /// An exec leaves it open as it is, so that one that keeps its number needs nothing done.
    inheritable: bool,
}

/// A pair of numbers was not taken into a [`ChildTable`]: the child's is taken, or one is below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

impl ChildTable {
    /// An empty table: the child gets no descriptor.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The parent's `source` appears in the child as `target`.
    ///
    /// # Errors
    /// When `target` is in the map already, and for numbers below zero. The map is unchanged then.
    pub(crate) fn insert(&mut self, source: RawFd, target: RawFd) -> Result<(), Refused> {
        self.put(Entry { target, source, inheritable: false })
    }

    /// The parent's `number`, which an exec leaves open, is the child's, too.
    ///
    /// # Errors
    /// It fails like [`insert`](Self::insert).
    pub(crate) fn insert_open(&mut self, number: RawFd) -> Result<(), Refused> {
        self.put(Entry { target: number, source: number, inheritable: true })
    }

    fn put(&mut self, entry: Entry) -> Result<(), Refused> {
        if entry.source < 0 || entry.target < 0 {
            return Err(Refused);
        }
        match self.entries.binary_search_by_key(&entry.target, |entry| entry.target) {
            Ok(_) => Err(Refused),
            Err(at) => {
                self.entries.insert(at, entry);
                Ok(())
            }
        }
    }

    /// The child's numbers, ascending.
    pub(crate) fn targets(&self) -> impl Iterator<Item = RawFd> {
        self.entries.iter().map(|entry| entry.target)
    }

    /// The first number that nothing in the child is copied from.
    pub(crate) fn needed_below(&self) -> u32 {
        let last = self.entries.iter().map(|entry| entry.source).max().unwrap_or(-1);
        u32::try_from(last).map_or(0, |last| last + 1) // an i32 plus one fits
    }

    /// The steps that turn a copy of the parent's table into the child's, up to closing the rest (see [`gaps`]).
    ///
    /// Invariant: **an op never overwrites a number that a later op still reads.**
    ///
    /// Proof. Call an entry *blocked* while another pending entry reads its target number. The first loop performs only entries
    /// that are not blocked, so it keeps the invariant; performing one may unblock only the entry that overwrites
    /// the number just read. When it runs dry, every pending entry is read by at least one pending entry, and each reads only one
    /// number, so by counting each is read by exactly one: what is left is disjoint cycles. In each, the second loop
    /// first makes sure that one member's old content also exists elsewhere, at a number that no later op writes: a target
    /// finished by the first loop, or a saved copy above every number in the map. That member's one reader is
    /// sent to the copy, which unblocks the member; performing it unblocks the next one, and so on around the cycle.
    /// An entry whose source is its target writes nothing but a flag, so it blocks no entry and no entry blocks it. ∎
    ///
    /// A cycle costs a save only if no entry outside reads it, and no order of `dup2` alone can do such a cycle:
    /// its first write would destroy the only copy. So the number of saves is the least possible.
    pub(crate) fn plan(&self) -> Vec<FdOp> {
        let mut ops = Vec::with_capacity(self.entries.len() + 1);

        // overwriter[i]: the entry that will overwrite the number entry i reads.
        let overwriter: Vec<Option<usize>> =
            self.entries.iter().map(|entry| self.overwriter_of(entry.source)).collect();
        let mut readers = vec![0_usize; self.entries.len()];
        for &w in overwriter.iter().flatten() {
            readers[w] += 1;
        }

        let mut ready = Vec::new();
        let mut pending = vec![true; self.entries.len()];
        for (i, entry) in self.entries.iter().enumerate() {
            if entry.is_kept() {
                if !entry.inheritable {
                    ops.push(FdOp::Keep { fd: entry.target });
                }
                pending[i] = false;
            } else if readers[i] == 0 {
                ready.push(i);
            }
        }

        // copies[i]: a finished target that holds what the target number of entry i held at the start.
        let mut copies: Vec<Option<RawFd>> = vec![None; self.entries.len()];
        while let Some(i) = ready.pop() {
            let Entry { source, target, .. } = self.entries[i];
            ops.push(FdOp::Dup2 { from: FdSource::Fd(source), to: target });
            pending[i] = false;
            if let Some(w) = overwriter[i] {
                copies[w] = Some(target);
                readers[w] -= 1;
                if readers[w] == 0 {
                    ready.push(w);
                }
            }
        }

        let mut temps = 0;
        for start in 0..self.entries.len() {
            if !pending[start] {
                continue;
            }
            let cycle: Vec<usize> =
                std::iter::successors(Some(start), |&i| overwriter[i].filter(|&next| next != start)).collect();
            let first = cycle.iter().position(|&i| copies[i].is_some()).unwrap_or(0);
            let opened = cycle[first];
            let copy = copies[opened].map_or(FdSource::Temp(temps), FdSource::Fd);
            if copy == FdSource::Temp(temps) {
                ops.push(FdOp::Save { from: self.entries[opened].target, above: self.above(), temp: temps });
                temps += 1;
            }
            for &i in cycle[first..].iter().chain(&cycle[..first]) {
                let Entry { source, target, .. } = self.entries[i];
                let from = if overwriter[i] == Some(opened) { copy } else { FdSource::Fd(source) };
                ops.push(FdOp::Dup2 { from, to: target });
                pending[i] = false;
            }
        }
        ops
    }

    /// The entry that gives `number` another content in the child, if one does.
    fn overwriter_of(&self, number: RawFd) -> Option<usize> {
        let at = self.entries.binary_search_by_key(&number, |entry| entry.target).ok()?;
        (!self.entries[at].is_kept()).then_some(at)
    }

    /// A number greater than every one in the map, and clear of the standard streams.
    ///
    /// Saturates at `i32::MAX`, which no table reaches (`nr_open` ends below it): the kernel then says so.
    fn above(&self) -> RawFd {
        self.entries.iter().map(|entry| entry.source.max(entry.target)).fold(2, RawFd::max).saturating_add(1)
    }
}

impl Entry {
    fn is_kept(self) -> bool {
        self.source == self.target
    }
}

/// The ranges of descriptor numbers (inclusive, as `close_range` takes them) to close so that exactly `keep`, ascending, stays.
pub(crate) fn gaps(keep: &[RawFd]) -> Vec<(u32, u32)> {
    debug_assert!(keep.is_sorted(), "{keep:?}");
    let mut gaps = Vec::with_capacity(keep.len() + 1);
    let mut next = 0;
    for &fd in keep {
        // No descriptor is negative: such a number keeps nothing.
        let Ok(fd) = u32::try_from(fd) else { continue };
        if fd > next {
            gaps.push((next, fd - 1));
        }
        next = fd + 1; // an i32 plus one fits
    }
    gaps.push((next, u32::MAX));
    gaps
}
