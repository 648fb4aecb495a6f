//! The state machine that moves a run's bytes and sees its processes end.
//!
//! It never waits: a driver asks it for [`interests`](Pump::interests) and a [`deadline`](Pump::deadline), waits in its own
//! way, and tells it what is [`ready`](Pump::ready) and when [time is up](Pump::time_is_up), until it is
//! [`done`](Pump::done). Each call does one bounded piece of work, so endless output never keeps a deadline from being seen.

pub(crate) mod cancellation;
pub(crate) mod closure;
pub(crate) mod control;
pub(crate) mod driver;
mod ending;
pub(crate) mod events;
mod flow_out;
pub(crate) mod leak;
mod notify;
mod schedule;
mod shortcuts;
pub(crate) mod stages;
pub(crate) mod stopped_children;
pub(crate) mod termination;
pub(crate) mod timing;

use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Deadline;
use crate::contain::Container;
use crate::io::callback::BorrowedCallback;
use crate::io::failure::FlowFailure;
use crate::io::flow::Flow;
use crate::io::interrupt::Halt;
use crate::process::{self, ExitReport, Process};
use crate::sys::poll::Interest;
use crate::tree::Survivor;

use cancellation::Stop;
use closure::FunctionError;
use control::{Order, Wake};
use events::{EventKind, Hub};
use leak::Leaks;
use stages::{Runner, StageRun};
use stopped_children::Stops;
use termination::{Outside, Termination};
use timing::{Cut, Timing};

/// How long callbacks may keep a run that is being ended from looking at its processes, beyond the call in progress.
const CALLBACKS_WHILE_ENDING: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// A stream failed and was closed; what does not end by that is ended when the time is up.
    Closing(Deadline),
    /// Being ended; without a termination any more, nothing but the stages is waited for.
    Ending,
    /// All of it has ended, and what was said last flows out, until then; `last`: without those that had their time and took nothing.
    FlowingOut {
        until: Deadline,
        last: bool,
    },
    Over,
}

/// What a driver's readiness refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Flow(usize),
    /// A flow's n-th sink.
    Sink(usize, usize),
    Stage(usize),
    /// One of those that the processes have started.
    Descendant,
    Wake,
}

/// A run in progress.
pub(crate) struct Pump {
    flows: Vec<Flow>,
    stages: Vec<StageRun>,
    timing: Timing,
    phase: Phase,
    wake: Option<Wake>,
    /// What stops the closures, if there are any.
    stop: Option<Arc<Stop>>,
    /// What holds the processes together.
    container: Option<Arc<Container>>,
    /// Where it says what happens.
    hub: Option<Arc<Hub>>,
    /// Whoever drives wants to see to what happens.
    leaves_off: bool,
    last_end: Option<Instant>,
    cut: Option<Cut>,
    /// The stages that ran when the run was cut.
    running_at_cut: Vec<usize>,
    failure: Option<FlowFailure>,
    leaks: Leaks,
    /// There while the run is being ended.
    termination: Option<Termination>,
    /// What handles do to the run.
    outside: Arc<Outside>,
    stops: Stops,
}

/// What a finished run leaves.
pub(crate) struct Finished {
    /// By stage; `None` for a process that did not die of SIGKILL in time, or a closure that did not return.
    pub(crate) stages: Vec<Option<ExitReport>>,
    /// Why closures failed, by stage.
    pub(crate) errors: Vec<(usize, FunctionError)>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) cut: Option<Cut>,
    /// The stages that still ran when it was cut.
    pub(crate) running_at_cut: Vec<usize>,
    pub(crate) failure: Option<FlowFailure>,
    /// The streams that somebody else still held when they were given up.
    pub(crate) leaks: Leaks,
    /// The processes that a kill did not reach.
    pub(crate) survivors: Vec<Survivor>,
}

impl Pump {
    pub(crate) fn new(
        timing: Timing,
        wake: Option<Wake>,
        stop: Option<Arc<Stop>>,
        container: Option<Arc<Container>>,
    ) -> Pump {
        Pump {
            flows: Vec::new(),
            stages: Vec::new(),
            timing,
            phase: Phase::Running,
            wake,
            stop,
            container,
            hub: None,
            leaves_off: false,
            last_end: None,
            cut: None,
            running_at_cut: Vec::new(),
            failure: None,
            leaks: Leaks::default(),
            termination: None,
            outside: Arc::default(),
            stops: Stops::none(),
        }
    }

    /// Another stage, which has begun: it is ended with the others.
    pub(crate) fn begin(&mut self, runner: Runner) {
        self.stages.push(StageRun { runner, ended: None });
    }

    /// Says from now on what happens.
    pub(crate) fn tell_to(&mut self, hub: Option<Arc<Hub>>) {
        self.hub = hub;
    }

    /// Hears orders from now on, if it did not before.
    pub(crate) fn hear(&mut self, wake: Wake) {
        self.wake.get_or_insert(wake);
    }

    /// Whether a driver is to leave off when something has been told.
    pub(crate) fn leave_off_on_news(&mut self, leaves_off: bool) {
        self.leaves_off = leaves_off;
    }

    pub(crate) fn is_to_be_left(&self) -> bool {
        self.leaves_off && self.hub.as_ref().is_some_and(|hub| hub.has_news())
    }

    /// Has stops looked for.
    pub(crate) fn look_out(&mut self, stops: Stops) {
        self.stops = stops;
    }

    /// Everything to wait for.
    pub(crate) fn interests(&self, mut each: impl FnMut(BorrowedFd<'_>, Interest, Token)) {
        for (index, flow) in self.flows.iter().enumerate() {
            flow.interests(index, &mut each);
        }
        for (index, stage) in self.stages.iter().enumerate() {
            if let Some(process) = stage.live_process() {
                each(process.end_fd(), Interest::Readable, Token::Stage(index));
            }
        }
        for end in self.termination.iter().flat_map(Termination::ends) {
            each(end, Interest::Readable, Token::Descendant);
        }
        if let Some(wake) = &self.wake {
            each(wake.fd(), Interest::Readable, Token::Wake);
        }
    }

    /// When [`time_is_up`](Self::time_is_up) wants to be called, if nothing else happens.
    pub(crate) fn deadline(&self) -> Deadline {
        match self.phase {
            Phase::Running => {
                let asked =
                    self.outside.with_asked(|asked| asked.as_ref().map_or(Deadline::NEVER, Termination::deadline));
                self.timing.deadline.earlier(self.leak_deadline()).earlier(self.next_look()).earlier(asked)
            }
            Phase::Closing(until) => self.timing.deadline.earlier(until),
            Phase::Ending => self.ending_deadline(),
            Phase::FlowingOut { until, .. } => until,
            Phase::Over => Deadline::NEVER,
        }
    }

    /// Until when callbacks for the lines of one chunk may go on: a run whose processes were asked to end looks often whether they
    /// are gone.
    fn patience(&self) -> Deadline {
        match self.phase {
            Phase::Running | Phase::Closing(_) | Phase::FlowingOut { .. } | Phase::Over => self.deadline(),
            Phase::Ending => self.deadline().earlier(Deadline::after(CALLBACKS_WHILE_ENDING)),
        }
    }

    pub(crate) fn done(&self) -> bool {
        let by_itself = self.termination.is_none() && self.all_ended();
        self.phase == Phase::Over || (by_itself && self.flows.iter().all(|flow| !flow.is_awaited()))
    }

    /// Does the one piece of work that readiness allows.
    pub(crate) fn ready(&mut self, token: Token, lent: &mut BorrowedCallback<'_>) {
        self.greet();
        match token {
            Token::Flow(flow) => {
                let (until, wake) = (self.patience(), self.wake.as_ref());
                let has_request = || wake.is_some_and(Wake::has_news);
                let halt = Halt { until, has_request: wake.is_some().then_some(&has_request) };
                let result = self.flows[flow].step(lent, halt);
                self.tell_lines(flow);
                self.note(result);
            }
            Token::Sink(flow, sink) => {
                let result = self.flows[flow].write_on(sink);
                self.tell_lines(flow);
                self.note(result);
            }
            Token::Stage(index) => {
                self.flows.iter_mut().for_each(Flow::end_backoff);
                self.see_end(index);
                self.go_on();
            }
            Token::Descendant => self.go_on(),
            Token::Wake => self.obey(),
        }
    }

    /// Takes the run apart. What has not ended is killed; what does not die goes to the reaper, by Drop.
    pub(crate) fn finish(mut self) -> Finished {
        self.abort();
        for flow in &mut self.flows {
            if let Err(failure) = flow.late_result() {
                self.failure.get_or_insert(failure);
            }
            if flow.was_cut_short() {
                self.leaks.stream(flow.stream());
            }
        }
        self.greet_last();
        self.leaks.take_in(&self.outside.strangers);
        self.see_to_the_rest();
        self.outside.close();
        if !self.leaks.is_empty() {
            let Leaks { streams, processes, .. } = &self.leaks;
            self.tell(EventKind::Leaked { streams: streams.clone(), processes: processes.clone() });
        }
        let errors = self.stages.iter().enumerate().filter_map(|(index, stage)| match &stage.runner {
            Runner::Function(function) => function.take_error().map(|error| (index, error)),
            Runner::Process(_) => None,
        });
        let termination = self.termination.take();
        let survivors = termination.as_ref().map(|all| all.reached().1).unwrap_or_default();
        self.leaks.note(termination.and_then(|all| all.unseen()));
        Finished {
            errors: errors.collect(),
            stages: self.stages.iter().map(|stage| stage.ended).collect(),
            flows: std::mem::take(&mut self.flows),
            cut: self.cut,
            running_at_cut: std::mem::take(&mut self.running_at_cut),
            failure: self.failure.take(),
            leaks: std::mem::take(&mut self.leaks),
            survivors,
        }
    }

    /// Lets go of the processes without ending them: the reaper sees to their zombies.
    pub(crate) fn detach(mut self) {
        for process in self.stages.iter().filter_map(StageRun::live_process) {
            process::hand_over(process.clone());
        }
        self.stages.clear();
        self.phase = Phase::Over;
    }

    fn obey(&mut self) {
        let Some(wake) = &self.wake else { return };
        let order = wake.order();
        wake.flows().into_iter().for_each(|flow| self.add(flow));
        for index in 0..self.stages.len() {
            if let Runner::Function(_) = &self.stages[index].runner {
                // Asks a lock, which cannot fail.
                let _ = self.look_at(index);
            }
        }
        match order {
            Some(Order::Abort) => self.abort(),
            Some(Order::Killed) => self.was_killed(),
            Some(Order::Kill(interrupt)) => self.kill(interrupt),
            Some(Order::Interrupt(interrupt)) => self.interrupt(interrupt),
            Some(Order::Cancel) => self.begin_end(Cut::Cancelled),
            None => {}
        }
        // A closure may have ended, or the handle may have asked for an end.
        self.go_on();
    }

    /// Another stream to see to.
    pub(crate) fn add(&mut self, flow: Flow) {
        self.flows.push(flow);
        if self.hub.as_ref().is_some_and(|hub| hub.is_watched()) {
            self.listen(self.flows.len() - 1, &[]);
        }
    }

    /// The processes that have not ended, as far as is known.
    fn live(&self) -> Vec<Process> {
        self.stages.iter().filter_map(StageRun::live_process).cloned().collect()
    }

    fn all_ended(&self) -> bool {
        self.stages.iter().all(|stage| stage.ended.is_some())
    }

    fn leak_deadline(&self) -> Deadline {
        match (self.timing.eof_grace, self.last_end) {
            (Some(grace), Some(end)) if self.all_ended() && self.flows.iter().any(Flow::waits_for_peer) => {
                end.checked_add(grace).map_or(Deadline::NEVER, Deadline::at)
            }
            _ => Deadline::NEVER,
        }
    }

    /// The system says that the process has ended. If it then will not say how, asked more than once, nobody here will know, and the
    /// reaper asks on.
    fn see_end(&mut self, index: usize) {
        if (0..3).all(|_| self.look_at(index).is_err()) {
            let Some(process) = self.stages[index].live_process() else { return };
            process::hand_over(process.clone());
            let ended = process.unknown_report();
            self.stages[index].ended = Some(ended);
            self.last_end = Some(Instant::now());
            self.tell_end(index, ended);
        }
    }

    fn look_at(&mut self, index: usize) -> std::io::Result<()> {
        let stage = &mut self.stages[index];
        if stage.ended.is_none() {
            stage.ended = match &stage.runner {
                Runner::Process(process) => process.try_report()?,
                Runner::Function(function) => function.ended(),
            };
            if let Some(ended) = stage.ended {
                self.last_end = Some(Instant::now());
                self.tell_end(index, ended);
            }
        }
        Ok(())
    }

    fn note(&mut self, result: Result<(), FlowFailure>) {
        if let Err(failure) = result {
            self.failure.get_or_insert(failure);
            if self.phase == Phase::Running {
                self.phase = Phase::Closing(Deadline::after(self.timing.grace()));
            }
        }
    }
}

/// Ends what was left behind, by a panic or an early return: processes killed and reaped, our ends closed.
impl Drop for Pump {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Perhaps in a callback for events: a second panic would end the program.
            self.hub = None;
        }
        let ended = catch_unwind(AssertUnwindSafe(|| self.abort()));
        if ended.is_err() {
            // A callback for events broke off what has to be done; it is not called again.
            self.abort();
        }
        for process in self.stages.iter().filter_map(StageRun::live_process) {
            process::hand_over(process.clone());
        }
        if let Err(panic) = ended {
            resume_unwind(panic);
        }
    }
}
