//! When a run that is being ended gets what: its signals, the looks between them, the kill. No system call here.
//!
//! While the run's own processes live, what they start in answer to a signal is looked for and left alone. When they have ended, whatever is
//! left is asked by the same signal, within the same time. It is over when a look that comes after the last known end finds nothing; or
//! when what was killed had its time to die.

use std::time::{Duration, Instant};

use super::Steps;
use crate::clock::Deadline;

/// From a signal to the first look at what was started since, and from an end to the next look: a shell's fork takes a few tenths of
/// this. Each look is twice as long after the one before, up to the longest, so that looking costs little of a long grace.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LONGEST_LOOK: Duration = Duration::from_millis(100);

/// How long after SIGKILL a process is waited for without a question: more than a quiet machine takes to end it. Then it is looked
/// at every so often whether it is kept from dying, which nothing here can change, and at last it is left to the reaper in any case.
const DIES_WITHIN: Duration = Duration::from_millis(90);
const DIES_AT_LAST: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Look, then send this to what is known.
    Ask(i32),
    /// Look for what was started since.
    Look,
    /// Look for whatever is left, and ask that, too.
    AskRest,
    Kill,
    /// Until something ends, or until then.
    Wait(Deadline),
    Over,
}

/// What is known of what is being ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// The run's own processes have ended.
    pub(super) own_ended: bool,
    /// So has all else that is known.
    pub(super) all_ended: bool,
    /// A look for the rest has come after that, and found nothing.
    pub(super) settled: bool,
    /// Something has ended since the last question.
    pub(super) news: bool,
    /// What is left cannot be ended for now.
    pub(super) stuck: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The step is to be taken.
    Due,
    Asked {
        until: Deadline,
        look: Deadline,
        gap: Duration,
    },
    Killed {
        since: Instant,
        until: Deadline,
    },
    Over,
}

#[derive(Debug)]
pub(super) struct Schedule {
    steps: Steps,
    step: usize,
    /// Whether a kill comes behind the last step.
    kills: bool,
    state: State,
    /// When the last step's time is over; from the first step on.
    grace_end: Deadline,
}

impl Schedule {
    pub(super) fn new(steps: Steps, kills: bool) -> Schedule {
        Schedule { steps, step: 0, kills, state: State::Due, grace_end: Deadline::NEVER }
    }

    /// What is to be done now. Done at once, and the next question asked, unless it is to wait.
    pub(super) fn next(&mut self, now: Instant, seen: Seen) -> Action {
        let after = |span| Deadline::at(now).later_by(span);
        match self.state {
            State::Due => match self.steps.get(self.step) {
                Some(&(signal, wait)) => {
                    if self.step == 0 {
                        self.grace_end =
                            self.steps.iter().fold(Deadline::at(now), |end, (_, wait)| end.later_by(*wait));
                    }
                    // From before the search, which is within the time.
                    self.state = State::Asked { until: after(wait), look: after(FIRST_LOOK), gap: FIRST_LOOK };
                    Action::Ask(signal)
                }
                None if self.kills => {
                    self.was_killed(now);
                    Action::Kill
                }
                None => self.over(),
            },
            State::Asked { until, .. } if until.has_passed_at(now) => {
                self.step += 1;
                self.state = State::Due;
                self.next(now, seen)
            }
            State::Asked { .. } if seen.own_ended && seen.all_ended && seen.settled => self.over(),
            State::Asked { until, look, gap } => {
                let (is_due, gap) = match seen.news {
                    true => (false, FIRST_LOOK),
                    false => (look.has_passed_at(now), gap.saturating_mul(2).min(LONGEST_LOOK)),
                };
                if is_due || (seen.own_ended && seen.all_ended) {
                    self.state = State::Asked { until, look: after(gap), gap };
                    return if seen.own_ended { Action::AskRest } else { Action::Look };
                }
                if seen.news {
                    self.state = State::Asked { until, look: look.earlier(after(FIRST_LOOK)), gap };
                }
                self.wait()
            }
            State::Killed { .. } if seen.all_ended => self.over(),
            State::Killed { since, until } if until.has_passed_at(now) => {
                if seen.stuck || now.saturating_duration_since(since) >= DIES_AT_LAST {
                    return self.over();
                }
                self.state = State::Killed { since, until: after(DIES_WITHIN) };
                self.wait()
            }
            State::Killed { .. } => self.wait(),
            State::Over => Action::Over,
        }
    }

    fn wait(&self) -> Action {
        Action::Wait(self.until())
    }

    fn over(&mut self) -> Action {
        self.state = State::Over;
        Action::Over
    }

    /// When the next question is due, if nothing ends before.
    pub(super) fn until(&self) -> Deadline {
        match self.state {
            State::Asked { until, look, .. } => until.earlier(look),
            State::Killed { until, .. } => until,
            State::Due | State::Over => Deadline::NEVER,
        }
    }

    pub(super) fn grace_end(&self) -> Deadline {
        self.grace_end
    }

    /// The steps that are left are left out.
    pub(super) fn skip_to_kill(&mut self) {
        if let State::Due | State::Asked { .. } = self.state {
            (self.step, self.kills, self.state) = (self.steps.len(), true, State::Due);
        }
    }

    /// The kill has been made.
    pub(super) fn was_killed(&mut self, now: Instant) {
        self.state = State::Killed { since: now, until: Deadline::at(now).later_by(DIES_WITHIN) };
    }

    pub(super) fn has_killed(&self) -> bool {
        matches!(self.state, State::Killed { .. }) || (self.state == State::Over && self.step >= self.steps.len())
    }

    /// This process was stopped for so long.
    pub(super) fn later_by(&mut self, by: Duration) {
        self.grace_end = self.grace_end.later_by(by);
        if let State::Asked { until, .. } | State::Killed { until, .. } = &mut self.state {
            *until = until.later_by(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    const LIVE: Seen = Seen { own_ended: false, all_ended: false, settled: false, news: false, stuck: false };
    const OWN: Seen = Seen { own_ended: true, ..LIVE };
    const ALL: Seen = Seen { all_ended: true, ..OWN };
    const SETTLED: Seen = Seen { settled: true, ..ALL };
    const STUCK: Seen = Seen { stuck: true, ..OWN };
    const NEWS: Seen = Seen { news: true, ..LIVE };

    /// What a schedule says at these milliseconds, seeing that; a wait without its time.
    fn told(mut schedule: Schedule, table: &[(u64, Seen, &str)]) {
        let start = Instant::now();
        for (row, &(millis, seen, expected)) in table.iter().enumerate() {
            let action = schedule.next(start + Duration::from_millis(millis), seen);
            let text = match action {
                Action::Ask(signal) => format!("ask {signal}"),
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
    fn each_step_comes_in_its_time_and_the_kill_behind_the_last() {
        told(
            steps(true),
            &[
                (0, LIVE, "ask 2"),
                (0, LIVE, "wait"),
                (1, LIVE, "Look"),
                (2, LIVE, "wait"),
                (3, LIVE, "Look"),
                (1000, LIVE, "ask 15"),
                (1000, LIVE, "wait"),
                (2000, LIVE, "Kill"),
                (2000, LIVE, "wait"),
                (2010, ALL, "Over"),
                (9999, LIVE, "Over"),
            ],
        );
    }

    #[test]
    fn when_its_own_have_ended_the_rest_is_asked_until_there_is_none() {
        told(
            steps(true),
            &[
                (0, LIVE, "ask 2"),
                (500, NEWS, "wait"),
                (501, LIVE, "Look"),
                (502, ALL, "AskRest"),
                // It found some, which have to end before the next look.
                (502, OWN, "wait"),
                (510, ALL, "AskRest"),
                (510, SETTLED, "Over"),
            ],
        );
    }

    #[test]
    fn what_is_left_at_the_end_of_the_same_grace_is_killed() {
        told(
            steps(true),
            &[
                (0, LIVE, "ask 2"),
                (900, ALL, "AskRest"),
                (1000, OWN, "ask 15"),
                (2000, OWN, "Kill"),
                (2000, ALL, "Over"),
            ],
        );
    }

    #[test]
    fn what_was_killed_is_waited_for_unless_it_cannot_die_and_not_for_ever() {
        let killed = |rest: &[(u64, Seen, &str)]| {
            told(Schedule::new([].into(), true), &[&[(0, LIVE, "Kill"), (0, OWN, "wait")], rest].concat());
        };
        killed(&[(50, STUCK, "wait"), (90, STUCK, "Over")]);
        killed(&[(90, OWN, "wait"), (180, OWN, "wait"), (1999, OWN, "wait"), (2089, OWN, "Over")]);
        killed(&[(90, OWN, "wait"), (100, ALL, "Over")]);
    }

    #[test]
    fn without_a_kill_the_last_step_is_the_last() {
        told(steps(false), &[(0, LIVE, "ask 2"), (1000, LIVE, "ask 15"), (2000, LIVE, "Over")]);
        let mut schedule = steps(false);
        schedule.skip_to_kill();
        told(schedule, &[(0, LIVE, "Kill")]);
    }

    #[test]
    fn looks_get_rarer_and_an_end_brings_the_next_one_near() {
        let start = Instant::now();
        let mut schedule = Schedule::new([(15, 60 * SECOND)].into(), true);
        schedule.next(start, LIVE);
        let mut looks = 0;
        for millis in 0..10_000 {
            looks += usize::from(schedule.next(start + Duration::from_millis(millis), LIVE) == Action::Look);
        }
        assert!((100..=110).contains(&looks), "{looks}");
        let now = start + Duration::from_secs(10);
        schedule.next(now, NEWS);
        assert!(schedule.until().has_passed_at(now + FIRST_LOOK));
    }
}
