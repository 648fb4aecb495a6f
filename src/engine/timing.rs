//! The times that bound a run.

use std::sync::Arc;
use std::time::Duration;

use super::leak::OnLeak;
use crate::clock::Deadline;
use crate::process::suspension_clock;

/// The signals of an ending, each with the time until the next one.
pub(crate) type Steps = Arc<[(i32, Duration)]>;

#[derive(Debug, Clone)]
pub(crate) struct Timing {
    pub(crate) deadline: Deadline,
    /// How long this process had been stopped when that time was last added to the run's times; `None`: it is never added.
    pub(crate) paused: Option<Duration>,
    /// What the processes get before SIGKILL.
    pub(crate) steps: Steps,
    /// From the end of the last process until streams that other processes hold are given up; `None`: they are read to their ends.
    pub(crate) eof_grace: Option<Duration>,
    /// What is then done about these processes.
    pub(crate) on_leak: OnLeak,
}

impl Timing {
    /// From the first signal to SIGKILL.
    pub(crate) fn grace(&self) -> Duration {
        self.steps.iter().fold(Duration::ZERO, |sum, (_, wait)| sum.saturating_add(*wait))
    }

    /// Sends this signal in place of the first step's.
    pub(super) fn begin_with(&mut self, signal: i32) {
        let steps = self.steps.iter().enumerate();
        self.steps = steps.map(|(step, &(planned, wait))| (if step == 0 { signal } else { planned }, wait)).collect();
    }

    /// Moves the deadline by the time for which this process has been stopped since the last call; returns that time.
    pub(super) fn give_back_pauses(&mut self) -> Duration {
        let Some(known) = &mut self.paused else { return Duration::ZERO };
        let spent = suspension_clock::spent();
        let by = spent.saturating_sub(*known);
        if !by.is_zero() {
            *known = spent;
            self.deadline = self.deadline.later_by(by);
        }
        by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(paused: Option<Duration>) -> Timing {
        let deadline = Deadline::after(Duration::from_secs(3600));
        let steps = [(15, Duration::from_secs(1)), (3, Duration::from_secs(2))].into();
        Timing { deadline, paused, steps, eof_grace: None, on_leak: OnLeak::Allow }
    }

    #[test]
    fn the_deadline_moves_by_a_pause_and_by_no_pause_twice() {
        let mut timing_with = timing(Some(suspension_clock::spent()));
        let mut timing_without = timing(None);
        let (with, without) = (timing_with.deadline, timing_without.deadline);
        let before = suspension_clock::spent();
        let pause = suspension_clock::begin();
        std::thread::sleep(Duration::from_millis(2));
        // A pause counts before it is over.
        let mut by = timing_with.give_back_pauses();
        assert!(!by.is_zero());
        drop(pause);
        by += timing_with.give_back_pauses();
        assert_eq!(timing_with.give_back_pauses(), Duration::ZERO);
        assert_eq!(by, suspension_clock::spent() - before);
        assert_eq!(timing_with.deadline, with.later_by(by));
        assert_eq!(timing_without.give_back_pauses(), Duration::ZERO);
        assert_eq!(timing_without.deadline, without);
    }

    #[test]
    fn a_forwarded_signal_takes_the_place_of_the_first_alone() {
        let mut timing = timing(None);
        let grace = timing.grace();
        timing.begin_with(2);
        assert_eq!(*timing.steps, [(2, Duration::from_secs(1)), (3, Duration::from_secs(2))]);
        assert_eq!((timing.grace(), grace), (grace, Duration::from_secs(3)));
    }
}
