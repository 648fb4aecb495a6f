//! Turns: one writer, or one reader, at a time.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::park::{TimedOut, lock, sleep};
use super::sync::{AtomicU32, Condvar, Mutex};
use crate::clock::Deadline;

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/// Taken, and somebody may sleep.
const AWAITED: u32 = 2;

/// How often to look before sleeping.
const PAUSES: u32 = if cfg!(all(test, loom)) { 0 } else { 100 };
const YIELDS: u32 = if cfg!(all(test, loom)) { 0 } else { 20 };

/// A lock that can be waited for with a deadline. It is held over whole calls, in which nothing of the caller's runs.
pub(super) struct Turn {
    state: AtomicU32,
    lock: Mutex<()>,
    freed: Condvar,
}

/// A turn that is had; it passes on when dropped.
pub(super) struct Taken<'t>(&'t Turn);

impl Turn {
    pub(super) fn new() -> Self {
        Turn { state: AtomicU32::new(FREE), lock: Mutex::new(()), freed: Condvar::new() }
    }

    pub(super) fn take(&self, deadline: Deadline) -> Result<Taken<'_>, TimedOut> {
        if self.try_take() { Ok(Taken(self)) } else { self.wait(deadline) }
    }

    fn try_take(&self) -> bool {
        self.state.compare_exchange(FREE, TAKEN, Acquire, Relaxed).is_ok()
    }

    #[cold]
    fn wait(&self, deadline: Deadline) -> Result<Taken<'_>, TimedOut> {
        for round in 0..PAUSES + YIELDS {
            if round < PAUSES {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
            if self.state.load(Relaxed) == FREE && self.try_take() {
                return Ok(Taken(self));
            }
        }
        let mut guard = lock(&self.lock);
        // Whoever takes it here leaves it marked as awaited: others may sleep, too.
        while self.state.swap(AWAITED, Acquire) != FREE {
            if deadline.passed() {
                return Err(TimedOut);
            }
            guard = sleep(&self.freed, guard, deadline);
        }
        Ok(Taken(self))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.0.state.swap(FREE, Release) == AWAITED {
            drop(lock(&self.0.lock));
            self.0.freed.notify_one();
        }
    }
}
