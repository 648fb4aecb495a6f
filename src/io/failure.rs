//! What can go wrong with a stream, and what is left when one is closed.

use std::os::fd::OwnedFd;

use super::callback::BoxError;
use crate::stream::Stream;

/// What went wrong with a stream.
#[derive(Debug)]
pub(crate) struct FlowFailure {
    pub(crate) stream: Stream,
    /// The number of the stream's pipe in the plan, where the stream alone does not tell whose it is.
    pub(crate) pipe: Option<usize>,
    pub(crate) what: FlowError,
}

#[derive(Debug)]
pub(crate) enum FlowError {
    /// Reading from or writing to a descriptor, the caller's reader or the caller's writer.
    Io(std::io::Error),
    /// A callback of the caller's returned an error.
    Callback(BoxError),
    /// A callback, reader or writer of the caller's panicked, with this text.
    Panic(String),
    /// More output than `Limit::Fail` allows.
    Limit(usize),
    /// These did not take all of it by the end of the time for that.
    Untaken(String),
}

/// Whether there is time to hand on what is taken from a stream as it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    IsLeft,
    /// Callbacks get nothing more.
    IsUp,
}

/// A stream that was given up.
pub(crate) struct Closed {
    /// Whether somebody still holds the other end, as far as can be seen.
    pub(crate) held: bool,
    /// Our end, to find by it who writes to it. It is closed with this.
    pub(crate) pipe: Option<OwnedFd>,
    pub(crate) result: Result<(), FlowFailure>,
}
