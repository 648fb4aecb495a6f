//! A closure in progress: what its thread reports, and what its run sees.

use std::error::Error as StdError;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::control::Waker;
use crate::clock::Deadline;
use crate::lock::lock;
use crate::process::ExitReport;
use crate::status::Status;

/// Why a closure failed.
#[derive(Debug)]
pub(crate) enum ClosureError {
    /// It returned an error; `echo`: after its input had given it the error of the stage before.
    Failed { error: Arc<dyn StdError + Send + Sync>, echo: bool },
    /// It panicked, with this text.
    Panicked(String),
}

impl ClosureError {
    /// The exit code of a Rust program that ends in the same way.
    fn code(&self) -> i32 {
        match self {
            ClosureError::Failed { .. } => 1,
            ClosureError::Panicked(_) => 101,
        }
    }
}

/// How a closure ended.
#[derive(Debug)]
pub(crate) enum ClosureEnd {
    Returned,
    Failed(ClosureError),
    /// It gave up because its output was broken or the run was ended. A process would have died of this signal.
    Stopped(i32),
}

/// The run's side.
#[derive(Clone)]
pub(crate) struct ClosureHandle(Arc<Shared>);

/// The side of the closure's thread. Dropping it without a report reports a panic.
pub(crate) struct EndReporter {
    shared: Arc<Shared>,
    began: Instant,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    Running(Waker),
    Ended(ExitReport, Option<ClosureError>),
}

impl ClosureHandle {
    /// A closure that is about to run; `waker` tells its run of the end.
    pub(crate) fn new(waker: Waker) -> (ClosureHandle, EndReporter) {
        let shared = Arc::new(Shared { state: Mutex::new(State::Running(waker)), changed: Condvar::new() });
        (ClosureHandle(Arc::clone(&shared)), EndReporter { shared, began: Instant::now() })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitReport> {
        match &*lock(&self.0.state) {
            State::Running(_) => None,
            State::Ended(ended, _) => Some(*ended),
        }
    }

    /// Waits for its end, until then.
    pub(crate) fn wait_until(&self, until: Deadline) {
        let running = |state: &mut State| matches!(state, State::Running(_));
        let left = until.remaining().unwrap_or(Duration::MAX);
        drop(self.0.changed.wait_timeout_while(lock(&self.0.state), left, running));
    }

    /// Why it failed; the second call returns `None`.
    pub(super) fn take_error(&self) -> Option<ClosureError> {
        match &mut *lock(&self.0.state) {
            State::Running(_) => None,
            State::Ended(_, error) => error.take(),
        }
    }
}

impl EndReporter {
    pub(crate) fn report(self, end: ClosureEnd) {
        self.report_once(end);
    }

    fn report_once(&self, end: ClosureEnd) {
        let (status, error) = match end {
            ClosureEnd::Returned => (Status::exited(0), None),
            ClosureEnd::Failed(error) => (Status::exited(error.code()), Some(error)),
            ClosureEnd::Stopped(signal) => (Status::signaled(signal, false), None),
        };
        let ended = ExitReport { status, usage: None, wall: self.began.elapsed() };
        let mut state = lock(&self.shared.state);
        if let State::Running(waker) = &*state {
            waker.wake();
            // The old state goes before the lock does, and the waker's descriptor with it: a thread that sees the end finds that
            // descriptor closed.
            *state = State::Ended(ended, error);
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for EndReporter {
    fn drop(&mut self) {
        self.report_once(ClosureEnd::Failed(ClosureError::Panicked("(its thread was lost)".into())));
    }
}

#[cfg(test)]
mod tests {
    use super::super::control::Control;
    use super::*;

    #[test]
    fn a_thread_that_is_lost_is_a_panic_and_an_end_is_reported_once() {
        let (_control, waker) = Control::new().unwrap();
        let (lost, reporter) = ClosureHandle::new(waker.clone());
        assert!(lost.ended().is_none());
        drop(reporter);
        assert_eq!(lost.ended().map(|ended| ended.status), Some(Status::exited(101)));
        assert!(lost.take_error().is_some());
        assert!(lost.take_error().is_none());
        let (returned, reporter) = ClosureHandle::new(waker);
        reporter.report(ClosureEnd::Returned);
        assert_eq!(returned.ended().map(|ended| ended.status), Some(Status::exited(0)));
    }
}
