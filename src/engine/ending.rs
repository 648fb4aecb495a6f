//! How far a run is, and how it ends: the phases, the reason, and the [termination](super::termination) of its processes.
//!
//! A process that is asked to end may write something more, and may end before this process has read that, or before a descriptor that
//! blocks has taken it. So a run whose processes have all ended is not over yet: its streams have until the end of the grace to flow
//! out. A stream has flowed out at its end; or, where an outsider holds it open, when all bytes have been passed on that were in the
//! pipe when nothing but the outsider was left to wait for.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use super::end_reason::EndReason;
use super::events::EventKind;
use super::leak::{Leaks, OnLeak};
use super::observers::Observers;
use super::stages::Stages;
use super::streams::Streams;
use super::termination::{Context, Pipes, ProcessesOnly, SharedEnding, Termination, WALK};
use super::timing::Steps;
use crate::clock::Deadline;
use crate::contain::Container;
use crate::process::Process;
use crate::procfs::Unseen;
use crate::sys::poll::Interest;
use crate::tree::Survivor;

/// How long streams flow out where there is no grace: no process was asked to end, or all were killed, or sinks have just been given up.
/// A sink that is ready takes its bytes within microseconds; twice this time is within the 100 ms that a deadline may be late by.
const LAST_CHANCE: Duration = Duration::from_millis(30);

/// How long streams flow out after the run's handle has killed it. Nothing else bounds that.
const KILLED_BY_HANDLE: Duration = Duration::from_secs(1);

/// How long callbacks may keep a run that is being ended from looking at its processes, beyond the call in progress: a tenth of what a
/// deadline may be late by.
const CALLBACKS: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// A stream has failed and was closed. The processes that this does not end are terminated at the deadline.
    Closing(Deadline),
    /// The run is being ended. Without a termination, only the stages are still waited for.
    Ending,
    /// The stages have ended, and the streams flow out. `last`: sinks have been given up already.
    FlowingOut {
        until: Deadline,
        last: bool,
    },
    Over,
}

pub(super) struct Ending {
    pub(super) phase: Phase,
    /// Why the run is being ended; `None` where only a stream has failed or the handle has killed it.
    pub(super) reason: Option<EndReason>,
    /// The stages that ran when the ending began.
    pub(super) running: Vec<usize>,
    termination: Option<Termination>,
    /// What holds the processes together.
    container: Option<Arc<Container>>,
    /// What the handles do.
    shared: Arc<SharedEnding>,
}

/// The rest of a run, as its termination sees it.
pub(super) struct Rest<'a> {
    pub(super) stages: &'a Stages,
    pub(super) streams: &'a Streams,
    pub(super) observers: &'a Observers,
}

impl Ending {
    pub(super) fn new(container: Option<Arc<Container>>) -> Ending {
        Ending {
            phase: Phase::Running,
            reason: None,
            running: Vec::new(),
            termination: None,
            container,
            shared: Arc::default(),
        }
    }

    pub(super) fn shared(&self) -> &Arc<SharedEnding> {
        &self.shared
    }

    pub(super) fn container(&self) -> Option<&Container> {
        self.container.as_deref()
    }

    pub(super) fn interests(&self, mut each: impl FnMut(BorrowedFd<'_>, Interest)) {
        let ends = self.termination.iter().flat_map(Termination::ends);
        ends.for_each(|end| each(end, Interest::Readable));
    }

    /// Whether an ending can still begin.
    pub(super) fn has_not_begun(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Closing(_))
    }

    pub(super) fn is_terminating(&self) -> bool {
        self.termination.is_some()
    }

    fn has_killed(&self) -> bool {
        self.termination.as_ref().is_some_and(Termination::has_killed)
    }

    /// Whether the processes were killed without a reason to end the run: they are waited for, and the run's deadline still holds.
    pub(super) fn waits_for_killed(&self) -> bool {
        self.reason.is_none() && (self.termination.is_none() || self.has_killed())
    }

    /// When the ending has something to do. `deadline` is the run's own.
    pub(super) fn deadline(&self, deadline: Deadline) -> Deadline {
        match self.phase {
            Phase::Running => self.shared.deadline().earlier(deadline),
            Phase::Closing(until) => until.earlier(deadline),
            Phase::Ending => {
                let own = self.termination.as_ref().map_or(Deadline::NEVER, Termination::deadline);
                if self.waits_for_killed() { own.earlier(deadline) } else { own }
            }
            Phase::FlowingOut { until, .. } => until,
            Phase::Over => Deadline::NEVER,
        }
    }

    /// How long the callbacks for the lines of one chunk may go on: a run that has asked its processes to end looks at them often.
    pub(super) fn callbacks_until(&self) -> Deadline {
        if self.phase == Phase::Ending { Deadline::after(CALLBACKS) } else { Deadline::NEVER }
    }

    /// This process was stopped for this long.
    pub(super) fn later_by(&mut self, by: Duration) {
        match &mut self.phase {
            Phase::Closing(until) | Phase::FlowingOut { until, .. } => *until = until.later_by(by),
            Phase::Ending => self.termination.iter_mut().for_each(|termination| termination.later_by(by)),
            Phase::Running | Phase::Over => {}
        }
    }

    /// The termination that the handle has begun, with what it knows; else one of these processes.
    fn take_termination(&mut self, stages: &Stages) -> Termination {
        let begun = self.termination.take().or_else(|| self.shared.with_requested(Option::take));
        begun.unwrap_or_else(|| {
            let live: Vec<Process> = stages.live().map(|(_, process)| process.clone()).collect();
            Termination::new(&live, self.container.as_ref(), &self.shared)
        })
    }

    /// Begins to end the processes by these steps. The members of the group `spared` have had the first signal.
    pub(super) fn terminate(&mut self, steps: Steps, spared: Option<i32>, stages: &Stages) {
        let mut termination = self.take_termination(stages);
        termination.spare(spared);
        termination.begin(steps, true);
        self.termination = Some(termination);
        self.phase = Phase::Ending;
    }

    /// All processes of the run were killed by a handle: kills what holds its streams now.
    pub(super) fn was_killed(&mut self, rest: &Rest<'_>) {
        let mut termination = self.take_termination(rest.stages);
        termination.kill(&rest.streams.pipes());
        self.termination = Some(termination);
        self.phase = Phase::Ending;
    }

    pub(super) fn is_killed_or_flowing_out(&self) -> bool {
        self.has_killed() || matches!(self.phase, Phase::FlowingOut { .. } | Phase::Over)
    }

    /// Kills in the time that a drop has.
    pub(super) fn kill_briefly(&mut self, stages: &Stages) {
        let mut termination = self.take_termination(stages);
        termination.kill_briefly();
        self.termination = Some(termination);
    }

    pub(super) fn skip_to_kill(&mut self) {
        self.termination.iter_mut().for_each(Termination::skip_to_kill);
    }

    /// Does what is due now; whether the termination is over.
    pub(super) fn advance(&mut self, rest: &Rest<'_>) -> bool {
        match (self.phase, &mut self.termination) {
            // A termination that the handle has asked for does not end the run: it goes on until the run is over.
            (Phase::Running, _) => {
                self.shared.with_requested(|requested| {
                    if let Some(requested) = requested {
                        requested.advance(&mut StreamsOnly(rest.streams));
                    }
                });
                false
            }
            (Phase::Ending, Some(termination)) => termination.advance(&mut WholeRun { rest, reason: self.reason }),
            _ => false,
        }
    }

    /// The termination is over. If the handle has killed the processes, they are waited for, however long that takes; otherwise, or when
    /// they have ended, the streams flow out.
    pub(super) fn conclude(&mut self, rest: &Rest<'_>, deadline: Deadline) {
        let has_killed = self.has_killed();
        if rest.stages.have_ended() || (has_killed && (self.reason.is_some() || rest.streams.have_failed())) {
            self.flow_out(rest, deadline);
        } else if has_killed {
            self.termination = None;
        }
    }

    /// Lets the streams flow out: for the rest of the grace, if a process was asked to end.
    pub(super) fn flow_out(&mut self, rest: &Rest<'_>, deadline: Deadline) {
        let was_asked = rest.stages.are_processes(&self.running);
        let until = match &self.termination {
            Some(termination) if !termination.has_killed() && was_asked => termination.grace_end(),
            // Killed by the handle, whose caller has waited for the grace.
            Some(_) if self.has_killed() && self.reason.is_none() && !rest.streams.have_failed() => {
                deadline.earlier(Deadline::after(KILLED_BY_HANDLE))
            }
            _ => Deadline::after(LAST_CHANCE),
        };
        self.phase = Phase::FlowingOut { until, last: false };
    }

    /// Sinks have been given up. The other sinks have one more chance to take what these held back.
    pub(super) fn flow_out_at_last(&mut self) {
        self.phase = Phase::FlowingOut { until: Deadline::after(LAST_CHANCE), last: true };
    }

    /// Kills the outsiders that hold these pipes.
    pub(super) fn kill_outsiders(&self, pipes: &Pipes, leaks: &mut Leaks) {
        let mut termination = Termination::new(&[], self.container.as_ref(), &self.shared);
        termination.kill(pipes);
        termination.named().iter().for_each(|(pid, name)| leaks.add_process(*pid, name, true));
        termination.run(&mut ProcessesOnly);
    }

    /// The run is over: looks for processes that are left in its container, and kills them if that was asked for.
    pub(super) fn empty_container(&self, on_leak: OnLeak, leaks: &mut Leaks) {
        let Some(container) = &self.container else { return };
        // A cgroup lists its members. For any other container all processes of the system have to be looked at.
        let is_worth_it = container.tells_at_once() || on_leak != OnLeak::Allow;
        if self.reason.is_none() && is_worth_it {
            let kills = on_leak == OnLeak::Kill;
            let (members, unseen) = container.members(Deadline::after(WALK));
            leaks.note(unseen);
            for (pid, name) in members {
                leaks.add_process(pid, &name, kills);
            }
            // A container is killed as a whole, also where its members cannot be listed.
            if kills && (unseen.is_some() || !leaks.processes.is_empty()) {
                let mut termination = Termination::new(&[], Some(container), &self.shared);
                termination.kill(&Pipes::new());
                termination.run(&mut ProcessesOnly);
            }
        }
        container.close();
    }

    /// What a kill did not reach, and why there may be more.
    pub(super) fn take_survivors(&mut self) -> (Vec<Survivor>, Option<Unseen>) {
        let termination = self.termination.take();
        termination.map_or_else(Default::default, |termination| (termination.reached().1, termination.unseen()))
    }
}

/// A run that its engine ends.
struct WholeRun<'a> {
    rest: &'a Rest<'a>,
    reason: Option<EndReason>,
}

impl Context for WholeRun<'_> {
    fn closures_have_ended(&mut self) -> bool {
        self.rest.stages.closures_have_ended()
    }

    /// A stream that fails is no reason to look for others that hold it: the run waits for the ends of the processes.
    fn pipes(&self) -> Pipes {
        if self.reason.is_some() { self.rest.streams.pipes() } else { Pipes::new() }
    }

    fn sent(&mut self, signal: i32) {
        self.rest.observers.emit(EventKind::Killed { signal });
        if signal == libc::SIGKILL {
            self.rest.stages.cancel(self.reason.unwrap_or(EndReason::Aborted));
        }
    }
}

/// A run that its handle has asked to end. The handle has emitted the event; the streams show which processes are left.
struct StreamsOnly<'a>(&'a Streams);

impl Context for StreamsOnly<'_> {
    fn pipes(&self) -> Pipes {
        self.0.pipes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_an_ending_move_by_a_pause() {
        let hour = Duration::from_secs(3600);
        let until = Deadline::after(hour);
        for (phase, moved) in [
            (Phase::Running, Phase::Running),
            (Phase::Closing(until), Phase::Closing(until.later_by(hour))),
            (Phase::FlowingOut { until, last: true }, Phase::FlowingOut { until: until.later_by(hour), last: true }),
        ] {
            let mut ending = Ending { phase, ..Ending::new(None) };
            ending.later_by(hour);
            assert_eq!(ending.phase, moved);
        }
    }

    #[test]
    fn the_deadline_of_the_run_holds_until_a_reason_ends_it() {
        let deadline = Deadline::after(Duration::from_secs(1));
        let later = Deadline::after(Duration::from_secs(2));
        let at = |phase, reason| Ending { phase, reason, ..Ending::new(None) }.deadline(deadline);
        assert_eq!(at(Phase::Running, None), deadline);
        assert_eq!(at(Phase::Closing(later), None), deadline);
        assert_eq!(at(Phase::Ending, None), deadline);
        assert!(at(Phase::Ending, Some(EndReason::Cancelled)).is_never());
        assert_eq!(at(Phase::FlowingOut { until: later, last: false }, None), later);
        assert!(at(Phase::Over, None).is_never());
    }

    #[test]
    fn streams_flow_out_for_a_moment_where_no_process_was_asked_to_end() {
        let (stages, streams) = (Stages::new(None), Streams::default());
        let rest = Rest { stages: &stages, streams: &streams, observers: &Observers::default() };
        let mut ending = Ending::new(None);
        ending.terminate(Steps::from([(15, Duration::from_secs(60))]), None, &stages);
        assert!(ending.advance(&rest), "there is nothing to end");
        ending.conclude(&rest, Deadline::NEVER);
        let Phase::FlowingOut { until, last: false } = ending.phase else { panic!("{:?}", ending.phase) };
        assert!(until.remaining().is_some_and(|left| left <= LAST_CHANCE));
    }
}
