//! Processes that a terminal has stopped: looked for where that can be, because nobody tells.

use std::sync::Arc;
use std::time::Duration;

use super::events::EventKind;
use super::{Cut, Phase, Pump};
use crate::clock::Deadline;
use crate::process::contain::Container;
use crate::process::pauses;
use crate::process::terminal::{Terminal, stop_own_group};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// How long a handler of this program's may take to stop it.
const HANDLED: Duration = Duration::from_secs(1);

/// The looks of a run.
pub(crate) struct Stops {
    next: Deadline,
    /// Whether a stop would be the end of the run, or of this process's patience: a group of its own and a terminal.
    matters: bool,
    /// The run was lent it.
    terminal: Option<Arc<Terminal>>,
    /// This process was asked to stop, too: so many pauses were over then, and when to go on in any case.
    asked: Option<(u64, Deadline)>,
    /// What those who watch were told last, by stage.
    told: Vec<Option<i32>>,
}

impl Stops {
    pub(super) fn none() -> Stops {
        Stops { next: Deadline::after(LOOK), matters: false, terminal: None, asked: None, told: Vec::new() }
    }

    /// Of a run that is in the background of a terminal, or was lent it.
    pub(crate) fn at(terminal: Option<Arc<Terminal>>) -> Stops {
        Stops { matters: true, terminal, ..Stops::none() }
    }

    /// The run that has the terminal was stopped, so this process stops, and goes on with it: as if they were one group. Ctrl-Z is for
    /// both, and a shell waits for its own child alone.
    fn follow(&mut self, signal: i32, terminal: &Terminal, container: Option<&Container>) {
        let over = match self.asked {
            Some((pauses, until)) => pauses != pauses::count() || until.passed(),
            // It had the terminal until a shell took it, and gave it back to us.
            None if matches!(signal, libc::SIGTTIN | libc::SIGTTOU) && terminal.lend_again() => true,
            None => {
                terminal.take_back();
                self.asked = Some((pauses::count(), Deadline::after(HANDLED)));
                stop_own_group()
            }
        };
        if over {
            self.asked = None;
            // Where this process was continued in the background, so is the run.
            terminal.lend_again();
            container.into_iter().for_each(Container::go_on);
        }
    }
}

impl Pump {
    /// When to look, where anybody wants to know.
    pub(super) fn next_look(&self) -> Deadline {
        let wanted = self.stops.matters || self.hub.as_ref().is_some_and(|hub| hub.is_watched());
        if wanted { self.stops.next } else { Deadline::NEVER }
    }

    /// Looks, if it is time to.
    pub(super) fn look_for_stops(&mut self) {
        if !self.next_look().passed() {
            return;
        }
        self.stops.next = Deadline::after(LOOK);
        self.stops.told.resize(self.stages.len(), None);
        let mut first = None;
        for stage in 0..self.stages.len() {
            let Some(process) = self.stages[stage].live_process() else { continue };
            let stopped = process.stopped_by();
            if self.stops.told[stage] != stopped {
                self.stops.told[stage] = stopped;
                self.tell(EventKind::Stopped { stage, signal: stopped });
            }
            first = first.or(stopped.map(|signal| (stage, signal)));
        }
        let (true, Some((stage, signal))) = (self.stops.matters, first) else { return };
        match self.stops.terminal.clone() {
            Some(terminal) => self.stops.follow(signal, &terminal, self.container.as_deref()),
            None if matches!(signal, libc::SIGTTIN | libc::SIGTTOU) => self.begin_end(Cut::Stopped { stage, signal }),
            // Whoever stopped it may continue it.
            None => {}
        }
    }

    /// Moves the times of the run by what this process has spent stopped since it was last asked.
    pub(super) fn give_back_pauses(&mut self) {
        let Some(known) = self.timing.paused else { return };
        let spent = pauses::spent();
        let by = spent.saturating_sub(known);
        if by.is_zero() {
            return;
        }
        self.timing.paused = Some(spent);
        self.timing.deadline = self.timing.deadline.later_by(by);
        self.last_end = self.last_end.map(|end| end.checked_add(by).unwrap_or(end));
        match &mut self.phase {
            Phase::Closing(until) | Phase::FlowingOut { until, .. } => *until = until.later_by(by),
            Phase::Ending => self.termination.iter_mut().for_each(|termination| termination.later_by(by)),
            Phase::Running | Phase::Over => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::pump::{OnLeak, Timing};

    #[test]
    fn every_time_of_a_run_moves_by_a_pause_and_by_no_pause_twice() {
        let hour = Deadline::after(Duration::from_secs(3600));
        let timing = |paused| Timing {
            deadline: hour,
            paused,
            steps: Default::default(),
            eof_grace: None,
            on_leak: OnLeak::Allow,
        };
        let mut pump = Pump::new(timing(Some(pauses::spent())), None, None, None);
        let mut other = Pump::new(timing(None), None, None, None);
        let (end, before) = (Instant::now(), pauses::spent());
        pump.last_end = Some(end);
        pump.phase = Phase::Closing(hour);
        let pause = pauses::begin();
        std::thread::sleep(Duration::from_millis(2));
        // Already while it is thought to go on.
        pump.give_back_pauses();
        assert_ne!(pump.timing.deadline, hour);
        drop(pause);
        pump.give_back_pauses();
        pump.give_back_pauses();
        other.give_back_pauses();
        let by = pauses::spent() - before;
        assert!(by >= Duration::from_millis(2));
        assert_eq!((pump.timing.deadline, pump.phase), (hour.later_by(by), Phase::Closing(hour.later_by(by))));
        assert_eq!(pump.last_end, Some(end + by));
        assert_eq!(other.timing.deadline, hour, "it did not ask");
    }
}
