//! What can go wrong with a stream, and what is left when one is closed.

use std::os::fd::OwnedFd;

use super::callback::BoxError;
use crate::stream::Stream;

/// What went wrong with a stream.
#[derive(Debug)]
pub(crate) struct FlowFailure {
    pub(crate) stream: Stream,
    /// The index of the stream's pipe in the plan: it tells which stages the stream belongs to.
    pub(crate) pipe: Option<usize>,
    pub(crate) what: FlowError,
}

#[derive(Debug)]
pub(crate) enum FlowError {
    /// From a descriptor, or from the caller's `Read` or `Write`.
    Io(std::io::Error),
    /// The caller's callback returned an error.
    Callback(BoxError),
    /// The caller's callback, `Read` or `Write` panicked with this text.
    Panic(String),
    /// The stream has more bytes than `Limit::Fail` allows.
    Limit(usize),
    /// The sinks of this description had not taken all bytes when their time was up.
    Untaken(String),
}

/// Whether callbacks still get lines when a stream is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    IsLeft,
    IsUp,
}

/// A stream that was closed before its end.
pub(crate) struct Closed {
    /// Whether a process still holds the other end, as far as that can be seen.
    pub(crate) held: bool,
    /// The read end, by which the holders of the write end are found. It is closed with this value.
    pub(crate) pipe: Option<OwnedFd>,
    pub(crate) result: Result<(), FlowFailure>,
}
