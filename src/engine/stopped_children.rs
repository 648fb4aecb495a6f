//! Stages that a signal has stopped. The kernel tells only a parent that waits with WUNTRACED, which would reap, too; so they are looked
//! at from time to time.

use std::sync::Arc;
use std::time::Duration;

use super::end_reason::EndReason;
use super::events::EventKind;
use super::observers::Observers;
use super::stages::Stages;
use crate::clock::Deadline;
use crate::contain::Container;
use crate::process::suspension_clock;
use crate::process::terminal::{Terminal, stop_own_group};

/// The time between two looks: Ctrl-Z feels immediate, and the looks cost nothing that can be measured.
const LOOK: Duration = Duration::from_millis(100);

/// How long this process waits to be stopped, after it has sent itself the signal: a handler of the program's may do something first.
const HANDLED: Duration = Duration::from_secs(1);

pub(crate) struct StoppedChildren {
    next: Deadline,
    /// Whether a stop can end the run or has to stop this process: the run has a group of its own, and there is a terminal.
    matters: bool,
    /// The terminal, if it was callback to the run.
    terminal: Option<Arc<Terminal>>,
    /// This process is being stopped, too: the count of pauses before that, and when to go on if it is not stopped.
    stopping: Option<(u64, Deadline)>,
    /// The signals that observers know of, by stage.
    known: Vec<Option<i32>>,
}

impl StoppedChildren {
    pub(super) fn none() -> StoppedChildren {
        StoppedChildren {
            next: Deadline::after(LOOK),
            matters: false,
            terminal: None,
            stopping: None,
            known: Vec::new(),
        }
    }

    /// Of a run that is in the background of a terminal, or to which the terminal was callback.
    pub(crate) fn at(terminal: Option<Arc<Terminal>>) -> StoppedChildren {
        StoppedChildren { matters: true, terminal, ..StoppedChildren::none() }
    }

    /// When to look next.
    pub(super) fn deadline(&self, observers: &Observers) -> Deadline {
        if self.matters || observers.want_lines() { self.next } else { Deadline::NEVER }
    }

    /// Looks, if it is time to; returns a reason to end the run.
    pub(super) fn look(
        &mut self,
        stages: &Stages,
        container: Option<&Container>,
        observers: &Observers,
    ) -> Option<EndReason> {
        if !self.deadline(observers).passed() {
            return None;
        }
        self.next = Deadline::after(LOOK);
        let mut first = None;
        for (stage, process) in stages.live() {
            let stopped = process.stopped_by();
            if self.known.len() <= stage {
                self.known.resize(stage + 1, None);
            }
            if self.known[stage] != stopped {
                self.known[stage] = stopped;
                observers.emit(EventKind::Stopped { stage, signal: stopped });
            }
            first = first.or(stopped.map(|signal| (stage, signal)));
        }
        let (stage, signal) = first.filter(|_| self.matters)?;
        let uses_terminal = matches!(signal, libc::SIGTTIN | libc::SIGTTOU);
        match self.terminal.clone() {
            Some(terminal) => self.follow(uses_terminal, &terminal, container),
            None if uses_terminal => return Some(EndReason::Stopped { stage, signal }),
            // Another process has stopped the stage, and may continue it.
            None => {}
        }
        None
    }

    /// The run that has the terminal was stopped, so this process stops, too, and continues the run when it is continued itself: as if
    /// both were one group. Ctrl-Z is meant for both, and a shell waits for its own child alone.
    fn follow(&mut self, uses_terminal: bool, terminal: &Terminal, container: Option<&Container>) {
        let is_over = match self.stopping {
            Some((pauses, until)) => pauses != suspension_clock::count() || until.passed(),
            // The run had the terminal until a shell took it, which has given it back to this process.
            None if uses_terminal && terminal.lend_again() => true,
            None => {
                terminal.take_back();
                self.stopping = Some((suspension_clock::count(), Deadline::after(HANDLED)));
                stop_own_group()
            }
        };
        if is_over {
            self.stopping = None;
            // If this process was continued in the background, then so is the run.
            terminal.lend_again();
            container.into_iter().for_each(Container::go_on);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_are_looked_for_where_they_matter_or_an_observer_wants_them() {
        let observed = Observers { broadcast: Some(Arc::default()), yields_on_event: false };
        let observer = observed.broadcast.iter().next().unwrap();
        assert!(StoppedChildren::none().deadline(&observed).is_never());
        observer.observe(Arc::new(|_| true), Vec::new());
        assert!(!StoppedChildren::none().deadline(&observed).is_never());
        assert!(!StoppedChildren::at(None).deadline(&Observers::default()).is_never());
    }
}
