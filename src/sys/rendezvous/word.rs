//! An atomic word whose changes can be waited for.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::time::Instant;

use super::backoff::Backoff;
use super::sync::{AtomicU32, Condvar, Mutex, MutexGuard, fence};
use crate::clock::Deadline;

/// The deadline has passed.
#[derive(Debug)]
pub(super) struct TimedOut;

/// How one side waits for the other.
#[derive(Clone, Copy)]
pub(super) struct Wait<'a> {
    /// The bit that says that this side sleeps.
    pub(super) mark: u32,
    pub(super) own: &'a Backoff,
    pub(super) other: &'a Backoff,
    pub(super) deadline: Deadline,
}

/// A thread that is to sleep sets its mark in the word first. A thread that changes something that others wait for, and finds marks, clears them
/// and wakes. What is waited for may lie outside of the word: then either side has a `fence(SeqCst)` between its own write (of the
/// mark, or of what changed) and its look at the other's, so that one of the two sees the other's write.
pub(super) struct Word {
    pub(super) value: AtomicU32,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Word {
    pub(super) fn new() -> Self {
        Word { value: AtomicU32::new(0), lock: Mutex::new(()), changed: Condvar::new() }
    }

    /// Waits until `check` gives something for the word's value.
    pub(super) fn wait<T>(&self, wait: Wait<'_>, check: impl Fn(u32) -> Option<T>) -> Result<T, TimedOut> {
        match self.spin(wait, &check) {
            Some(found) => Ok(found),
            None => self.yield_then_sleep(wait, check),
        }
    }

    /// The first part of a wait: for as long as the other side may be at work on another processor. A deadline that has passed leaves one
    /// look.
    pub(super) fn spin<T>(&self, wait: Wait<'_>, check: impl Fn(u32) -> Option<T>) -> Option<T> {
        let look = || check(self.value.load(Acquire));
        let found = look();
        if found.is_some() || !wait.other.may_run_beside() || wait.deadline.passed() {
            return found;
        }
        wait.own.spin(look)
    }

    /// The second part.
    pub(super) fn yield_then_sleep<T>(&self, wait: Wait<'_>, check: impl Fn(u32) -> Option<T>) -> Result<T, TimedOut> {
        let look = || check(self.value.load(Acquire));
        if let Some(found) = look() {
            return Ok(found);
        }
        if let Some(found) = wait.own.yield_until(wait.other.may_run_beside(), wait.deadline, look) {
            return Ok(found);
        }
        let since = Instant::now();
        let result = self.sleep(wait.mark, wait.deadline, check);
        wait.own.slept(since.elapsed());
        result
    }

    fn sleep<T>(&self, mark: u32, deadline: Deadline, check: impl Fn(u32) -> Option<T>) -> Result<T, TimedOut> {
        // Held until the sleep: a thread that has seen the mark takes the lock before it wakes, and so wakes no thread that is still awake.
        let mut guard = lock(&self.lock);
        loop {
            let value = self.value.fetch_or(mark, AcqRel) | mark;
            fence(SeqCst);
            if let Some(found) = check(value) {
                self.value.fetch_and(!mark, Relaxed);
                return Ok(found);
            }
            if deadline.passed() {
                self.value.fetch_and(!mark, Relaxed);
                return Err(TimedOut);
            }
            guard = sleep(&self.changed, guard, deadline);
        }
    }

    /// Wakes the sides that have these marks.
    #[cold]
    pub(super) fn wake(&self, marks: u32) {
        self.value.fetch_and(!marks, Relaxed);
        drop(lock(&self.lock));
        self.changed.notify_all();
    }
}

/// Like `crate::lock::lock`, also for loom's mutex.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn sleep<'m, T>(changed: &Condvar, guard: MutexGuard<'m, T>, deadline: Deadline) -> MutexGuard<'m, T> {
    match deadline.remaining() {
        None => changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
        Some(left) => changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0,
    }
}
