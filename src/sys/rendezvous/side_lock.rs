//! Turns: one writer, or one reader, at a time.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::park::{TimedOut, lock, sleep};
use super::sync::{AtomicU32, Condvar, Mutex};
use crate::clock::Deadline;

const UNLOCKED: u32 = 0;
const LOCKED: u32 = 1;
/// SideLockGuard, and somebody may sleep.
const CONTENDED: u32 = 2;

/// How often to look before sleeping.
const PAUSES: u32 = if cfg!(all(test, loom)) { 0 } else { 100 };
const YIELDS: u32 = if cfg!(all(test, loom)) { 0 } else { 20 };

/// A lock that can be waited for with a deadline. It is held over whole calls, in which nothing of the caller's runs.
pub(super) struct SideLock {
    state: AtomicU32,
    lock: Mutex<()>,
    freed: Condvar,
}

/// A turn that is had; it passes on when dropped.
pub(super) struct SideLockGuard<'t>(&'t SideLock);

impl SideLock {
    pub(super) fn new() -> Self {
        SideLock { state: AtomicU32::new(UNLOCKED), lock: Mutex::new(()), freed: Condvar::new() }
    }

    pub(super) fn lock_until(&self, deadline: Deadline) -> Result<SideLockGuard<'_>, TimedOut> {
        if self.try_lock() { Ok(SideLockGuard(self)) } else { self.wait(deadline) }
    }

    fn try_lock(&self) -> bool {
        self.state.compare_exchange(UNLOCKED, LOCKED, Acquire, Relaxed).is_ok()
    }

    #[cold]
    fn wait(&self, deadline: Deadline) -> Result<SideLockGuard<'_>, TimedOut> {
        for round in 0..PAUSES + YIELDS {
            if round < PAUSES {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
            if self.state.load(Relaxed) == UNLOCKED && self.try_lock() {
                return Ok(SideLockGuard(self));
            }
        }
        let mut guard = lock(&self.lock);
        // Whoever takes it here leaves it marked as awaited: others may sleep, too.
        while self.state.swap(CONTENDED, Acquire) != UNLOCKED {
            if deadline.passed() {
                return Err(TimedOut);
            }
            guard = sleep(&self.freed, guard, deadline);
        }
        Ok(SideLockGuard(self))
    }
}

impl Drop for SideLockGuard<'_> {
    fn drop(&mut self) {
        if self.0.state.swap(UNLOCKED, Release) == CONTENDED {
            drop(lock(&self.0.lock));
            self.0.freed.notify_one();
        }
    }
}
