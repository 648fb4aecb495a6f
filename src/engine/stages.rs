//! The stages of a run: which have ended, and how.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cancellation::Cancellation;
use super::closure::{ClosureError, ClosureHandle};
use super::end_reason::EndReason;
use super::events::EventKind;
use super::observers::Observers;
use crate::clock::Deadline;
use crate::process::{self, ExitReport, Process};
use crate::sys::poll::{self, Interest};

/// What runs a stage.
pub(crate) enum StageHandle {
    Process(Process),
    Closure(ClosureHandle),
}

struct Stage {
    handle: StageHandle,
    ended: Option<ExitReport>,
}

pub(super) struct Stages {
    stages: Vec<Stage>,
    /// Ends the closures, if there are any.
    cancellation: Option<Arc<Cancellation>>,
    /// When the last end was seen.
    last_end: Option<Instant>,
}

impl Stage {
    /// The process, unless it is known to have ended.
    fn live_process(&self) -> Option<&Process> {
        match &self.handle {
            StageHandle::Process(process) if self.ended.is_none() => Some(process),
            StageHandle::Process(_) | StageHandle::Closure(_) => None,
        }
    }
}

impl Stages {
    pub(super) fn new(cancellation: Option<Arc<Cancellation>>) -> Stages {
        Stages { stages: Vec::new(), cancellation, last_end: None }
    }

    pub(super) fn add(&mut self, handle: StageHandle) {
        self.stages.push(Stage { handle, ended: None });
    }

    pub(super) fn interests(&self, mut each: impl FnMut(BorrowedFd<'_>, Interest, usize)) {
        for (index, process) in self.live() {
            each(process.end_fd(), Interest::Readable, index);
        }
    }

    /// The processes that are not known to have ended.
    pub(super) fn live(&self) -> impl Iterator<Item = (usize, &Process)> {
        self.stages.iter().enumerate().filter_map(|(index, stage)| Some((index, stage.live_process()?)))
    }

    /// The stages that are not known to have ended.
    pub(super) fn running(&self) -> Vec<usize> {
        (0..self.stages.len()).filter(|&index| self.stages[index].ended.is_none()).collect()
    }

    pub(super) fn are_processes(&self, stages: &[usize]) -> bool {
        stages.iter().any(|&index| matches!(self.stages[index].handle, StageHandle::Process(_)))
    }

    pub(super) fn have_ended(&self) -> bool {
        self.stages.iter().all(|stage| stage.ended.is_some())
    }

    pub(super) fn closures_have_ended(&self) -> bool {
        self.stages.iter().all(|stage| match &stage.handle {
            StageHandle::Closure(closure) => stage.ended.is_some() || closure.ended().is_some(),
            StageHandle::Process(_) => true,
        })
    }

    /// When streams that outlive the stages are given up.
    pub(super) fn leak_deadline(&self, eof_grace: Option<Duration>) -> Deadline {
        match (eof_grace, self.last_end) {
            (Some(grace), Some(end)) if self.have_ended() => {
                end.checked_add(grace).map_or(Deadline::NEVER, Deadline::at)
            }
            _ => Deadline::NEVER,
        }
    }

    pub(super) fn later_by(&mut self, by: Duration) {
        self.last_end = self.last_end.map(|end| end.checked_add(by).unwrap_or(end));
    }

    /// Asks whether the stage has ended.
    fn look_at(&mut self, index: usize, observers: &Observers) -> io::Result<()> {
        if self.stages[index].ended.is_none() {
            let ended = match &self.stages[index].handle {
                StageHandle::Process(process) => process.try_report()?,
                StageHandle::Closure(closure) => closure.ended(),
            };
            if let Some(ended) = ended {
                self.set_ended(index, ended, observers);
            }
        }
        Ok(())
    }

    /// Asks all stages. A stage that cannot be asked is taken to run: its descriptor is polled again.
    pub(super) fn look(&mut self, observers: &Observers) {
        for index in 0..self.stages.len() {
            let _ = self.look_at(index, observers);
        }
    }

    /// Asks the closures, which is a lock and no system call.
    pub(super) fn look_at_closures(&mut self, observers: &Observers) {
        for index in 0..self.stages.len() {
            if let StageHandle::Closure(_) = self.stages[index].handle {
                let _ = self.look_at(index, observers);
            }
        }
    }

    /// The kernel reports the end of a process. If waitid(2) then fails three times, its status stays unknown here, and the reaper goes on
    /// asking.
    pub(super) fn ready(&mut self, index: usize, observers: &Observers) {
        if (0..3).all(|_| self.look_at(index, observers).is_err()) {
            let Some(process) = self.stages[index].live_process() else { return };
            process::hand_over(process.clone());
            let ended = process.unknown_report();
            self.set_ended(index, ended, observers);
        }
    }

    fn set_ended(&mut self, stage: usize, ended: ExitReport, observers: &Observers) {
        self.stages[stage].ended = Some(ended);
        self.last_end = Some(Instant::now());
        observers.emit(EventKind::Exited { stage, status: ended.status });
    }

    /// Waits for a process by the call that reaps it; false where that cannot be done or has failed.
    pub(super) fn wait_alone(&mut self, index: usize) -> bool {
        let StageHandle::Process(process) = &mut self.stages[index].handle else { return false };
        matches!(process.wait_alone(), Some(Ok(_)))
    }

    /// Kills the processes and waits for all stages, closures included, for this long in all. Each process is signalled and waited for
    /// twice, so that a failure that passes does not leave it to the reaper.
    pub(super) fn kill_and_wait(&mut self, patience: Duration, observers: &Observers) {
        for _ in 0..2 {
            for (_, process) in self.live() {
                // A process that refuses (EPERM: it changed its user) must not keep the signal from the others.
                let _ = process.send_signal(libc::SIGKILL);
            }
            let until = Deadline::after(patience / 2);
            for index in 0..self.stages.len() {
                match &self.stages[index].handle {
                    StageHandle::Process(process) => {
                        let _ = poll::wait_for(process.end_fd(), Interest::Readable, until);
                    }
                    StageHandle::Closure(closure) => closure.wait_until(until),
                }
                let _ = self.look_at(index, observers);
            }
            if self.have_ended() {
                break;
            }
        }
    }

    /// Says why the run is being ended. Closures beside processes have the processes' time: their streams end when the processes do, and
    /// what a process writes last still gets through. Where there are only closures, they are cancelled at once.
    pub(super) fn announce(&self, reason: EndReason) {
        match &self.cancellation {
            Some(cancellation) if self.live().next().is_none() => cancellation.cancel(reason),
            Some(cancellation) => cancellation.announce(reason),
            None => {}
        }
    }

    /// Fails what the closures read and write from now on.
    pub(super) fn cancel(&self, reason: EndReason) {
        if let Some(cancellation) = &self.cancellation {
            cancellation.cancel(reason);
        }
    }

    /// Leaves the processes that have not ended to the reaper.
    pub(super) fn hand_over(&self) {
        for (_, process) in self.live() {
            process::hand_over(process.clone());
        }
    }

    /// The stages' ends, and why closures failed.
    pub(super) fn results(&self) -> (Vec<Option<ExitReport>>, Vec<(usize, ClosureError)>) {
        let errors = self.stages.iter().enumerate().filter_map(|(index, stage)| match &stage.handle {
            StageHandle::Closure(closure) => closure.take_error().map(|error| (index, error)),
            StageHandle::Process(_) => None,
        });
        let errors = errors.collect();
        (self.stages.iter().map(|stage| stage.ended).collect(), errors)
    }
}

#[cfg(test)]
mod tests {
    use super::super::closure::ClosureEnd;
    use super::super::control::Control;
    use super::*;

    #[test]
    fn the_stages_have_ended_when_the_last_end_was_seen_and_streams_then_have_their_grace() {
        let (_control, waker) = Control::new().unwrap();
        let (closures, reporters): (Vec<_>, Vec<_>) = (0..2).map(|_| ClosureHandle::new(waker.clone())).unzip();
        let mut stages = Stages::new(None);
        closures.into_iter().for_each(|closure| stages.add(StageHandle::Closure(closure)));
        let observers = Observers::default();
        let grace = Some(Duration::ZERO);
        for (index, reporter) in reporters.into_iter().enumerate() {
            stages.look(&observers);
            assert_eq!(stages.running(), (index..2).collect::<Vec<_>>());
            assert!(stages.leak_deadline(grace).is_never());
            reporter.report(ClosureEnd::Returned);
        }
        assert!(stages.closures_have_ended() && !stages.have_ended());
        stages.look_at_closures(&observers);
        assert!(stages.have_ended());
        assert!(stages.leak_deadline(grace).passed());
        assert!(stages.leak_deadline(None).is_never());
        stages.later_by(Duration::from_secs(3600));
        assert!(!stages.leak_deadline(grace).passed());
    }

    #[test]
    fn closures_alone_are_cancelled_as_soon_as_the_end_is_announced() {
        let cancellation = Cancellation::new().unwrap();
        Stages::new(Some(Arc::clone(&cancellation))).announce(EndReason::TimedOut);
        assert!(cancellation.check().is_err());
    }
}
