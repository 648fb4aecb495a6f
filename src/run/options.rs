//! What a verb wants of the run that it starts.

use std::io;

use super::closure_thread::ClosureThread;

/// Which thread drives the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drive {
    /// The thread that starts it, to its end.
    ByCaller,
    /// A thread that waits for it, or the run's own thread.
    ByJob,
}

/// Starts the thread of a closure that borrows, which it knows by this number.
pub(crate) type Scope<'a> = &'a mut dyn FnMut(usize, ClosureThread) -> io::Result<()>;

/// What the caller brings along.
#[derive(Default)]
pub(crate) struct Wants<'a> {
    /// The buffer that a captured stdout is appended to. It is taken when nothing else can fail.
    pub(crate) buffer: Option<&'a mut Vec<u8>>,
    /// Whether the verb hands its stdout out as an end of a pipe.
    pub(crate) reader: bool,
    /// Whether watchers may come after the start.
    pub(crate) watched: bool,
    /// Whether the caller is going to start a thread that drives the run.
    pub(crate) wake: bool,
    /// Runs the closures that borrow, on threads that a scope joins.
    pub(crate) scope: Option<Scope<'a>>,
}
