//! How a side waits before it sleeps: it spins while the other side may be at work on another processor, then gives its own processor
//! away.
//!
//! All budgets count looks at what is waited for, not time: on a busy machine a time would be over before the other side had run.

use std::sync::atomic::AtomicU32 as Guess;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::cpu;
use super::sync::Apart;
use crate::clock::Deadline;

/// A budget; a small one for Miri, which is slow, and 0 for loom, which tries every step.
pub(super) const fn budget(real: u32, miri: u32) -> u32 {
    if cfg!(all(test, loom)) {
        0
    } else if cfg!(miri) {
        miri
    } else {
        real
    }
}

const fn at_most(number: u32, most: u32) -> u32 {
    if number < most { number } else { most }
}

/// Looks while spinning, at most: some 50 us. A thread that sleeps is woken no sooner, and its partner falls asleep meanwhile.
const MAX_PAUSES: u32 = budget(1000, 4);
/// Looks between yields, at most: with nothing else to run, also some 50 us.
const MAX_YIELDS: u32 = budget(200, 2);
/// What is left of the two after many long sleeps: a few looks cost less than one system call.
const MIN_PAUSES: u32 = at_most(MAX_PAUSES, 16);
const MIN_YIELDS: u32 = at_most(MAX_YIELDS, 2);
/// Looks at another side that is at work just now, some 5 us: as long as a direct transfer takes.
const BRIEF_PAUSES: u32 = MAX_PAUSES / 10;
/// Pauses before the first look at whether more has been written, about 1 us: a writer of small pieces has written another by then, even
/// when the two slow each other down.
const GATHER_PAUSES: u32 = 40;
/// Looks at whether more has been written, some 40 us in all: a writer that drips must not hold back what is there.
const GATHER_LOOKS: u32 = 8;
/// Looks at whether the reader takes what is there, 5 us each.
const EMPTY_LOOKS: u32 = 20;
/// Of this many waits for a side on the same processor, one sleeps at once: two threads that only yield stay there, while one that is woken
/// is put where there is room.
const PER_SLEEP: u32 = 64;
/// Of this many first yields one is timed: reading the clock costs a twentieth of a switch of threads.
const PER_TIMING: u32 = 8;
/// After a yield that took long, this many waits sleep at once: on a busy machine a thread that is woken gets a processor sooner
/// than one that gave it away.
const PER_SLOW: u32 = 32;
/// A shorter sleep had better been spent awake, and a longer yield asleep.
const SHORT: Duration = Duration::from_micros(200);
/// A processor that was given away comes back after the time slices of others: after up to 52 ms, as measured beside one busy loop. So
/// a thread whose deadline is nearer than this does not yield: a timer wakes it in time.
const LONGEST_YIELD: Duration = Duration::from_millis(100);

/// How long one side looks before it sleeps. Each long sleep halves it, so that waiting for something slow costs next to nothing.
///
/// These are guesses that nothing rests on; so they are std's atomics also in loom's models.
pub(super) struct Backoff {
    pauses: Guess,
    yields: Guess,
    /// The processor that the side was last at work on. The other side reads it.
    cpu: Apart<Guess>,
    /// How many waits have yielded.
    yielded: Guess,
    /// How many waits are to sleep at once.
    busy: Guess,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Backoff {
            pauses: Guess::new(MAX_PAUSES),
            yields: Guess::new(MAX_YIELDS),
            cpu: Apart(Guess::new(u32::MAX)),
            yielded: Guess::new(0),
            busy: Guess::new(0),
        }
    }

    pub(super) fn note_cpu(&self) {
        if let Some(here) = cpu::current() {
            if self.cpu.load(Relaxed) != here {
                self.cpu.store(here, Relaxed);
            }
        }
    }

    /// Whether this side may be running now: it is not when its processor is the calling thread's.
    pub(super) fn may_run_beside(&self) -> bool {
        cpu::current().is_none_or(|here| self.cpu.load(Relaxed) != here)
    }

    /// Looks while spinning.
    pub(super) fn spin<T>(&self, look: impl Fn() -> Option<T>) -> Option<T> {
        let found = (0..self.pauses.load(Relaxed)).find_map(|_| pause_and(&look));
        if found.is_some() {
            self.looking_was_enough();
        }
        found
    }

    /// Looks between yields, if the deadline leaves the time. `beside`: the other side may run on another processor.
    pub(super) fn yield_until<T>(&self, beside: bool, deadline: Deadline, look: impl Fn() -> Option<T>) -> Option<T> {
        let busy = self.busy.load(Relaxed);
        if busy > 0 {
            self.busy.store(busy - 1, Relaxed);
            return None;
        }
        let count = self.yielded.load(Relaxed).wrapping_add(1);
        self.yielded.store(count, Relaxed);
        if !beside && count % PER_SLEEP == 0 {
            return None;
        }
        for round in 0..self.yields.load(Relaxed) {
            if !leaves_time_to_yield(deadline) {
                return None;
            }
            // The first yield mostly finds what it waits for, and is timed now and then; the others always are. So a wait gives away two
            // time slices at most.
            let since = (round > 0 || count % PER_TIMING == 1).then(Instant::now);
            yield_now();
            let is_late = since.is_some_and(|since| since.elapsed() > SHORT);
            if is_late {
                self.busy.store(PER_SLOW, Relaxed);
                self.yielded.store(0, Relaxed);
            }
            let found = look();
            if found.is_some() {
                self.looking_was_enough();
            }
            if found.is_some() || is_late {
                return found;
            }
        }
        None
    }

    fn looking_was_enough(&self) {
        if self.yields.load(Relaxed) != MAX_YIELDS {
            self.pauses.store(MAX_PAUSES, Relaxed);
            self.yields.store(MAX_YIELDS, Relaxed);
        }
    }

    pub(super) fn slept(&self, time: Duration) {
        if time < SHORT {
            self.looking_was_enough();
        } else {
            self.pauses.store((self.pauses.load(Relaxed) / 2).max(MIN_PAUSES), Relaxed);
            self.yields.store((self.yields.load(Relaxed) / 2).max(MIN_YIELDS), Relaxed);
        }
    }
}

fn pause_and<T>(look: impl FnOnce() -> T) -> T {
    std::hint::spin_loop();
    look()
}

fn leaves_time_to_yield(deadline: Deadline) -> bool {
    deadline.remaining().is_none_or(|left| left > LONGEST_YIELD)
}

#[cfg(test)]
thread_local! {
    /// How often this thread has given its processor away.
    pub(super) static YIELDS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

fn yield_now() {
    #[cfg(test)]
    YIELDS.set(YIELDS.get() + 1);
    std::thread::yield_now();
}

/// Looks at what the other side is about to do, for about as long as it takes.
pub(super) fn look_briefly(other: &Backoff, deadline: Deadline, look: impl Fn() -> bool) {
    if other.may_run_beside() {
        let _ = (0..BRIEF_PAUSES).any(|_| pause_and(&look));
    } else if leaves_time_to_yield(deadline) {
        yield_now();
    }
}

/// Waits while the other side takes what there is; gives whether nothing is left. `count`: how much there is.
pub(super) fn await_empty(other: &Backoff, count: impl Fn() -> usize) -> bool {
    let mut seen = count();
    if seen == 0 || MAX_PAUSES == 0 || !other.may_run_beside() {
        return seen == 0;
    }
    for _ in 0..EMPTY_LOOKS {
        if (0..BRIEF_PAUSES).any(|_| pause_and(&count) == 0) {
            return true;
        }
        let now = count();
        if now == seen {
            return false;
        }
        seen = now;
    }
    false
}

/// Lets small writes add up, to `enough` bytes, while the other side is at them. `count`: how much there is.
pub(super) fn gather(other: &Backoff, enough: usize, count: impl Fn() -> usize) {
    if MAX_PAUSES == 0 || !other.may_run_beside() {
        return;
    }
    let (mut seen, mut pauses) = (count(), GATHER_PAUSES);
    for _ in 0..GATHER_LOOKS {
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
        pauses = (2 * pauses).min(BRIEF_PAUSES);
    }
}
