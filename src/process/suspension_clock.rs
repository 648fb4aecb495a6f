//! The time that this process has spent stopped, as far as it stopped itself. Deadlines are moved by it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
struct Pauses {
    /// The time of the pauses that are over.
    total: Duration,
    /// The beginning of the pause in progress: the process is about to stop, is stopped, or was continued and has not noticed yet.
    since: Option<Instant>,
    /// The number of threads that are in a pause.
    depth: u32,
    count: u64,
}

impl Pauses {
    const NONE: Pauses = Pauses { total: Duration::ZERO, since: None, depth: 0, count: 0 };

    fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
        self.depth += 1;
    }

    fn end(&mut self, now: Instant) {
        self.depth -= 1;
        if self.depth == 0 {
            self.total = self.spent(now);
            self.since = None;
            self.count += 1;
        }
    }

    /// Includes the pause in progress: other threads run again before the thread that stopped the process has ended the pause.
    fn spent(&self, now: Instant) -> Duration {
        self.total + self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

static PAUSES: Mutex<Pauses> = Mutex::new(Pauses::NONE);

/// The sum so far.
pub(crate) fn spent() -> Duration {
    pauses().spent(Instant::now())
}

/// The number of pauses that are over.
pub(crate) fn count() -> u64 {
    pauses().count
}

/// A pause, which its drop ends.
pub(crate) struct Pause(());

pub(crate) fn begin() -> Pause {
    pauses().begin(Instant::now());
    Pause(())
}

impl Drop for Pause {
    fn drop(&mut self) {
        pauses().end(Instant::now());
    }
}

fn pauses() -> MutexGuard<'static, Pauses> {
    PAUSES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_add_up_and_what_overlaps_counts_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pauses = Pauses::NONE;
        assert_eq!(pauses.spent(at(5)), Duration::ZERO);
        pauses.begin(at(10));
        assert_eq!(pauses.spent(at(12)), Duration::from_secs(2), "one that has not ended yet");
        pauses.begin(at(13));
        pauses.end(at(14));
        assert_eq!((pauses.spent(at(15)), pauses.count), (Duration::from_secs(5), 0));
        pauses.end(at(16));
        assert_eq!((pauses.spent(at(99)), pauses.count), (Duration::from_secs(6), 1));
        pauses.begin(at(100));
        pauses.end(at(101));
        assert_eq!((pauses.spent(at(200)), pauses.count), (Duration::from_secs(7), 2));
    }
}
