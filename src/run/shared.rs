//! One run, many waiters.
//!
//! Whoever waits first drives the run; the others sleep until it is over, or until the driver leaves at its own deadline and one
//! of them takes over. A run that has something to do while nobody waits has a thread, which is just a waiter
//! without a deadline.

use std::fmt;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::conclude::Ended;
use super::started::{Run, Untaken};
use crate::clock::Deadline;
use crate::contain::Container;
use crate::engine::control::{Order, Wake, Waker};
use crate::engine::events::{EventKind, Hub, Watcher};
use crate::engine::termination::{DROP_PATIENCE, Outside, Termination};
use crate::io::callback::panic_text;
use crate::io::io_thread::Leash;
use crate::outcome::{ErrorKind, Fault, Output, Words};
use crate::process::Process;
use crate::status::Status;
use crate::stream::Stream;

pub(crate) struct Shared {
    turn: Mutex<Turn>,
    changed: Condvar,
    untaken: Mutex<Untaken>,
    /// Whether the run has a thread.
    threaded: bool,
    /// How whoever drives it is told things, until the run is over: it holds a descriptor.
    waker: Mutex<Option<Waker>>,
    /// Where the run says what happens.
    hub: Arc<Hub>,
    /// What handles do to the run.
    outside: Arc<Outside>,
    /// The handle was let go of without ending the run.
    detached: AtomicBool,
}

enum Turn {
    /// Nobody drives.
    Idle(Box<Run>),
    /// Somebody drives, and has the run.
    Driven,
    /// Let go of: nobody will drive any more.
    Detached,
    Over(Ended),
}

/// What becomes of the ends that nobody took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leftovers {
    /// stdin is closed, the outputs are read and thrown away.
    LetGo,
    /// They stay, to be taken.
    Keep,
}
use Leftovers::{Keep, LetGo};

/// How often one who drives and cannot be told looks up.
const LOOK: Duration = Duration::from_millis(20);

/// Who saw to a run for a while.
pub(crate) enum Step {
    /// The caller.
    Done,
    /// Nobody has to any more.
    Over,
    ByThread,
    ByAnother,
}

impl Shared {
    /// Drives, if nobody else does or will, until something has happened.
    pub(crate) fn step(&self) -> Step {
        let mut turn = self.turn();
        match std::mem::replace(&mut *turn, Turn::Driven) {
            Turn::Idle(mut run) if !self.threaded => {
                drop(turn);
                run.pump.leave_off_on_news(true);
                // One who waits meanwhile, and lets go of a stream, can tell; if not, it is looked for.
                let until = if self.waker().is_some() { Deadline::NEVER } else { Deadline::after(LOOK) };
                let mut next = drive(run, until);
                if let Turn::Idle(run) = &mut next {
                    run.pump.leave_off_on_news(false);
                } else {
                    drop(self.waker().take());
                }
                self.put(next);
                Step::Done
            }
            Turn::Driven if !self.threaded => Step::ByAnother,
            other @ (Turn::Over(_) | Turn::Detached) => {
                *turn = other;
                Step::Over
            }
            other @ (Turn::Idle(_) | Turn::Driven) => {
                *turn = other;
                Step::ByThread
            }
        }
    }

    /// The processes were killed: whoever drives, or will, waits for nobody else. One who cannot be told has no stream to wait for.
    pub(crate) fn was_killed(&self) {
        let mut turn = self.turn();
        match std::mem::replace(&mut *turn, Turn::Driven) {
            Turn::Idle(run) if !self.threaded => {
                // Without the lock: callbacks may be told of it.
                drop(turn);
                self.put(guarded(run, |run| {
                    run.pump.was_killed();
                    Ok(false)
                }));
            }
            other => {
                *turn = other;
                self.waker().iter().for_each(|waker| waker.order(Order::Killed));
            }
        }
    }

    /// One more to hear of what happens. A driver that can be told to looks up. Of a run that is over, `lines` says what was captured.
    pub(crate) fn watch(&self, watcher: Watcher, lines: impl FnOnce(&Output) -> Vec<EventKind>) {
        let mut turn = self.turn();
        // Over, but for a moment.
        while self.hub.is_ending() && matches!(*turn, Turn::Driven) {
            turn = self.changed.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        let output = match &*turn {
            Turn::Over(Ok(over)) => Some(&over.output),
            Turn::Over(Err(error)) => error.output(),
            Turn::Idle(_) | Turn::Driven | Turn::Detached => None,
        };
        self.hub.watch(watcher, output.map(lines).unwrap_or_default());
        if let (Turn::Idle(run), false) = (&mut *turn, self.threaded) {
            // Who watches drives, and others wait beside it: they must be able to tell it things. Without a descriptor to spare it looks
            // by itself.
            if let (None, Ok((wake, waker))) = (run.waker(), Wake::new()) {
                run.pump.hear(wake);
                run.waker = Some(waker.clone());
                *self.waker() = Some(waker);
            }
        }
        self.ring();
    }

    /// Something is done to the run from outside. A panic of those who hear of it is the caller's, who has to end the run.
    pub(crate) fn tell(&self, kind: EventKind) -> thread::Result<()> {
        catch_unwind(AssertUnwindSafe(|| self.hub.emit(kind)))
    }

    pub(crate) fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Has whatever drives the run look up.
    pub(crate) fn ring(&self) {
        if let Some(waker) = &*self.waker() {
            waker.ring();
        }
    }

    fn put(&self, next: Turn) {
        let mut turn = self.turn();
        *turn = match next {
            // Let go of meanwhile, by a handle that is gone.
            Turn::Idle(run) if self.detached.load(Relaxed) => {
                run.detach();
                self.hub.close();
                Turn::Detached
            }
            next => next,
        };
        drop(turn);
        self.changed.notify_all();
    }

    pub(crate) fn new(mut run: Run, threaded: bool) -> Shared {
        let untaken = Mutex::new(std::mem::take(&mut run.untaken));
        let waker = run.waker().cloned();
        let hub = Arc::clone(run.hub.get_or_insert_default());
        let outside = Arc::clone(run.pump.outside());
        outside.set_pipes(run.pump.pipes());
        Shared {
            turn: Mutex::new(Turn::Idle(Box::new(run))),
            changed: Condvar::new(),
            untaken,
            threaded,
            waker: Mutex::new(waker),
            hub,
            outside,
            detached: AtomicBool::new(false),
        }
    }

    /// The run's thread.
    pub(crate) fn drive(&self) {
        let mut turn = self.turn();
        match std::mem::replace(&mut *turn, Turn::Driven) {
            Turn::Idle(run) => {
                drop(turn);
                let over = drive(run, Deadline::NEVER);
                // Before anybody hears of the end: whoever waited for it finds no descriptor left.
                drop(self.waker().take());
                self.put(over);
            }
            // Ended or let go of before this thread began.
            other => *turn = other,
        }
    }

    /// Waits, and drives if nobody else does or will; `None` when `until` comes first.
    ///
    /// A run with a thread is that thread's, also while the thread has not begun: the caller's callbacks must not run here.
    ///
    /// What nobody took is let go of under the turn's lock, by whoever is to drive or to a driver that hears of it. A driver without
    /// a waker that has not done so only looks, and leaves at once: then the turn is ours.
    pub(crate) fn wait_until(&self, until: Deadline, leftovers: Leftovers) -> Option<Result<Status, Fault>> {
        let let_go = || match leftovers {
            LetGo => self.untaken().let_go(),
            Keep => Vec::new(),
        };
        let mut turn = self.turn();
        loop {
            match std::mem::replace(&mut *turn, Turn::Driven) {
                Turn::Over(ended) => {
                    drop(let_go());
                    let status = ended.as_ref().map(|over| over.output.status).map_err(Clone::clone);
                    *turn = Turn::Over(ended);
                    return Some(status);
                }
                Turn::Idle(mut run) => {
                    let_go().into_iter().for_each(|flow| run.pump.add(flow));
                    if self.threaded {
                        *turn = Turn::Idle(run);
                        turn = self.sleep(turn, until)?;
                        continue;
                    }
                    drop(turn);
                    let next = drive(run, until);
                    if let Turn::Over(_) = next {
                        drop(self.waker().take());
                    }
                    turn = self.turn();
                    *turn = next;
                    self.changed.notify_all();
                    if let Turn::Idle(_) = *turn {
                        return None;
                    }
                }
                Turn::Driven => {
                    if let Some(waker) = &*self.waker() {
                        let_go().into_iter().for_each(|flow| waker.add(flow));
                    }
                    turn = self.sleep(turn, until)?;
                }
                Turn::Detached => {
                    *turn = Turn::Detached;
                    return None;
                }
            }
        }
    }

    /// Until something changes; `None` when `until` has come.
    fn sleep<'a>(&self, turn: MutexGuard<'a, Turn>, until: Deadline) -> Option<MutexGuard<'a, Turn>> {
        match until.remaining() {
            None => Some(self.changed.wait(turn).unwrap_or_else(PoisonError::into_inner)),
            Some(Duration::ZERO) => None,
            Some(left) => Some(self.changed.wait_timeout(turn, left).unwrap_or_else(PoisonError::into_inner).0),
        }
    }

    /// Whether it is seen to that it ends: a wait saw the end, or it was let go of.
    pub(crate) fn is_seen_to(&self) -> bool {
        self.detached.load(Relaxed) || matches!(*self.turn(), Turn::Over(_) | Turn::Detached)
    }

    /// The result of a run that is over.
    pub(crate) fn take(&self) -> Ended {
        match std::mem::replace(&mut *self.turn(), Turn::Detached) {
            Turn::Over(ended) => ended,
            // `wait` came back, so it is over.
            Turn::Idle(_) | Turn::Driven | Turn::Detached => {
                Err(Fault::new(ErrorKind::Io, "the run's result was taken before"))
            }
        }
    }

    pub(crate) fn take_end(&self, stream: Stream) -> Option<OwnedFd> {
        self.untaken().take(stream)
    }

    pub(crate) fn take_leash(&self) -> Option<Leash> {
        self.untaken().leash.take()
    }

    /// Ends what still runs. With a thread at work, the processes are killed and reaped from here and the thread is told; it is
    /// waited for only so long, since it may be in the caller's code.
    pub(crate) fn end(&self, processes: &[Process], container: Option<&Arc<Container>>, stop_closures: impl FnOnce()) {
        if self.detached.load(Relaxed) {
            return;
        }
        *self.untaken() = Untaken::default();
        let mut turn = self.turn();
        match std::mem::replace(&mut *turn, Turn::Driven) {
            Turn::Idle(run) => {
                *turn = Turn::Over(Err(Fault::new(ErrorKind::Cancelled, "the run was ended by its handle")));
                drop(turn);
                drop(run);
                self.hub.close();
                // A thread that has not begun yet holds the rest of this for a moment longer.
                drop(self.waker().take());
            }
            Turn::Driven => {
                // What refuses is not ours to kill any more; the others are.
                Termination::new(processes, container, &self.outside).kill_briefly();
                // Not left to the thread, which may be in the caller's code.
                stop_closures();
                if let Some(waker) = &*self.waker() {
                    waker.order(Order::Abort);
                }
                drop(turn);
                let until = Deadline::after(DROP_PATIENCE);
                for process in processes {
                    // What does not die in time is left to the thread.
                    let _ = process.wait_until(until);
                }
                let driven = |turn: &mut Turn| matches!(turn, Turn::Driven);
                let left = until.remaining().unwrap_or_default();
                drop(self.changed.wait_timeout_while(self.turn(), left, driven));
            }
            other @ (Turn::Detached | Turn::Over(_)) => *turn = other,
        }
    }

    /// Lets the processes live. A run with a thread goes on there.
    pub(crate) fn detach(&self) {
        *self.untaken() = Untaken::default();
        let mut turn = self.turn();
        self.detached.store(true, Relaxed);
        if self.threaded {
            return;
        }
        match std::mem::replace(&mut *turn, Turn::Detached) {
            Turn::Idle(run) => {
                run.detach();
                self.hub.close();
            }
            // Whoever drives sees it.
            Turn::Driven => *turn = Turn::Driven,
            Turn::Over(_) | Turn::Detached => {}
        }
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn untaken(&self) -> MutexGuard<'_, Untaken> {
        self.untaken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drives for a while; what becomes of the turn.
fn drive(run: Box<Run>, until: Deadline) -> Turn {
    guarded(run, |run| run.drive(until, None))
}

/// Does something to a run, and concludes it if that says that it is over. A panic in here is a callback's that nobody lent, or a bug:
/// either way the waiters must not wait for ever.
fn guarded(mut run: Box<Run>, work: impl FnOnce(&mut Run) -> Result<bool, Fault>) -> Turn {
    let hub = run.hub.clone();
    let driven = catch_unwind(AssertUnwindSafe(|| match work(&mut run) {
        Ok(false) => Turn::Idle(run),
        Ok(true) => Turn::Over(run.conclude()),
        Err(error) => Turn::Over(Err(run.give_up(error))),
    }));
    driven.unwrap_or_else(|panic| {
        hub.iter().for_each(|hub| hub.close());
        let what = format!("the run's driver panicked: {}", panic_text(&*panic));
        Turn::Over(Err(Fault::new(ErrorKind::Panic, what).words(Words::Callers { cut: true })))
    })
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.turn() {
            Turn::Idle(_) | Turn::Driven => "running",
            Turn::Detached => "detached",
            Turn::Over(Ok(_)) => "over",
            Turn::Over(Err(_)) => "failed",
        })
    }
}
