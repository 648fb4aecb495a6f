//! The lock of one side: one writer, or one reader, at a time.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::backoff::budget;
use super::sync::{AtomicU32, Condvar, Mutex};
use super::word::{TimedOut, lock, sleep};
use crate::clock::Deadline;

const LOCKED: u32 = 1;
/// Threads wait: an unlock has to look at the queue.
const WAITERS: u32 = 2;

/// Looks before sleeping, some 5 us: as long as a small write takes.
const PAUSES: u32 = budget(100, 4);
/// How many locks by other threads the thread that has waited longest lets pass. A free lock goes to any thread that is awake: that
/// is many times faster than a switch of threads for each write. Four busy writers and one that writes now and then, two processors: with
/// 64 the busy ones write half as much as with 512, and with 2048 no more.
pub(super) const MAX_PASSED_OVER: u32 = if cfg!(all(test, loom)) { 1 } else { 512 };

/// A lock that can be waited for with a deadline. It is held over whole calls, in which nothing of the caller's runs.
pub(super) struct SideLock {
    state: AtomicU32,
    queue: Mutex<Queue>,
    freed: Condvar,
}

/// The threads that wait.
struct Queue {
    /// Their tickets, the oldest first.
    tickets: VecDeque<u64>,
    next_ticket: u64,
    /// How many unlocks the oldest has seen.
    passed_over: u32,
    /// The lock, still locked, belongs to the thread with this ticket, which may still sleep.
    handed_to: Option<u64>,
    /// A thread was woken and has not looked yet: no other needs waking.
    is_waking: bool,
}

/// Unlocks when dropped.
pub(super) struct SideLockGuard<'l>(&'l SideLock);

impl SideLock {
    pub(super) fn new() -> Self {
        let queue =
            Queue { tickets: VecDeque::new(), next_ticket: 0, passed_over: 0, handed_to: None, is_waking: false };
        SideLock { state: AtomicU32::new(0), queue: Mutex::new(queue), freed: Condvar::new() }
    }

    pub(super) fn lock_until(&self, deadline: Deadline) -> Result<SideLockGuard<'_>, TimedOut> {
        self.try_lock().map_or_else(|| self.wait(deadline), Ok)
    }

    pub(super) fn try_lock(&self) -> Option<SideLockGuard<'_>> {
        let mut locked = self.state.compare_exchange(0, LOCKED, Acquire, Relaxed);
        if locked == Err(WAITERS) {
            locked = self.state.compare_exchange(WAITERS, WAITERS | LOCKED, Acquire, Relaxed);
        }
        locked.is_ok().then(|| SideLockGuard(self))
    }

    #[cfg(test)]
    pub(super) fn has_waiters(&self) -> bool {
        self.state.load(Relaxed) & WAITERS != 0
    }

    #[cold]
    fn wait(&self, deadline: Deadline) -> Result<SideLockGuard<'_>, TimedOut> {
        let pauses = if deadline.passed() { 0 } else { PAUSES };
        for _ in 0..pauses {
            std::hint::spin_loop();
            if let Some(guard) = self.try_lock() {
                return Ok(guard);
            }
        }
        let mut queue = lock(&self.queue);
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.tickets.push_back(ticket);
        self.state.fetch_or(WAITERS, Relaxed);
        let result = loop {
            if queue.handed_to == Some(ticket) {
                queue.handed_to = None;
                break Ok(SideLockGuard(self));
            }
            if self.state.fetch_or(LOCKED, Acquire) & LOCKED == 0 {
                break Ok(SideLockGuard(self));
            }
            if deadline.passed() {
                break Err(TimedOut);
            }
            queue = sleep(&self.freed, queue, deadline);
            queue.is_waking = false;
        };
        if queue.tickets.front() == Some(&ticket) {
            queue.passed_over = 0;
        }
        queue.tickets.retain(|other| *other != ticket);
        if queue.tickets.is_empty() {
            self.state.fetch_and(!WAITERS, Relaxed);
        }
        result
    }

    /// Unlocks while threads wait. Each of them looks at the state with the queue locked before it sleeps: it either sees the lock free or
    /// handed to it, or is in the queue, and asleep, when this wakes one.
    #[cold]
    fn unlock_with_waiters(&self) {
        let mut queue = lock(&self.queue);
        match queue.tickets.front() {
            Some(&oldest) if queue.passed_over >= MAX_PASSED_OVER => {
                queue.handed_to = Some(oldest);
                drop(queue);
                self.freed.notify_all();
            }
            _ => {
                queue.passed_over += 1;
                self.state.fetch_and(!LOCKED, Release);
                let wakes = !queue.tickets.is_empty() && !queue.is_waking;
                queue.is_waking |= wakes;
                drop(queue);
                if wakes {
                    self.freed.notify_one();
                }
            }
        }
    }
}

impl Drop for SideLockGuard<'_> {
    fn drop(&mut self) {
        if self.0.state.compare_exchange(LOCKED, 0, Release, Relaxed).is_err() {
            self.0.unlock_with_waiters();
        }
    }
}
