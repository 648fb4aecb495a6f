//! A started run, and what driving it to the end leaves.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use super::conclude;
use super::conclude::Ended;
use super::launch::{Drive, Wants, start};
#[cfg(feature = "forward")]
use super::signal_registry::Forwarded;
use crate::clock::Deadline;
use crate::contain::Container;
use crate::engine::cancellation::Stop;
use crate::engine::closure::Function;
use crate::engine::control::Waker;
use crate::engine::events::{EventKind, Hub};
use crate::engine::{Pump, driver};
use crate::io::callback::Lent;
use crate::io::drain::Drain;
use crate::io::flow::Flow;
use crate::io::io_thread::Leash;
use crate::io::sink::Sink;
use crate::outcome::{ErrorKind, Fault};
use crate::pipe::budget::Grant;
use crate::plan::Plan;
use crate::process::Process;
use crate::process::terminal::Terminal;
use crate::spec::cancel::Registration;
use crate::stream::Stream;

/// Processes that run, and the pump that serves them. Dropping it kills and reaps them.
pub(crate) struct Run {
    pub(crate) pump: Pump,
    pub(crate) plan: Arc<Plan>,
    pub(crate) processes: Vec<Process>,
    pub(crate) closures: Vec<Function>,
    pub(crate) began: Vec<Instant>,
    pub(crate) untaken: Untaken,
    pub(crate) waker: Option<Waker>,
    /// What stops the closures, if there are any.
    pub(crate) stop: Option<Arc<Stop>>,
    /// What holds the processes together.
    pub(crate) container: Option<Arc<Container>>,
    /// Where it says what happens.
    pub(crate) hub: Option<Arc<Hub>>,
    /// Pipe memory, given back when the run is over.
    pub(crate) _grants: Vec<Grant>,
    pub(crate) _registration: Option<Registration>,
    /// Taken back when the run is over.
    pub(crate) terminal: Option<Arc<Terminal>>,
    /// Last: it leaves when the processes are gone, and may not come back.
    #[cfg(feature = "forward")]
    pub(crate) _forwarded: Option<Forwarded>,
}

/// Our ends of piped streams, until somebody takes them.
#[derive(Default)]
pub(crate) struct Untaken {
    pub(crate) ends: Vec<(Stream, OwnedFd)>,
    /// Whether the builder asked for a capacity, which is then not to be touched.
    pub(crate) fixed: bool,
    /// What ties a reader of stdout to a run that has a driver.
    pub(crate) leash: Option<Leash>,
}

impl Untaken {
    /// The end of a stream, for the first who asks.
    pub(crate) fn take(&mut self, stream: Stream) -> Option<OwnedFd> {
        let at = self.ends.iter().position(|(other, _)| *other == stream)?;
        Some(self.ends.remove(at).1)
    }

    /// What nobody took: inputs are closed, and the outputs become streams that are read and thrown away.
    ///
    /// An output that cannot be set not to block is closed instead: its writer then learns of it.
    pub(crate) fn let_go(&mut self) -> Vec<Flow> {
        let outputs = std::mem::take(&mut self.ends).into_iter().filter(|(stream, _)| !stream.is_input());
        let drains = outputs.filter_map(|(stream, end)| {
            let drain = Drain::new(end, stream, vec![Sink::Discard], false).ok();
            drain.map(|drain| Flow::Drain(drain.of_capacity(self.fixed)))
        });
        drains.collect()
    }
}

impl Run {
    /// Drives the run until it is over, or until `until`: whether it is over.
    pub(crate) fn drive(&mut self, until: Deadline, lent: Lent<'_>) -> Result<bool, Fault> {
        driver::drive(&mut self.pump, until, lent).map_err(|error| {
            let what = "the run was given up: waiting for it failed (poll)";
            Fault::new(ErrorKind::Io, what).because(error)
        })
    }

    /// Takes a finished run apart. One that is not finished is ended.
    pub(crate) fn conclude(self) -> Ended {
        let Run { pump, plan, began, hub, terminal, .. } = self;
        let finished = pump.finish();
        // Who hears of the end may read it.
        drop(terminal);
        let ended = conclude::conclude(&plan, finished, &began);
        if let Some(hub) = hub {
            hub.emit(match &ended {
                Ok(over) => EventKind::Finished { status: Some(over.output.status), error: None },
                Err(fault) => {
                    EventKind::Finished { status: None, error: Some(fault.clone().into_error(&plan).to_string()) }
                }
            });
            hub.close();
        }
        ended
    }

    /// Ends a run that cannot be driven any more. What it captured goes into the error, the caller's buffer with it.
    pub(crate) fn give_up(self, fault: Fault) -> Fault {
        let output = self.conclude().map_or_else(Fault::into_output, |over| Some(over.output));
        match output {
            Some(output) => fault.with_output(output),
            None => fault,
        }
    }

    /// Lets the processes live.
    pub(crate) fn detach(self) {
        // Nobody will see when these pipes are gone, so their memory stays accounted for: too little left to grow is safe,
        // too much is not.
        self._grants.into_iter().for_each(std::mem::forget);
        self.pump.detach();
    }
}

/// Runs the plan on the calling thread, to its end.
pub(crate) fn run_to_end(plan: &Arc<Plan>, wants: Wants<'_>, lent: Lent<'_>) -> Ended {
    let mut run = start(Arc::clone(plan), Drive::ByCaller, wants)?;
    // Nobody asks for a handle: the pump's own are the only ones.
    run.processes.clear();
    for flow in run.untaken.let_go() {
        run.pump.add(flow);
    }
    match run.drive(Deadline::NEVER, lent) {
        Ok(_) => run.conclude(),
        Err(error) => Err(run.give_up(error)),
    }
}
