//! Waiting: by spinning while the other thread is at it on another processor, by giving way when it is not, and at last by sleeping.

use std::sync::PoisonError;
use std::sync::atomic::AtomicU32 as Guess;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::time::{Duration, Instant};

use super::sync::{Apart, AtomicU32, Condvar, Mutex, MutexGuard, fence};
use crate::clock::Deadline;

/// The deadline has passed.
#[derive(Debug)]
pub(super) struct TimedOut;

/// How often to look before sleeping, at most: some 50 us of spinning and as much of giving way. A thread that sleeps is woken no
/// sooner, and its partner falls asleep meanwhile.
const PAUSES: u32 = if cfg!(all(test, loom)) {
    0
} else if cfg!(miri) {
    4
} else {
    1000
};
const YIELDS: u32 = if cfg!(all(test, loom)) {
    0
} else if cfg!(miri) {
    2
} else {
    200
};
const LEAST_PAUSES: u32 = if PAUSES < 16 { PAUSES } else { 16 };
const LEAST_YIELDS: u32 = if YIELDS < 2 { YIELDS } else { 2 };
/// A microsecond or so: a writer of small pieces has written more by then, even when the two slow each other down.
const GATHER_PAUSES: u32 = 40;
/// So often and no more: a writer that drips must not hold back what there is. Some 40 us in all.
const GATHERINGS: u32 = 8;
/// As often as that a writer looks, some 5 us each, whether the reader gets on.
const EMPTYINGS: u32 = 20;
/// How often to give way to the other side on one processor, and then sleep once.
const PER_SLEEP: u32 = 64;
/// The first of so many times is timed: a clock costs a twentieth of a switch of threads.
const PER_TIMING: u32 = 8;
/// How often to sleep at once after the processor that was given away came back late.
const PER_SLOW: u32 = 32;
/// A sleep as short as this would better have been spent awake, and giving way for longer asleep.
const SHORT: Duration = Duration::from_micros(200);

/// How long a side looks before it sleeps: halved by each long sleep, so that waiting for something slow costs next to nothing.
///
/// These are guesses, which nothing rests on: so they are std's atomics, also in loom's models.
pub(super) struct Patience {
    pauses: Guess,
    yields: Guess,
    /// Where the side was last at work; the other side looks at it.
    cpu: Apart<Guess>,
    /// How often it gave way to others.
    gave_way: Guess,
    /// How often it is not to.
    busy: Guess,
}

impl Patience {
    pub(super) fn new() -> Self {
        Patience {
            pauses: Guess::new(PAUSES),
            yields: Guess::new(YIELDS),
            cpu: Apart(Guess::new(u32::MAX)),
            gave_way: Guess::new(0),
            busy: Guess::new(0),
        }
    }

    /// Notes where the side is at work.
    pub(super) fn note(&self) {
        if let Some(here) = super::cpu::current() {
            if self.cpu.load(Relaxed) != here {
                self.cpu.store(here, Relaxed);
            }
        }
    }

    /// Whether the other side may be running now: it is not when its processor is the one we run on.
    fn may_run_beside(&self) -> bool {
        super::cpu::current().is_none_or(|here| self.cpu.load(Relaxed) != here)
    }

    /// Whether to give way, and whether to time it; none to sleep at once. That is for a busy machine, where others would run first, and a thread that is
    /// woken gets a processor sooner than one that gave it away. And now and then for two threads on one processor: if they only give way they stay there, while
    /// one that is woken is put where there is room.
    fn gives_way(&self, beside: bool) -> Option<bool> {
        let busy = self.busy.load(Relaxed);
        if busy > 0 {
            self.busy.store(busy - 1, Relaxed);
            return None;
        }
        let count = self.gave_way.load(Relaxed).wrapping_add(1);
        self.gave_way.store(count, Relaxed);
        (beside || count % PER_SLEEP != 0).then_some(count % PER_TIMING == 1)
    }

    /// The processor came back late.
    fn gave_way_for_long(&self) {
        self.busy.store(PER_SLOW, Relaxed);
        self.gave_way.store(0, Relaxed);
    }

    fn worked(&self) {
        if self.yields.load(Relaxed) != YIELDS {
            self.pauses.store(PAUSES, Relaxed);
            self.yields.store(YIELDS, Relaxed);
        }
    }

    fn slept(&self, time: Duration) {
        if time < SHORT {
            self.worked();
        } else {
            self.pauses.store((self.pauses.load(Relaxed) / 2).max(LEAST_PAUSES), Relaxed);
            self.yields.store((self.yields.load(Relaxed) / 2).max(LEAST_YIELDS), Relaxed);
        }
    }
}

/// An atomic word whose changes can be slept for.
///
/// Who is to sleep sets its mark in the word first; who changes something that others wait for and finds marks clears them and wakes.
/// What is waited for may lie outside of the word: then either side has a `fence(SeqCst)` between its own write (the mark, or
/// what changed) and its look at the other's.
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
    pub(super) fn wait<T>(
        &self,
        mark: u32,
        patience: (&Patience, &Patience),
        deadline: Deadline,
        check: impl Fn(u32) -> Option<T>,
    ) -> Result<T, TimedOut> {
        match self.watch(patience, &check) {
            Some(found) => Ok(found),
            None => self.rest(mark, patience, deadline, check),
        }
    }

    /// The first part of a wait: as long as the other side may be at it on another processor, and some 50 us at most.
    pub(super) fn watch<T>(&self, (own, other): (&Patience, &Patience), check: impl Fn(u32) -> Option<T>) -> Option<T> {
        let look = || check(self.value.load(Acquire));
        let found = look();
        if found.is_some() || !other.may_run_beside() {
            return found;
        }
        for _ in 0..own.pauses.load(Relaxed) {
            std::hint::spin_loop();
            if let found @ Some(_) = look() {
                own.worked();
                return found;
            }
        }
        None
    }

    /// The second: gives way, and then sleeps.
    pub(super) fn rest<T>(
        &self,
        mark: u32,
        (own, other): (&Patience, &Patience),
        deadline: Deadline,
        check: impl Fn(u32) -> Option<T>,
    ) -> Result<T, TimedOut> {
        let look = || check(self.value.load(Acquire));
        if let Some(found) = look() {
            return Ok(found);
        }
        if let Some(is_timed) = own.gives_way(other.may_run_beside()) {
            if let Some(found) = give_way(own, is_timed, deadline, look) {
                own.worked();
                return Ok(found);
            }
        }
        let since = Instant::now();
        let result = self.sleep(mark, deadline, check);
        own.slept(since.elapsed());
        result
    }

    fn sleep<T>(&self, mark: u32, deadline: Deadline, check: impl Fn(u32) -> Option<T>) -> Result<T, TimedOut> {
        // Held until the sleep: who has seen the mark wakes nobody before.
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

    /// Wakes those whose marks these are.
    #[cold]
    pub(super) fn wake(&self, marks: u32) {
        self.value.fetch_and(!marks, Relaxed);
        drop(lock(&self.lock));
        self.changed.notify_all();
    }
}

/// Lets others run until there is something, for a while. The deadline is looked at where that costs little.
fn give_way<T>(own: &Patience, is_timed: bool, deadline: Deadline, find: impl Fn() -> Option<T>) -> Option<T> {
    for round in 0..own.yields.load(Relaxed) {
        if deadline.passed() {
            return None;
        }
        let since = (is_timed && round == 0).then(Instant::now);
        std::thread::yield_now();
        let is_late = since.is_some_and(|since| since.elapsed() > SHORT);
        if is_late {
            own.gave_way_for_long();
        }
        let found = find();
        if found.is_some() || is_late {
            return found;
        }
    }
    None
}

/// Looks for something for no longer than a hand-over takes.
pub(super) fn look_briefly(other: &Patience, find: impl Fn() -> bool) -> bool {
    if !other.may_run_beside() {
        std::thread::yield_now();
        return find();
    }
    (0..PAUSES / 10).any(|_| {
        std::hint::spin_loop();
        find()
    })
}

/// Waits while the other side takes what there is: `count` says how much that is. Whether nothing is left.
pub(super) fn empties_soon(other: &Patience, count: impl Fn() -> usize) -> bool {
    let mut seen = count();
    if seen == 0 || PAUSES == 0 || !other.may_run_beside() {
        return seen == 0;
    }
    for _ in 0..EMPTYINGS {
        for _ in 0..PAUSES / 10 {
            std::hint::spin_loop();
            if count() == 0 {
                return true;
            }
        }
        let now = count();
        if now == seen {
            return false;
        }
        seen = now;
    }
    false
}

/// Lets small writes add up while the other side is at them: `count` says what there is.
pub(super) fn gather(other: &Patience, enough: usize, count: impl Fn() -> usize) {
    if PAUSES == 0 || !other.may_run_beside() {
        return;
    }
    let (mut seen, mut pauses) = (count(), GATHER_PAUSES);
    for _ in 0..GATHERINGS {
        if seen >= enough {
            return;
        }
        for _ in 0..pauses {
            std::hint::spin_loop();
        }
        let now = count();
        if now == seen {
            return;
        }
        seen = now;
        pauses = (2 * pauses).min(PAUSES / 10);
    }
}

pub(super) fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn sleep<'m>(changed: &Condvar, guard: MutexGuard<'m, ()>, deadline: Deadline) -> MutexGuard<'m, ()> {
    match deadline.remaining() {
        None => changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
        Some(left) => changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0,
    }
}
