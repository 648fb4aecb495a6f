//! What concerns a run as a whole: times, limits, the status policy.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::cancel::CancelHandle;
use crate::clock::Deadline;
use crate::process::contain::Containment;
use crate::process::pauses;
use crate::pump::events::Watcher;
use crate::pump::{Limit, OnLeak, Steps, Timing};

/// Which stages' statuses count.
///
/// An [`unchecked`](crate::Cmd::unchecked) stage and an allowed code are no failure under any of them.
///
/// ```
/// use pipewright::{Cmd, StatusPolicy, cmd};
/// let pipeline = Cmd::sh("exit 3") | cmd!("cat");
/// assert_eq!(pipeline.run().unwrap_err().stage(), Some(0));
/// assert!(pipeline.status_policy(StatusPolicy::Last).run()?.status.success());
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum StatusPolicy {
    /// Any stage that failed, the rightmost first; a stage that died of SIGPIPE because the next one had enough did not fail.
    #[default]
    Pipefail,
    /// The last stage alone.
    Last,
    /// Any stage, a death of SIGPIPE included.
    Strict,
}

/// The settings that a builder carries for its runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Option<Duration>,
    /// What a run that is ended gets before it is killed.
    pub(crate) steps: Option<Steps>,
    pub(crate) contain: Option<Containment>,
    pub(crate) eof_grace: Option<Duration>,
    pub(crate) on_leak: Option<OnLeak>,
    pub(crate) policy: Option<StatusPolicy>,
    pub(crate) stdout_limit: Option<Limit>,
    pub(crate) stderr_limit: Option<Limit>,
    /// By the descriptor's number.
    pub(crate) fd_limits: BTreeMap<i32, Limit>,
    pub(crate) capacity: Option<usize>,
    pub(crate) watchers: Watchers,
    /// Whether a subscriber is told the command line.
    #[cfg(feature = "tracing")]
    pub(crate) trace_command: bool,
    /// Signals to this process reach the run.
    pub(crate) forward_signals: bool,
    /// The run has the terminal.
    pub(crate) foreground: bool,
    pub(crate) cancel: OnceLock<CancelHandle>,
}

/// Callbacks for what happens.
#[derive(Clone, Default)]
pub(crate) struct Watchers(pub(crate) Vec<Watcher>);

impl std::fmt::Debug for Watchers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} callbacks", self.0.len())
    }
}

/// From TERM to KILL, unless the builder says otherwise.
const GRACE: Duration = Duration::from_secs(1);

/// From the last process's end to giving up on who still holds a stream, where something is to be done about that.
const EOF_GRACE: Duration = Duration::from_millis(100);

impl Settings {
    /// The names of what is set: what a stage inside a pipeline must not carry.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        let mut name = |set: bool, name| {
            if set {
                names.push(name)
            }
        };
        name(self.timeout.is_some(), "timeout");
        name(self.grace.is_some(), "grace");
        name(self.steps.is_some(), "shutdown_plan");
        name(self.contain.is_some(), "contain");
        name(self.eof_grace.is_some(), "eof_grace");
        name(self.on_leak.is_some(), "on_leak");
        name(self.policy.is_some(), "status_policy");
        name(self.stdout_limit.is_some(), "stdout_limit");
        name(self.stderr_limit.is_some(), "stderr_limit");
        name(!self.fd_limits.is_empty(), "fd_limit");
        name(self.capacity.is_some(), "capacity");
        name(!self.watchers.0.is_empty(), "on_event");
        #[cfg(feature = "tracing")]
        name(self.trace_command, "trace_command");
        name(self.forward_signals, "forward_signals");
        name(self.foreground, "foreground");
        name(self.cancel.get().is_some(), "cancel_handle");
        names
    }

    /// What the processes are put into: one that has the terminal has a group.
    pub(crate) fn container(&self) -> Option<&Containment> {
        self.contain.as_ref().or(self.foreground.then_some(&Containment::Group))
    }

    /// How long streams are waited for that strangers hold.
    pub(crate) fn eof_grace(&self) -> Option<Duration> {
        let given_up = !matches!(self.on_leak, None | Some(OnLeak::Allow));
        self.eof_grace.or(given_up.then_some(EOF_GRACE))
    }

    /// The times of a run that starts now.
    pub(crate) fn timing(&self) -> Timing {
        Timing {
            deadline: Deadline::after_opt(self.timeout),
            paused: (self.forward_signals || self.foreground).then(pauses::spent),
            steps: match &self.steps {
                Some(steps) => Arc::clone(steps),
                None => Arc::new([(libc::SIGTERM, self.grace.unwrap_or(GRACE))]),
            },
            eof_grace: self.eof_grace(),
            on_leak: self.on_leak.unwrap_or_default(),
        }
    }
}
