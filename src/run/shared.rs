//! One run, many waiters.
//!
//! The first thread that waits drives the run. The others sleep until the run is over, or until the driver leaves at its own deadline and
//! one of them takes over. A run that has work while no thread waits has a thread of its own, which is a waiter without a deadline.

use std::fmt;
use std::mem;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use super::conclude::RunResult;
use super::ends::PipedEnds;
use super::started::{Members, Run};
use crate::clock::Deadline;
use crate::engine::broadcast::{Broadcast, Observer};
use crate::engine::control::{Control, Request, Waker};
use crate::engine::events::EventKind;
use crate::engine::termination::{DROP_PATIENCE, SharedEnding, Termination};
use crate::io::callback::panic_text;
use crate::io::io_thread::ReaderGuard;
use crate::lock::lock;
use crate::outcome::{ErrorKind, Fault, Output, Words};
use crate::status::Status;
use crate::stream::Stream;

pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    piped: Mutex<PipedEnds>,
    /// Whether the run has a thread.
    threaded: bool,
    /// Wakes the driver, until the run is over: it holds a descriptor.
    waker: Mutex<Option<Waker>>,
    broadcast: Arc<Broadcast>,
    /// What handles do to the run.
    outside: Arc<SharedEnding>,
}

struct State {
    driver: Driver,
    /// The handle was dropped without ending the run.
    detached: bool,
    /// The threads that drive the run or emit its events: they may be in the caller's code, and the run waits for them.
    inside: Vec<ThreadId>,
}

enum Driver {
    Idle(Box<Run>),
    /// A thread drives, and owns the run.
    Driving,
    /// The run lives on without this library: no thread will drive it.
    Detached,
    Over(RunResult),
}

impl Driver {
    /// Takes an idle run, and leaves `next` in its place. Any other state stays.
    fn take_idle(&mut self, next: Driver) -> Option<Box<Run>> {
        match mem::replace(self, next) {
            Driver::Idle(run) => Some(run),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl State {
    /// Whether this thread is in a callback of the run, which cannot go on until the callback returns.
    fn is_inside(&self) -> bool {
        self.inside.contains(&thread::current().id())
    }

    fn enter(&mut self) {
        self.inside.push(thread::current().id());
    }

    fn leave(&mut self) {
        let id = thread::current().id();
        if let Some(at) = self.inside.iter().position(|other| *other == id) {
            self.inside.swap_remove(at);
        }
    }
}

/// What becomes of piped ends that were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untaken {
    /// stdin is closed, the outputs are read and thrown away.
    Discard,
    Keep,
}

/// How often a driver that cannot be woken looks for changes: this delays a waiter by 20 ms at most.
const LOOK: Duration = Duration::from_millis(20);

/// Which thread drove a run for a while.
pub(crate) enum DrivenBy {
    Caller,
    /// No thread, any more.
    Over,
    RunThread,
    OtherThread,
}

/// The run, while this thread drives it. Its drop gives back what the run has become, on every path.
struct Claim<'a> {
    shared: &'a Shared,
    next: Driver,
}

impl Claim<'_> {
    fn drive(&mut self, until: Deadline) {
        self.work(|run| run.drive(until, None));
    }

    /// Does something to the run, and concludes it if that returns true.
    ///
    /// A panic in here is one of a callback, or a bug: the waiters get it as the run's error.
    fn work(&mut self, work: impl FnOnce(&mut Run) -> Result<bool, Fault>) {
        let Some(mut run) = self.next.take_idle(Driver::Detached) else { return };
        let worked = catch_unwind(AssertUnwindSafe(|| match work(&mut run) {
            Ok(false) => Driver::Idle(run),
            Ok(true) => Driver::Over(run.conclude()),
            Err(error) => Driver::Over(Err(run.give_up(error))),
        }));
        match worked {
            Ok(next) => self.next = next,
            Err(panic) => {
                let what = format!("the run's driver panicked: {}", panic_text(&*panic));
                self.next = Driver::Over(Err(Fault::new(ErrorKind::Panic, what).words(Words::Callers { cut: true })));
                self.shared.broadcast.close();
            }
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let next = mem::replace(&mut self.next, Driver::Detached);
        if let Driver::Over(_) = next {
            // Before the waiters wake up: after a wait the run holds no descriptor.
            drop(self.shared.waker().take());
        }
        let mut state = self.shared.state();
        state.leave();
        let detached = match next {
            // The handle was dropped meanwhile.
            Driver::Idle(run) if state.detached => {
                run.detach();
                state.driver = Driver::Detached;
                true
            }
            next => {
                state.driver = next;
                false
            }
        };
        drop(state);
        self.shared.changed.notify_all();
        if detached {
            // Without the lock: destructors of watchers are the caller's code.
            self.shared.broadcast.close();
        }
    }
}

impl Shared {
    pub(crate) fn new(mut run: Run, threaded: bool) -> Shared {
        let piped = Mutex::new(mem::take(&mut run.piped));
        let waker = run.waker.clone();
        let broadcast = Arc::clone(run.broadcast.get_or_insert_default());
        let outside = Arc::clone(run.engine.shared_ending());
        outside.set_pipes(run.engine.pipes());
        let state = State { driver: Driver::Idle(Box::new(run)), detached: false, inside: Vec::new() };
        Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            piped,
            threaded,
            waker: Mutex::new(waker),
            broadcast,
            outside,
        }
    }

    /// Claims an idle run for this thread. The state's lock must be released before the claim is dropped.
    fn claim<'a>(&'a self, state: &mut State) -> Option<Claim<'a>> {
        let run = state.driver.take_idle(Driver::Driving)?;
        state.enter();
        Some(Claim { shared: self, next: Driver::Idle(run) })
    }

    /// Drives until something has happened, if no other thread does or will.
    pub(crate) fn step(&self) -> DrivenBy {
        let mut state = self.state();
        match state.driver {
            Driver::Over(_) | Driver::Detached => return DrivenBy::Over,
            // Nothing happens until the callback that this thread is in has returned.
            Driver::Idle(_) | Driver::Driving if state.is_inside() => return DrivenBy::Over,
            Driver::Idle(_) | Driver::Driving if self.threaded => return DrivenBy::RunThread,
            Driver::Idle(_) | Driver::Driving => {}
        }
        let Some(mut claim) = self.claim(&mut state) else { return DrivenBy::OtherThread };
        drop(state);
        // A thread that waits meanwhile, and discards a piped end, wakes the driver; without a waker the driver looks.
        let until = if self.waker().is_some() { Deadline::NEVER } else { Deadline::after(LOOK) };
        claim.work(|run| {
            run.engine.yield_on_event(true);
            let driven = run.drive(until, None);
            run.engine.yield_on_event(false);
            driven
        });
        DrivenBy::Caller
    }

    /// The processes were killed: the driver waits for nothing else from now on. A driver without a waker has no stream to wait for.
    pub(crate) fn was_killed(&self) {
        let mut state = self.state();
        let claim = if self.threaded { None } else { self.claim(&mut state) };
        if let Some(mut claim) = claim {
            // Without the lock: this may call callbacks.
            drop(state);
            claim.work(|run| {
                run.engine.was_killed();
                Ok(false)
            });
        } else {
            self.waker().iter().for_each(|waker| waker.request(Request::WasKilled));
        }
    }

    /// Adds a watcher, and wakes the driver. Of a run that is over, `lines` makes the lines of what was captured.
    pub(crate) fn watch(&self, watcher: Observer, lines: impl FnOnce(&Output) -> Vec<EventKind>) {
        let mut state = self.state();
        // Its lines were emitted, and it is about to be over: then `lines` has them.
        while self.broadcast.is_ending() && matches!(state.driver, Driver::Driving) && !state.is_inside() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let output = match &state.driver {
            Driver::Over(Ok(outcome)) => Some(&outcome.output),
            Driver::Over(Err(error)) => error.output(),
            Driver::Idle(_) | Driver::Driving | Driver::Detached => None,
        };
        self.broadcast.observe(watcher, output.map(lines).unwrap_or_default());
        if let (Driver::Idle(run), false) = (&mut state.driver, self.threaded) {
            // The thread that takes the events drives while others wait, and they must be able to wake it. Without a spare descriptor
            // it looks from time to time.
            if let (None, Ok((wake, waker))) = (&run.waker, Control::new()) {
                run.engine.set_control(wake);
                run.waker = Some(waker.clone());
                *self.waker() = Some(waker);
            }
        }
        self.wake();
    }

    /// Emits an event of what a handle does to the run. After a panic of a watcher the caller has to end the run.
    pub(crate) fn emit(&self, kind: EventKind) -> thread::Result<()> {
        self.state().enter();
        let emitted = catch_unwind(AssertUnwindSafe(|| self.broadcast.emit(kind)));
        self.state().leave();
        emitted
    }

    pub(crate) fn shared_ending(&self) -> &SharedEnding {
        &self.outside
    }

    /// Wakes the driver.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker() {
            waker.wake();
        }
    }

    /// The work of the run's thread.
    pub(crate) fn drive(&self) {
        // `None`: the run was ended before this thread began.
        let claim = self.claim(&mut self.state());
        if let Some(mut claim) = claim {
            claim.drive(Deadline::NEVER);
        }
    }

    /// Waits, and drives if no other thread does or will. `None`: `until` came first.
    ///
    /// A run with a thread is driven by that thread, also while the thread has not begun: the caller's callbacks must not run here. A
    /// thread that is in one of the run's callbacks gets an error at once: the run waits for the callback.
    ///
    /// Piped ends that were not taken are discarded under the state's lock, by the thread that is about to drive or by waking the driver.
    /// A driver without a waker that has not discarded them only looks, and leaves at once: then this thread drives.
    pub(crate) fn wait_until(&self, until: Deadline, untaken: Untaken) -> Option<Result<Status, Fault>> {
        let discard = || match untaken {
            Untaken::Discard => self.piped().discard(),
            Untaken::Keep => Vec::new(),
        };
        let mut state = self.state();
        loop {
            if state.is_inside() && !until.passed() && matches!(state.driver, Driver::Idle(_) | Driver::Driving) {
                return Some(Err(waits_for_itself()));
            }
            match &mut state.driver {
                Driver::Over(result) => {
                    let status = result.as_ref().map(|outcome| outcome.output.status).map_err(Clone::clone);
                    drop(discard());
                    return Some(status);
                }
                Driver::Detached => return None,
                Driver::Idle(run) => discard().into_iter().for_each(|flow| run.engine.add_stream(flow)),
                Driver::Driving => {
                    if let Some(waker) = &*self.waker() {
                        discard().into_iter().for_each(|flow| waker.add(flow));
                    }
                }
            }
            let claim = if self.threaded { None } else { self.claim(&mut state) };
            if let Some(mut claim) = claim {
                drop(state);
                claim.drive(until);
                let is_over = matches!(claim.next, Driver::Over(_));
                drop(claim);
                if !is_over {
                    return None;
                }
                state = self.state();
            } else {
                state = self.sleep(state, until)?;
            }
        }
    }

    /// Sleeps until something changes. `None`: `until` has come.
    fn sleep<'a>(&self, state: MutexGuard<'a, State>, until: Deadline) -> Option<MutexGuard<'a, State>> {
        match until.remaining() {
            None => Some(self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)),
            Some(Duration::ZERO) => None,
            Some(left) => Some(self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0),
        }
    }

    /// Whether dropping the handle ends nothing: the run is over, or detached.
    pub(crate) fn is_over_or_detached(&self) -> bool {
        let state = self.state();
        state.detached || matches!(state.driver, Driver::Over(_) | Driver::Detached)
    }

    /// Takes the result of a run that is over.
    pub(crate) fn take(&self) -> RunResult {
        match mem::replace(&mut self.state().driver, Driver::Detached) {
            Driver::Over(result) => result,
            // This cannot happen: a wait has returned, so the run is over.
            Driver::Idle(_) | Driver::Driving | Driver::Detached => {
                Err(Fault::new(ErrorKind::Io, "the run's result was taken before"))
            }
        }
    }

    pub(crate) fn take_end(&self, stream: Stream) -> Option<OwnedFd> {
        self.piped().take(stream)
    }

    pub(crate) fn take_reader_guard(&self) -> Option<ReaderGuard> {
        self.piped().guard.take()
    }

    /// Ends what still runs. Where another thread drives, the processes are killed and reaped from here and that thread is woken. It is
    /// waited for only for the patience of a drop, since it may be in the caller's code.
    pub(crate) fn end(&self, members: &Members) {
        let mut state = self.state();
        if state.detached {
            return;
        }
        *self.piped() = PipedEnds::default();
        let ended = Driver::Over(Err(Fault::new(ErrorKind::Cancelled, "the run was ended by its handle")));
        if let Some(run) = state.driver.take_idle(ended) {
            drop(state);
            drop(run);
            self.broadcast.close();
            // A thread that has not begun yet holds the rest of this for a moment longer.
            drop(self.waker().take());
        } else if let Driver::Driving = state.driver {
            // A process that refuses the signal (EPERM) lives on.
            Termination::new(&members.processes, members.container.as_ref(), &self.outside).kill_briefly();
            // From here, because the driver may be in the caller's code.
            members.cancel_closures();
            if let Some(waker) = &*self.waker() {
                waker.request(Request::Abort);
            }
            drop(state);
            let until = Deadline::after(DROP_PATIENCE);
            for process in &members.processes {
                // What does not die in time is left to the driver.
                let _ = process.wait_until(until);
            }
            let is_driven = |state: &mut State| matches!(state.driver, Driver::Driving);
            let left = until.remaining().unwrap_or_default();
            drop(self.changed.wait_timeout_while(self.state(), left, is_driven));
        }
    }

    /// Lets the processes live. A run with a thread goes on there.
    pub(crate) fn detach(&self) {
        *self.piped() = PipedEnds::default();
        let mut state = self.state();
        // A thread that drives sees this when it gives the run back.
        state.detached = true;
        if self.threaded {
            return;
        }
        if let Some(run) = state.driver.take_idle(Driver::Detached) {
            drop(state);
            run.detach();
            self.broadcast.close();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        lock(&self.waker)
    }

    fn piped(&self) -> MutexGuard<'_, PipedEnds> {
        lock(&self.piped)
    }
}

/// The error of a wait that could never return: like EDEADLK of pthread_join(3).
fn waits_for_itself() -> Fault {
    let what = "the run cannot be waited for in its own callback: it waits until the callback returns";
    Fault::new(ErrorKind::Deadlock, what)
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state().driver {
            Driver::Idle(_) | Driver::Driving => "running",
            Driver::Detached => "detached",
            Driver::Over(Ok(_)) => "over",
            Driver::Over(Err(_)) => "failed",
        })
    }
}
