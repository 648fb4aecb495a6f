//! A started run: what it consists of, and what it becomes.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::conclude::{self, RunResult};
use super::ends::PipedEnds;
#[cfg(feature = "forward")]
use super::signal_registry::Registered;
use crate::clock::Deadline;
use crate::contain::Container;
use crate::engine::broadcast::Broadcast;
use crate::engine::cancellation::Cancellation;
use crate::engine::closure::ClosureHandle;
use crate::engine::control::Waker;
use crate::engine::end_reason::EndReason;
use crate::engine::events::EventKind;
use crate::engine::{Engine, driver};
use crate::io::callback::BorrowedCallback;
use crate::outcome::{ErrorKind, Fault};
use crate::pipe::budget::Grant;
use crate::plan::Plan;
use crate::process::Process;
use crate::process::terminal::Terminal;
use crate::spec::cancel::Registration;

/// Processes and closures that run, and the engine that serves them. Dropping it kills and reaps the processes.
pub(crate) struct Run {
    pub(crate) engine: Engine,
    pub(crate) plan: Arc<Plan>,
    pub(crate) members: Members,
    /// When each stage was started.
    pub(crate) began: Vec<Instant>,
    pub(crate) piped: PipedEnds,
    pub(crate) waker: Option<Waker>,
    pub(crate) broadcast: Option<Arc<Broadcast>>,
    /// Last: one of the guards waits for the end of this process, and may not return.
    pub(crate) guards: Guards,
}

/// The run's processes and closures, as a handle of the run knows them.
#[derive(Clone)]
pub(crate) struct Members {
    pub(crate) processes: Vec<Process>,
    pub(crate) closures: Vec<ClosureHandle>,
    /// Cancels the closures, if there are any. The engine owns it: it holds a descriptor.
    pub(crate) stop: Option<Weak<Cancellation>>,
    pub(crate) container: Option<Arc<Container>>,
}

impl Members {
    /// What the closures read and write fails from now on.
    pub(crate) fn cancel_closures(&self) {
        if let Some(stop) = self.stop.as_ref().and_then(Weak::upgrade) {
            stop.cancel(EndReason::Aborted);
        }
    }
}

/// What is given back when the run is over, in this order.
pub(crate) struct Guards {
    /// Memory of the pipes between stages.
    pub(crate) grants: Vec<Grant>,
    pub(crate) _cancel: Option<Registration>,
    /// The terminal's foreground.
    pub(crate) terminal: Option<Arc<Terminal>>,
    #[cfg(feature = "forward")]
    pub(crate) registered: Option<Registered>,
}

impl Run {
    /// Drives the run until it is over, or until `until`. True: it is over.
    pub(crate) fn drive(&mut self, until: Deadline, lent: BorrowedCallback<'_>) -> Result<bool, Fault> {
        driver::drive(&mut self.engine, until, lent).map_err(|error| {
            let what = "the run was given up: waiting for it failed (poll)";
            Fault::new(ErrorKind::Io, what).because(error)
        })
    }

    /// Takes a finished run apart. One that is not finished is ended.
    pub(crate) fn conclude(self) -> RunResult {
        // The other guards stay in `self`, which is dropped last.
        let Run { engine, plan, began, broadcast, guards: Guards { terminal, .. }, .. } = self;
        let finished = engine.finish();
        // Before the event: a watcher may read the terminal.
        drop(terminal);
        let result = conclude::conclude(&plan, finished, &began);
        if let Some(broadcast) = broadcast {
            broadcast.emit(match &result {
                Ok(outcome) => EventKind::Finished { status: Some(outcome.output.status), error: None },
                Err(fault) => {
                    EventKind::Finished { status: None, error: Some(fault.clone().into_error(&plan).to_string()) }
                }
            });
            broadcast.close();
        }
        result
    }

    /// Ends a run that cannot be driven further. What it captured goes into the error, the caller's buffer with it.
    pub(crate) fn give_up(self, fault: Fault) -> Fault {
        let output = self.conclude().map_or_else(Fault::into_output, |outcome| Some(outcome.output));
        match output {
            Some(output) => fault.with_output(output),
            None => fault,
        }
    }

    /// Lets the processes live.
    pub(crate) fn detach(self) {
        // When these pipes are closed will not be seen, so their memory stays accounted for: too little left to grow pipes is safe, too
        // much is not.
        self.guards.grants.into_iter().for_each(std::mem::forget);
        self.engine.detach();
    }
}
