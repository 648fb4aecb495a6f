//! Decides when the processes of a run that is being ended are signalled, looked for and killed. It makes no system call.
//!
//! While the stages' own processes live, what they start in answer to a signal is looked for and left alone: it may clean up. When they have
//! ended, whatever is left gets the same signal, within the same time. The termination is done when a look after the last known end finds
//! nothing, or when the killed processes have had their time to die.

use std::time::{Duration, Instant};

use super::timing::Steps;
use crate::clock::Deadline;

/// The time from a signal to the first look for new processes, and from an end to the next look: a shell's fork takes a few tenths of
/// it. Each time between two looks is twice as long as the one before, up to the longest, so that a long grace costs few looks.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LONGEST_LOOK: Duration = Duration::from_millis(100);

/// How long a process may take to die of SIGKILL before it is checked whether something keeps it from dying (a system call that cannot
/// be interrupted, a tracer): more than a quiet machine takes. The check is repeated after the same time.
const DIES_WITHIN: Duration = Duration::from_millis(90);

/// How long a process may take to die in any case: then it is left to the reaper.
const DIES_AT_LAST: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Look for the processes, and send them this signal.
    Signal(i32),
    /// Look for processes that were started since.
    Look,
    /// Look for whatever is left, and send it the step's signal.
    SignalRest,
    Kill,
    /// Until a process ends, or until then.
    Wait(Deadline),
    Done,
}

/// What is known of the processes that are being ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// The stages' own processes have ended.
    pub(super) own_ended: bool,
    /// All known processes have ended, and the closures.
    pub(super) all_ended: bool,
    /// A look for the rest has come after these ends, and found nothing.
    pub(super) settled: bool,
    /// A process has ended since the last call.
    pub(super) some_ended: bool,
    /// Something keeps all the processes that are left from dying.
    pub(super) stuck: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The step is to be taken.
    Due,
    Signalled {
        until: Deadline,
        look: Deadline,
        gap: Duration,
    },
    Killed {
        since: Instant,
        until: Deadline,
    },
    Done,
}

#[derive(Debug)]
pub(super) struct Schedule {
    steps: Steps,
    step: usize,
    /// Whether a kill comes after the last step.
    kills: bool,
    state: State,
    /// When the last step's time is over; known from the first step on.
    grace_end: Deadline,
}

impl Schedule {
    pub(super) fn new(steps: Steps, kills: bool) -> Schedule {
        Schedule { steps, step: 0, kills, state: State::Due, grace_end: Deadline::NEVER }
    }

    /// What is to be done now. The caller does it and calls again at once, unless the answer is to wait.
    pub(super) fn next(&mut self, now: Instant, seen: Seen) -> Action {
        let after = |span| Deadline::at(now).later_by(span);
        match self.state {
            State::Due => match self.steps.get(self.step) {
                Some(&(signal, wait)) => {
                    if self.step == 0 {
                        self.grace_end =
                            self.steps.iter().fold(Deadline::at(now), |end, (_, wait)| end.later_by(*wait));
                    }
                    // The time counts from before the search for the processes.
                    self.state = State::Signalled { until: after(wait), look: after(FIRST_LOOK), gap: FIRST_LOOK };
                    Action::Signal(signal)
                }
                None if self.kills => {
                    self.was_killed(now);
                    Action::Kill
                }
                None => self.done(),
            },
            State::Signalled { until, .. } if until.has_passed_at(now) => {
                self.step += 1;
                self.state = State::Due;
                self.next(now, seen)
            }
            State::Signalled { .. } if seen.own_ended && seen.all_ended && seen.settled => self.done(),
            State::Signalled { until, look, gap } => {
                let (is_due, gap) = match seen.some_ended {
                    true => (false, FIRST_LOOK),
                    false => (look.has_passed_at(now), gap.saturating_mul(2).min(LONGEST_LOOK)),
                };
                if is_due || (seen.own_ended && seen.all_ended) {
                    self.state = State::Signalled { until, look: after(gap), gap };
                    return if seen.own_ended { Action::SignalRest } else { Action::Look };
                }
                if seen.some_ended {
                    self.state = State::Signalled { until, look: look.earlier(after(FIRST_LOOK)), gap };
                }
                self.wait()
            }
            State::Killed { .. } if seen.all_ended => self.done(),
            State::Killed { since, until } if until.has_passed_at(now) => {
                if seen.stuck || now.saturating_duration_since(since) >= DIES_AT_LAST {
                    return self.done();
                }
                self.state = State::Killed { since, until: after(DIES_WITHIN) };
                self.wait()
            }
            State::Killed { .. } => self.wait(),
            State::Done => Action::Done,
        }
    }

    fn wait(&self) -> Action {
        Action::Wait(self.until())
    }

    fn done(&mut self) -> Action {
        self.state = State::Done;
        Action::Done
    }

    /// When [`next`](Self::next) is to be called, if no process ends before.
    pub(super) fn until(&self) -> Deadline {
        match self.state {
            State::Signalled { until, look, .. } => until.earlier(look),
            State::Killed { until, .. } => until,
            State::Due | State::Done => Deadline::NEVER,
        }
    }

    pub(super) fn grace_end(&self) -> Deadline {
        self.grace_end
    }

    /// Skips the remaining steps.
    pub(super) fn skip_to_kill(&mut self) {
        if let State::Due | State::Signalled { .. } = self.state {
            (self.step, self.kills, self.state) = (self.steps.len(), true, State::Due);
        }
    }

    /// All processes were sent SIGKILL.
    pub(super) fn was_killed(&mut self, now: Instant) {
        self.state = State::Killed { since: now, until: Deadline::at(now).later_by(DIES_WITHIN) };
    }

    pub(super) fn has_killed(&self) -> bool {
        matches!(self.state, State::Killed { .. }) || (self.state == State::Done && self.step >= self.steps.len())
    }

    /// This process was stopped for this long.
    pub(super) fn later_by(&mut self, by: Duration) {
        self.grace_end = self.grace_end.later_by(by);
        if let State::Signalled { until, .. } | State::Killed { until, .. } = &mut self.state {
            *until = until.later_by(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const LIVE: Seen = Seen { own_ended: false, all_ended: false, settled: false, some_ended: false, stuck: false };
    const OWN: Seen = Seen { own_ended: true, ..LIVE };
    const ALL: Seen = Seen { all_ended: true, ..OWN };
    const SETTLED: Seen = Seen { settled: true, ..ALL };
    const STUCK: Seen = Seen { stuck: true, ..OWN };
    const SOME_ENDED: Seen = Seen { some_ended: true, ..LIVE };

    /// Compares the actions of a schedule at these milliseconds with a table; a wait without its time.
    fn check(mut schedule: Schedule, table: &[(u64, Seen, &str)]) {
        let start = Instant::now();
        for (row, &(millis, seen, expected)) in table.iter().enumerate() {
            let action = schedule.next(start + Duration::from_millis(millis), seen);
            let text = match action {
                Action::Signal(signal) => format!("signal {signal}"),
                Action::Wait(_) => "wait".to_owned(),
                other => format!("{other:?}"),
            };
            assert_eq!(text, expected, "row {row} of {table:?}");
        }
    }

    fn steps(kills: bool) -> Schedule {
        Schedule::new([(2, SECOND), (15, SECOND)].into(), kills)
    }

    #[test]
    fn each_step_comes_in_its_time_and_the_kill_after_the_last() {
        check(
            steps(true),
            &[
                (0, LIVE, "signal 2"),
                (0, LIVE, "wait"),
                (1, LIVE, "Look"),
                (2, LIVE, "wait"),
                (3, LIVE, "Look"),
                (1000, LIVE, "signal 15"),
                (1000, LIVE, "wait"),
                (2000, LIVE, "Kill"),
                (2000, LIVE, "wait"),
                (2010, ALL, "Done"),
                (9999, LIVE, "Done"),
            ],
        );
    }

    #[test]
    fn when_the_own_processes_have_ended_the_rest_is_signalled_until_there_is_none() {
        check(
            steps(true),
            &[
                (0, LIVE, "signal 2"),
                (500, SOME_ENDED, "wait"),
                (501, LIVE, "Look"),
                (502, ALL, "SignalRest"),
                // It has found some processes, which have to end before the next look.
                (502, OWN, "wait"),
                (510, ALL, "SignalRest"),
                (510, SETTLED, "Done"),
            ],
        );
    }

    #[test]
    fn what_is_left_at_the_end_of_the_same_grace_is_killed() {
        check(
            steps(true),
            &[
                (0, LIVE, "signal 2"),
                (900, ALL, "SignalRest"),
                (1000, OWN, "signal 15"),
                (2000, OWN, "Kill"),
                (2000, ALL, "Done"),
            ],
        );
    }

    #[test]
    fn what_was_killed_is_waited_for_unless_it_cannot_die_and_not_for_ever() {
        let killed = |rest: &[(u64, Seen, &str)]| {
            check(Schedule::new([].into(), true), &[&[(0, LIVE, "Kill"), (0, OWN, "wait")], rest].concat());
        };
        killed(&[(50, STUCK, "wait"), (90, STUCK, "Done")]);
        killed(&[(90, OWN, "wait"), (180, OWN, "wait"), (1999, OWN, "wait"), (2089, OWN, "Done")]);
        killed(&[(90, OWN, "wait"), (100, ALL, "Done")]);
    }

    #[test]
    fn without_a_kill_the_last_step_is_the_last() {
        check(steps(false), &[(0, LIVE, "signal 2"), (1000, LIVE, "signal 15"), (2000, LIVE, "Done")]);
        let mut schedule = steps(false);
        schedule.skip_to_kill();
        check(schedule, &[(0, LIVE, "Kill")]);
    }

    #[test]
    fn looks_get_rarer_and_an_end_brings_the_next_one_forward() {
        let start = Instant::now();
        let mut schedule = Schedule::new([(15, 60 * SECOND)].into(), true);
        schedule.next(start, LIVE);
        let mut looks = 0;
        for millis in 0..10_000 {
            looks += usize::from(schedule.next(start + Duration::from_millis(millis), LIVE) == Action::Look);
        }
        assert!((100..=110).contains(&looks), "{looks}");
        let now = start + Duration::from_secs(10);
        schedule.next(now, SOME_ENDED);
        assert!(schedule.until().has_passed_at(now + FIRST_LOOK));
    }
}
