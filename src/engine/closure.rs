//! A closure in progress, as its run sees it.

use std::error::Error as StdError;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::control::Waker;
use crate::clock::Deadline;
use crate::process::ExitReport;
use crate::status::Status;

/// Why a closure failed, for its run to tell.
#[derive(Debug)]
pub(crate) enum FunctionError {
    /// It returned an error; `echo`: after its input had given it the error of the stage before.
    Failed { error: Arc<dyn StdError + Send + Sync>, echo: bool },
    /// It panicked, with this text.
    Panicked(String),
}

impl FunctionError {
    /// The number that a Rust program which ends so exits with.
    fn code(&self) -> i32 {
        match self {
            FunctionError::Failed { .. } => 1,
            FunctionError::Panicked(_) => 101,
        }
    }
}

/// How a closure ended, in the words for processes: what one would have died of.
#[derive(Debug)]
pub(crate) enum FunctionEnd {
    Returned,
    Failed(FunctionError),
    /// By a signal, had it been a process: its output was broken, or the run was stopped, and it gave up for that.
    Stopped(i32),
}

/// The run's side.
#[derive(Clone)]
pub(crate) struct Function(Arc<Shared>);

/// The closure's side. Dropping it without a word is a panic.
pub(crate) struct Post {
    shared: Arc<Shared>,
    began: Instant,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    Running(Waker),
    Ended(ExitReport, Option<FunctionError>),
}

/// A closure that is about to run, and what its thread says of its end.
pub(crate) fn function(waker: Waker) -> (Function, Post) {
    let shared = Arc::new(Shared { state: Mutex::new(State::Running(waker)), changed: Condvar::new() });
    (Function(Arc::clone(&shared)), Post { shared, began: Instant::now() })
}

impl Function {
    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitReport> {
        match &*self.0.state() {
            State::Running(_) => None,
            State::Ended(ended, _) => Some(*ended),
        }
    }

    /// Waits for its end, up to a moment.
    pub(crate) fn wait_until(&self, until: Deadline) {
        let running = |state: &mut State| matches!(state, State::Running(_));
        let left = until.remaining().unwrap_or(std::time::Duration::MAX);
        drop(self.0.changed.wait_timeout_while(self.0.state(), left, running));
    }

    /// Why it failed; once.
    pub(super) fn take_error(&self) -> Option<FunctionError> {
        match &mut *self.0.state() {
            State::Running(_) => None,
            State::Ended(_, error) => error.take(),
        }
    }
}

impl Post {
    pub(crate) fn send(self, end: FunctionEnd) {
        self.deliver(end);
    }

    fn deliver(&self, end: FunctionEnd) {
        let (status, error) = match end {
            FunctionEnd::Returned => (Status::exited(0), None),
            FunctionEnd::Failed(error) => (Status::exited(error.code()), Some(error)),
            FunctionEnd::Stopped(signal) => (Status::signaled(signal, false), None),
        };
        let ended = ExitReport { status, usage: None, wall: self.began.elapsed() };
        let mut state = self.shared.state();
        if let State::Running(waker) = &*state {
            waker.ring();
            // The waker goes with the old state, before anybody can see the new one: who saw the end finds no descriptor left.
            *state = State::Ended(ended, error);
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.deliver(FunctionEnd::Failed(FunctionError::Panicked("(its thread was lost)".into())));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
