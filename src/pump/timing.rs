//! What bounds a run, and what it is called when a bound ended it.

use std::time::Duration;

use crate::clock::Deadline;

/// Why a run ended other than by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cut {
    TimedOut = 1,
    Cancelled,
    /// Dropped, or killed by its own handle's drop.
    Aborted,
}

/// The times that bound a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) deadline: Deadline,
    /// From asking the processes to end to killing them.
    pub(crate) grace: Duration,
    /// From the last process's end to giving up on streams that somebody else holds; `None`: as long as it takes.
    pub(crate) eof_grace: Option<Duration>,
}
