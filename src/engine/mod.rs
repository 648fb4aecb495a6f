//! The state machine of a run: it moves the run's bytes and sees its processes end.
//!
//! It never waits. A driver asks for its [`interests`](Engine::interests) and its [`deadline`](Engine::deadline), waits in its own way,
//! and reports what is [`ready`](Engine::ready) and when [time is up](Engine::time_is_up), until the engine is [`done`](Engine::done). Each
//! call does one bounded piece of work, so endless output never delays a deadline.

pub(crate) mod broadcast;
pub(crate) mod cancellation;
pub(crate) mod closure;
pub(crate) mod control;
pub(crate) mod driver;
pub(crate) mod end_reason;
mod ending;
pub(crate) mod events;
pub(crate) mod finished;
pub(crate) mod leak;
mod observers;
mod schedule;
pub(crate) mod stages;
pub(crate) mod stopped_children;
mod streams;
pub(crate) mod termination;
pub(crate) mod timing;

use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use crate::clock::Deadline;
use crate::contain::Container;
use crate::io::callback::BorrowedCallback;
use crate::io::flow::Flow;
use crate::io::interrupt::Interrupt;
use crate::io::stream_end::StreamEnd;
use crate::sys::poll::Interest;
use crate::sys::terminal;

use broadcast::Broadcast;
use cancellation::Cancellation;
use control::{Control, ForwardedSignal, Request};
use end_reason::EndReason;
use ending::{Ending, Phase, Rest};
use events::EventKind;
use finished::Finished;
use leak::{Leaks, OnLeak};
use observers::Observers;
use stages::{StageHandle, Stages};
use stopped_children::StoppedChildren;
use streams::{CloseContext, Streams};
use termination::{DROP_PATIENCE, Pipes, SharedEnding};
use timing::{Steps, Timing};

/// What a driver's readiness refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Stream(usize, StreamEnd),
    Stage(usize),
    /// A process that is being ended with the stages.
    Terminated,
    Control,
}

/// A run in progress.
pub(crate) struct Engine {
    streams: Streams,
    stages: Stages,
    ending: Ending,
    timing: Timing,
    control: Option<Control>,
    observers: Observers,
    stopped_children: StoppedChildren,
    leaks: Leaks,
}

impl Engine {
    pub(crate) fn new(
        timing: Timing,
        control: Option<Control>,
        cancellation: Option<Arc<Cancellation>>,
        container: Option<Arc<Container>>,
    ) -> Engine {
        Engine {
            streams: Streams::default(),
            stages: Stages::new(cancellation),
            ending: Ending::new(container),
            timing,
            control,
            observers: Observers::default(),
            stopped_children: StoppedChildren::none(),
            leaks: Leaks::default(),
        }
    }

    /// Adds a stage that has begun.
    pub(crate) fn add_stage(&mut self, handle: StageHandle) {
        self.stages.add(handle);
    }

    pub(crate) fn add_stream(&mut self, flow: Flow) {
        self.streams.add(flow, &self.observers);
        self.close_on_failure();
    }

    /// Emits events there from now on.
    pub(crate) fn set_broadcast(&mut self, broadcast: Option<Arc<Broadcast>>) {
        self.observers.broadcast = broadcast;
    }

    /// Takes requests from now on, if it did not before.
    pub(crate) fn set_control(&mut self, control: Control) {
        self.control.get_or_insert(control);
    }

    /// Whether the driver is to return to its caller after an event.
    pub(crate) fn yield_on_event(&mut self, yields: bool) {
        self.observers.yields_on_event = yields;
    }

    pub(crate) fn look_for_stopped(&mut self, stopped_children: StoppedChildren) {
        self.stopped_children = stopped_children;
    }

    pub(crate) fn shared_ending(&self) -> &Arc<SharedEnding> {
        self.ending.shared()
    }

    /// The pipes that are read and have not ended.
    pub(crate) fn pipes(&self) -> Pipes {
        self.streams.pipes()
    }

    /// Everything to wait for.
    pub(crate) fn interests(&self, mut each: impl FnMut(BorrowedFd<'_>, Interest, Token)) {
        self.streams.interests(|fd, interest, index, end| each(fd, interest, Token::Stream(index, end)));
        self.stages.interests(|fd, interest, index| each(fd, interest, Token::Stage(index)));
        self.ending.interests(|fd, interest| each(fd, interest, Token::Terminated));
        if let Some(control) = &self.control {
            each(control.fd(), Interest::Readable, Token::Control);
        }
    }

    /// When [`time_is_up`](Self::time_is_up) is to be called, if nothing is ready before.
    pub(crate) fn deadline(&self) -> Deadline {
        let own = self.ending.deadline(self.timing.deadline);
        match self.ending.phase {
            Phase::Running => {
                own.earlier(self.leak_deadline()).earlier(self.stopped_children.deadline(&self.observers))
            }
            _ => own,
        }
    }

    fn leak_deadline(&self) -> Deadline {
        if self.streams.wait_for_others() { self.stages.leak_deadline(self.timing.eof_grace) } else { Deadline::NEVER }
    }

    pub(crate) fn done(&self) -> bool {
        let ended_by_itself = !self.ending.is_terminating() && self.stages.have_ended();
        self.ending.phase == Phase::Over || (ended_by_itself && !self.streams.are_awaited())
    }

    /// Whether the driver is to return to its caller, who waits for an event.
    pub(crate) fn should_yield(&self) -> bool {
        self.observers.should_yield()
    }

    /// Does the one piece of work that a descriptor is ready for.
    pub(crate) fn ready(&mut self, token: Token, callback: &mut BorrowedCallback<'_>) {
        self.replay_lines(|broadcast| broadcast.newcomers());
        match token {
            Token::Stream(index, end) => {
                let until = self.deadline().earlier(self.ending.callbacks_until());
                self.stream_ready((index, end), until, callback);
            }
            Token::Stage(index) => {
                self.streams.end_backoff();
                self.stages.ready(index, &self.observers);
                self.advance();
            }
            Token::Terminated => self.advance(),
            Token::Control => self.handle_request(),
        }
    }

    fn stream_ready(&mut self, at: (usize, StreamEnd), until: Deadline, callback: &mut BorrowedCallback<'_>) {
        let control = self.control.as_ref();
        let has_request = || control.is_some_and(Control::has_request);
        let interrupt = Interrupt { until, has_request: control.is_some().then_some(&has_request) };
        self.streams.ready(at, callback, interrupt, &self.observers);
        self.close_on_failure();
    }

    /// Whether a single stream may be read without a poll, because nothing else has to be waited for.
    pub(crate) fn lone_reader(&self) -> Option<Token> {
        let is_alone = self.ending.phase == Phase::Running && self.control.is_none() && self.deadline().is_never();
        (is_alone && self.streams.has_lone_reader()).then_some(Token::Stream(0, StreamEnd::Pipe))
    }

    /// The other end of a stream is closed: behind the last bytes comes its end, which needs no second poll.
    pub(crate) fn read_on(&mut self, token: Token, callback: &mut BorrowedCallback<'_>) {
        if let Token::Stream(index, _) = token {
            if self.streams.may_read_on(index) {
                self.ready(token, callback);
            }
        }
    }

    /// Waits for the one process that is left, by the call that reaps it; false where that cannot be done or has failed.
    pub(crate) fn wait_alone(&mut self, index: usize) -> bool {
        let ended = self.stages.wait_alone(index);
        if ended {
            self.ready(Token::Stage(index), &mut None);
        }
        ended
    }

    /// The deadline has passed: does what is due.
    pub(crate) fn time_is_up(&mut self) {
        if self.done() {
            // The last event and the deadline came in one poll: the run was in time.
            return;
        }
        self.give_back_pauses();
        if self.ending.phase == Phase::Running {
            let container = self.ending.container();
            if let Some(reason) = self.stopped_children.look(&self.stages, container, &self.observers) {
                self.end(reason, None);
            }
            // This process may have been stopped, too.
            self.give_back_pauses();
        }
        if !self.deadline().passed() {
            return;
        }
        let timed_out = self.timing.deadline.passed();
        match self.ending.phase {
            Phase::Running | Phase::Closing(_) if timed_out => self.end(EndReason::TimedOut, None),
            Phase::Running if self.leak_deadline().passed() => self.give_up_on_outsiders(),
            // The termination that a handle has asked for; or the look for stops took so long that the next one is due.
            Phase::Running => self.advance(),
            Phase::Closing(_) => self.terminate(None),
            Phase::Ending if self.ending.waits_for_killed() && timed_out => {
                self.ending.reason = Some(EndReason::TimedOut);
                self.close();
            }
            Phase::Ending => self.advance(),
            Phase::FlowingOut { last, .. } => {
                self.streams.give_up_on_late_sinks();
                if last { self.close() } else { self.ending.flow_out_at_last() }
            }
            Phase::Over => {}
        }
    }

    /// Moves the run's times by the time for which this process was stopped.
    fn give_back_pauses(&mut self) {
        let by = self.timing.give_back_pauses();
        self.stages.later_by(by);
        self.ending.later_by(by);
    }

    fn handle_request(&mut self) {
        let Some(control) = &self.control else { return };
        let request = control.take_request();
        control.take_streams().into_iter().for_each(|flow| self.add_stream(flow));
        // The end of a closure wakes the run in the same way.
        self.stages.look_at_closures(&self.observers);
        match request {
            Some(Request::Abort) => self.abort(),
            Some(Request::WasKilled) => self.was_killed(),
            Some(Request::Kill(forwarded)) => self.kill(forwarded),
            Some(Request::Forward(forwarded)) => self.forward(forwarded),
            Some(Request::Cancel) => self.end(EndReason::Cancelled, None),
            None => {}
        }
        self.advance();
    }

    /// Begins to end the run. The members of the group `spared` have had the first signal.
    fn end(&mut self, reason: EndReason, spared: Option<i32>) {
        if self.ending.has_not_begun() {
            self.ending.reason.get_or_insert(reason);
            self.terminate(spared);
        }
    }

    /// This process was sent a signal that is passed on, in place of the first one of the plan.
    fn forward(&mut self, ForwardedSignal { signal, by_terminal }: ForwardedSignal) {
        if self.ending.has_not_begun() {
            self.timing.begin_with(signal);
            self.end(EndReason::Interrupted(signal), by_terminal.then(terminal::own_group));
        }
    }

    /// Kills the processes now: the remaining steps of the plan are skipped.
    fn kill(&mut self, forwarded: ForwardedSignal) {
        match self.ending.phase {
            Phase::Running | Phase::Closing(_) => {
                self.timing.steps = Steps::default();
                self.end(EndReason::Interrupted(forwarded.signal), None);
            }
            Phase::Ending => {
                self.ending.skip_to_kill();
                self.advance();
            }
            Phase::FlowingOut { .. } => self.close(),
            Phase::Over => {}
        }
    }

    /// A handle has killed all processes of the run. What holds the streams is killed, too, and nothing but the processes is waited for.
    pub(crate) fn was_killed(&mut self) {
        if !self.ending.is_killed_or_flowing_out() && !self.done() {
            let (ending, rest) = self.ending_and_rest();
            ending.was_killed(&rest);
            self.advance();
        }
    }

    /// Asks the processes of the run, and what they have started, to end.
    fn terminate(&mut self, spared: Option<i32>) {
        self.stages.look(&self.observers);
        let (reason, deadline) = (self.ending.reason, self.timing.deadline);
        if reason.is_some() {
            self.ending.running = self.stages.running();
        }
        // A stream that fails is no reason to look for others that hold it: the run waits for the ends of the processes.
        if self.stages.have_ended() && (reason.is_none() || !self.streams.wait_for_others()) {
            let (ending, rest) = self.ending_and_rest();
            ending.flow_out(&rest, deadline);
            return;
        }
        if reason.is_some() {
            self.find_holders_between_stages();
        }
        self.stages.announce(reason.unwrap_or(EndReason::Aborted));
        self.ending.terminate(Arc::clone(&self.timing.steps), spared, &self.stages);
        self.advance();
    }

    /// A process that still reads what ended stages wrote may be waiting for an outsider.
    fn find_holders_between_stages(&mut self) {
        let first = self.stages.running().first().copied();
        let reader = self.stages.live().find(|(index, _)| *index > 0 && Some(*index) == first);
        if let Some((_, process)) = reader {
            let own: Vec<u32> = self.stages.live().map(|(_, process)| process.pid()).collect();
            self.leaks.find_writers_of_stdin(process, &own);
        }
    }

    /// Does what the termination has to do by now. What still holds the streams when it is over is no part of the run: the bytes in the
    /// pipes are taken, and no more.
    fn advance(&mut self) {
        let deadline = self.timing.deadline;
        let (ending, rest) = self.ending_and_rest();
        if ending.advance(&rest) {
            self.stages.look(&self.observers);
            let (ending, rest) = self.ending_and_rest();
            ending.conclude(&rest, deadline);
        }
    }

    fn ending_and_rest(&mut self) -> (&mut Ending, Rest<'_>) {
        let Engine { ending, stages, streams, observers, .. } = self;
        (ending, Rest { stages, streams, observers })
    }

    /// The grace for streams that outsiders hold is over: the bytes in the pipes are taken. A stream that waits for a sink goes on.
    fn give_up_on_outsiders(&mut self) {
        if self.timing.on_leak == OnLeak::Kill {
            // Before the kill: a process that it ends holds nothing after it. Without this look (ENOMEM), what is seen after the kill counts.
            self.streams.held().into_iter().flatten().for_each(|stream| self.leaks.add_stream(stream));
            // Before the last look at the pipes: then nothing can be written after it.
            self.ending.kill_outsiders(&self.streams.pipes_of_others(), &mut self.leaks);
        }
        self.close_held(&mut None);
    }

    /// Closes the streams that have flowed out. The run is over with the last of them. A driver calls this before each wait.
    pub(crate) fn flow_out(&mut self, callback: &mut BorrowedCallback<'_>) {
        if !matches!(self.ending.phase, Phase::FlowingOut { .. }) {
            return;
        }
        for index in self.streams.behind() {
            self.stream_ready((index, StreamEnd::Pipe), self.deadline(), callback);
        }
        self.close_held(callback);
        if !self.streams.are_awaited() {
            self.close();
        }
    }

    fn close_held(&mut self, callback: &mut BorrowedCallback<'_>) {
        let (streams, mut context) = self.streams_to_close();
        streams.close_held(&mut context, callback);
        self.close_on_failure();
    }

    /// Closes all streams. The run is over.
    fn close(&mut self) {
        let (streams, mut context) = self.streams_to_close();
        streams.close_all(&mut context);
        self.ending.phase = Phase::Over;
    }

    fn streams_to_close(&mut self) -> (&mut Streams, CloseContext<'_>) {
        let context = CloseContext {
            reason: self.ending.reason,
            stages_ended: self.stages.have_ended(),
            leaks: &mut self.leaks,
            observers: &self.observers,
        };
        (&mut self.streams, context)
    }

    /// A stream that has failed is closed, which ends most processes. The others have the grace for that.
    fn close_on_failure(&mut self) {
        if self.ending.phase == Phase::Running && self.streams.have_failed() {
            self.ending.phase = Phase::Closing(Deadline::after(self.timing.grace()));
        }
    }

    /// Gives the lines so far to those observers.
    fn replay_lines(&mut self, newcomers: impl FnOnce(&Broadcast) -> Vec<broadcast::Observer>) {
        if let Some(broadcast) = &self.observers.broadcast {
            self.streams.replay(&newcomers(broadcast));
            self.close_on_failure();
        }
    }

    /// Kills, reaps and closes in bounded time, and waits for no stream. For drop: it opens no descriptor.
    pub(crate) fn abort(&mut self) {
        if self.done() {
            return;
        }
        let reason = *self.ending.reason.get_or_insert(EndReason::Aborted);
        self.stages.cancel(reason);
        self.ending.kill_briefly(&self.stages);
        self.stages.kill_and_wait(DROP_PATIENCE, &self.observers);
        self.close();
    }

    /// Takes the run apart. What has not ended is killed; what does not die is left to the reaper by the drop.
    pub(crate) fn finish(mut self) -> Finished {
        self.abort();
        self.streams.take_late_results(&mut self.leaks);
        self.replay_lines(|broadcast| broadcast.last_newcomers());
        self.leaks.add_ended(&self.ending.shared().ended_holders);
        self.ending.empty_container(self.timing.on_leak, &mut self.leaks);
        self.ending.shared().close();
        if !self.leaks.is_empty() {
            let Leaks { streams, processes, .. } = &self.leaks;
            self.observers.emit(EventKind::Leaked { streams: streams.clone(), processes: processes.clone() });
        }
        let (stages, errors) = self.stages.results();
        let (survivors, unseen) = self.ending.take_survivors();
        self.leaks.note(unseen);
        let (flows, failure) = self.streams.take();
        Finished {
            stages,
            errors,
            flows,
            end_reason: self.ending.reason,
            running: std::mem::take(&mut self.ending.running),
            failure,
            leaks: std::mem::take(&mut self.leaks),
            survivors,
        }
    }

    /// Lets the processes live. The reaper takes care of their zombies.
    pub(crate) fn detach(mut self) {
        self.stages.hand_over();
        self.stages = Stages::new(None);
        self.ending.phase = Phase::Over;
    }
}

/// Ends what a panic or an early return left behind: the processes are killed and reaped, and this process's ends closed.
impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The panic may come from an observer. A second one would abort the program.
            self.observers.broadcast = None;
        }
        let aborted = catch_unwind(AssertUnwindSafe(|| self.abort()));
        if aborted.is_err() {
            // An observer panicked and so interrupted the abort. It is not called again.
            self.abort();
        }
        self.stages.hand_over();
        if let Err(panic) = aborted {
            resume_unwind(panic);
        }
    }
}
