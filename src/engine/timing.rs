//! What bounds a run, and what it is called when a bound ended it.

use std::sync::Arc;
use std::time::Duration;

use super::leak::OnLeak;
use crate::clock::Deadline;

/// Why a run ended other than by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    TimedOut,
    Cancelled,
    /// This process was told to end, by this signal, and passes that on.
    Interrupted(i32),
    /// A stage was stopped by this signal, for using the terminal from the background.
    Stopped {
        stage: usize,
        signal: i32,
    },
    /// Dropped, or killed by its own handle's drop.
    Aborted,
}

/// Signals, each with the time until the next one.
pub(crate) type Steps = Arc<[(i32, Duration)]>;

/// The times that bound a run.
#[derive(Debug, Clone)]
pub(crate) struct Timing {
    pub(crate) deadline: Deadline,
    /// What this process had spent stopped, when its times were given back that time; `None`: they run on.
    pub(crate) paused: Option<Duration>,
    /// What the processes get before they are killed: a signal, and the time after it, in turn.
    pub(crate) steps: Steps,
    /// From the last process's end to giving up on streams that somebody else holds; `None`: as long as it takes.
    pub(crate) eof_grace: Option<Duration>,
    /// What becomes of those who hold them then.
    pub(crate) on_leak: OnLeak,
}

impl Timing {
    /// From the first signal to SIGKILL.
    pub(crate) fn grace(&self) -> Duration {
        self.steps.iter().fold(Duration::ZERO, |sum, (_, wait)| sum.saturating_add(*wait))
    }
}
