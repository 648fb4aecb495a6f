//! What concerns a run as a whole: times, limits, the status policy.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::cancel::CancelHandle;
use crate::clock::Deadline;
use crate::contain::Containment;
use crate::engine::broadcast::Observer;
use crate::engine::leak::OnLeak;
use crate::engine::timing::{Steps, Timing};
use crate::io::capture::Limit;
use crate::outcome::StatusPolicy;
use crate::process::suspension_clock;

/// The settings of a whole run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) times: Times,
    pub(crate) contain: Option<Containment>,
    pub(crate) on_leak: Option<OnLeak>,
    pub(crate) policy: Option<StatusPolicy>,
    pub(crate) sizes: Sizes,
    pub(crate) observers: Observers,
    pub(crate) signals: Signals,
    pub(crate) cancel: OnceLock<CancelHandle>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Times {
    pub(crate) timeout: Option<Duration>,
    /// From the first signal to SIGKILL, where there are no `steps`.
    pub(crate) grace: Option<Duration>,
    /// The signals that a run gets before SIGKILL.
    pub(crate) steps: Option<Steps>,
    pub(crate) eof_grace: Option<Duration>,
}

/// Limits of captures, and the capacity of pipes, in bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sizes {
    pub(crate) stdout: Option<Limit>,
    pub(crate) stderr: Option<Limit>,
    /// By the descriptor's number.
    pub(crate) fds: BTreeMap<i32, Limit>,
    pub(crate) pipe_capacity: Option<usize>,
}

/// What reports the run while it runs.
#[derive(Clone, Default)]
pub(crate) struct Observers {
    pub(crate) watchers: Vec<Observer>,
    /// Whether the span for `tracing` holds the command line.
    #[cfg(feature = "tracing")]
    pub(crate) trace_command: bool,
}

impl std::fmt::Debug for Observers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} callbacks", self.watchers.len())
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    /// Whether signals to this process are passed on to the run.
    pub(crate) forward: bool,
    /// Whether the run has this process's terminal.
    pub(crate) foreground: bool,
}

/// From TERM to KILL, unless the builder says otherwise.
const GRACE: Duration = Duration::from_secs(1);

/// From the last process's end until streams that other processes hold are given up, if `on_leak` is set.
const EOF_GRACE: Duration = Duration::from_millis(100);

impl Settings {
    /// The names of the settings that are set, which a stage inside a pipeline must not have.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        let mut name = |set: bool, name| {
            if set {
                names.push(name)
            }
        };
        name(self.times.timeout.is_some(), "timeout");
        name(self.times.grace.is_some(), "grace");
        name(self.times.steps.is_some(), "shutdown_plan");
        name(self.contain.is_some(), "contain");
        name(self.times.eof_grace.is_some(), "eof_grace");
        name(self.on_leak.is_some(), "on_leak");
        name(self.policy.is_some(), "status_policy");
        name(self.sizes.stdout.is_some(), "stdout_limit");
        name(self.sizes.stderr.is_some(), "stderr_limit");
        name(!self.sizes.fds.is_empty(), "fd_limit");
        name(self.sizes.pipe_capacity.is_some(), "pipe_capacity");
        name(!self.observers.watchers.is_empty(), "on_event");
        #[cfg(feature = "tracing")]
        name(self.observers.trace_command, "trace_command");
        name(self.signals.forward, "forward_signals");
        name(self.signals.foreground, "foreground");
        name(self.cancel.get().is_some(), "cancel_handle");
        names
    }

    /// What the processes are put into: one that has the terminal has a group.
    pub(crate) fn container(&self) -> Option<&Containment> {
        self.contain.as_ref().or(self.signals.foreground.then_some(&Containment::Group))
    }

    /// How long to wait for streams that processes outside of the run hold.
    pub(crate) fn eof_grace(&self) -> Option<Duration> {
        let given_up = !matches!(self.on_leak, None | Some(OnLeak::Allow));
        self.times.eof_grace.or(given_up.then_some(EOF_GRACE))
    }

    /// The times of a run that starts now.
    pub(crate) fn timing(&self) -> Timing {
        Timing {
            deadline: Deadline::after_opt(self.times.timeout),
            paused: (self.signals.forward || self.signals.foreground).then(suspension_clock::spent),
            steps: match &self.times.steps {
                Some(steps) => Arc::clone(steps),
                None => Arc::new([(libc::SIGTERM, self.times.grace.unwrap_or(GRACE))]),
            },
            eof_grace: self.eof_grace(),
            on_leak: self.on_leak.unwrap_or_default(),
        }
    }
}
