//! The runs that signals to this process are passed on to: those that set `forward_signals` and are not over.
//!
//! Runs register whether or not signals are forwarded at the moment. A signal is delivered to the threads that drive the runs. Where one
//! of them does not act on it, because it is in the caller's code, the processes are killed from here.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Deadline;
use crate::contain;
use crate::contain::Container;
use crate::engine::control::{ForwardedSignal, Request, Waker};
use crate::engine::termination::{Pipes, SharedEnding, Termination, WALK};
use crate::outcome::{ErrorKind, Fault};
use crate::process::Process;
use crate::status::signal_name;
use crate::sys::terminal;
use crate::tree::Tree;

/// How long the last run waits for this process to die of the signal: raising a signal takes microseconds, so a second means that it failed.
const DEATH_WAIT: Duration = Duration::from_secs(1);

struct Registry {
    live: Vec<Entry>,
    next_id: u64,
    /// The signal that this process is about to die of.
    dying_of: Option<i32>,
    /// Written to when a run leaves.
    bell: Option<UnixStream>,
}

struct Entry {
    id: u64,
    waker: Waker,
    /// How long the run's shutdown plan takes.
    grace: Duration,
    delivered: Delivered,
    /// The first signal that was delivered, and when.
    first: Option<(i32, Instant)>,
    processes: Vec<Process>,
    container: Option<Arc<Container>>,
}

/// The same signal within this time counts once. Wrappers (`timeout`, npm) signal the group and then the process, within milliseconds; a
/// second Ctrl-C that means more than the first one comes after a moment of waiting.
const ONE_SIGNAL: Duration = Duration::from_secs(1);

impl Entry {
    fn is_repeat(&self, signal: i32) -> bool {
        self.first.is_some_and(|(first, at)| first == signal && at.elapsed() < ONE_SIGNAL)
    }
}

/// What was delivered to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Delivered {
    Nothing,
    Shutdown,
    Kill,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { live: Vec::new(), next_id: 0, dying_of: None, bell: None });
static DEATH: Condvar = Condvar::new();

/// A run's place in the registry, which it leaves by drop.
pub(crate) struct Registered {
    id: u64,
}

impl Registered {
    /// Registers a run before any of its processes starts, so that a signal meanwhile is delivered to it.
    ///
    /// # Errors
    /// This process is about to die.
    pub(crate) fn join(waker: Waker, grace: Duration) -> Result<Registered, Fault> {
        let mut registry = registry();
        if let Some(signal) = registry.dying_of {
            let what = format!("the run was not started: this process ends, by {}", signal_name(signal));
            return Err(Fault::new(ErrorKind::Interrupted, what));
        }
        let id = registry.next_id;
        registry.next_id += 1;
        let delivered = Delivered::Nothing;
        let entry = Entry { id, waker, grace, delivered, first: None, processes: Vec::new(), container: None };
        registry.live.push(entry);
        Ok(Registered { id })
    }

    /// Enters the processes of the run, which have started.
    pub(crate) fn started(&self, processes: &[Process], container: Option<&Arc<Container>>) {
        if let Some(entry) = registry().live.iter_mut().find(|entry| entry.id == self.id) {
            entry.processes = processes.to_vec();
            entry.container = container.cloned();
        }
    }
}

/// When the last run leaves while this process is about to die, the thread that drove the run waits for the death: no code of the caller
/// runs after it.
impl Drop for Registered {
    fn drop(&mut self) {
        let mut registry = registry();
        let at = registry.live.iter().position(|entry| entry.id == self.id);
        let entry = at.map(|at| registry.live.swap_remove(at));
        if let Some(bell) = &mut registry.bell {
            // A full socket (EAGAIN) has unread bytes, which do the same.
            let _ = bell.write(b"!");
        }
        if registry.live.is_empty() {
            drop(DEATH.wait_timeout_while(registry, DEATH_WAIT, |registry| registry.dying_of.is_some()));
        } else {
            drop(registry);
        }
        // Without the lock: removing a cgroup may take a while.
        drop(entry);
    }
}

/// What became of a signal that ends runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// No run is registered.
    NoRun,
    /// Runs are being ended by it: the longest time that their shutdown plans take.
    Begun(Duration),
    /// All runs were being ended before.
    Repeated,
}

/// Ends the runs, with this signal in place of their plan's first. `dies`: this process is then to die of the signal, and no further run
/// begins. `kills`: the runs that an earlier signal is ending are killed.
pub(crate) fn interrupt(interrupt: ForwardedSignal, dies: bool, kills: bool) -> Delivery {
    let mut registry = registry();
    if dies {
        registry.dying_of.get_or_insert(interrupt.signal);
    }
    let mut delivery = if registry.live.is_empty() { Delivery::NoRun } else { Delivery::Repeated };
    for entry in &mut registry.live {
        if entry.delivered == Delivered::Nothing {
            entry.delivered = Delivered::Shutdown;
            entry.first = Some((interrupt.signal, Instant::now()));
            entry.waker.request(Request::Forward(interrupt));
            delivery = match delivery {
                Delivery::Begun(grace) => Delivery::Begun(grace.max(entry.grace)),
                Delivery::NoRun | Delivery::Repeated => Delivery::Begun(entry.grace),
            };
        } else if kills && !entry.is_repeat(interrupt.signal) {
            entry.delivered = Delivered::Kill;
            entry.waker.request(Request::Kill(interrupt));
        }
    }
    delivery
}

/// Kills the processes of the runs that at least this was delivered to, from the calling thread.
pub(crate) fn kill_from_here(delivered: Delivered) {
    for (processes, container) in members(delivered) {
        // A process that refuses the signal (EPERM) has another user, and lives on.
        Termination::new(&processes, container.as_ref(), &SharedEnding::default()).kill(&Pipes::new());
    }
}

/// Sends every run a signal that does not end it.
pub(crate) fn signal(interrupt: ForwardedSignal) {
    for (processes, container) in members(Delivered::Nothing) {
        let mut tree = Tree::of(&processes);
        tree.spare(interrupt.by_terminal.then(terminal::own_group));
        contain::signal(&mut tree, container.as_deref(), interrupt.signal, Deadline::after(WALK));
    }
}

/// Whether every run that was to be ended has ended.
pub(crate) fn have_ended() -> bool {
    registry().live.iter().all(|entry| entry.delivered == Delivered::Nothing)
}

/// This process is not going to die of the signal after all.
pub(crate) fn live_on() {
    registry().dying_of = None;
    DEATH.notify_all();
}

/// Sets the socket that a run writes to when it leaves.
pub(crate) fn set_bell(bell: Option<UnixStream>) {
    registry().bell = bell;
}

/// Copies, because the search for processes must not hold the lock.
fn members(delivered: Delivered) -> Vec<(Vec<Process>, Option<Arc<Container>>)> {
    let registry = registry();
    let entries = registry.live.iter().filter(|entry| entry.delivered >= delivered);
    entries.map(|entry| (entry.processes.clone(), entry.container.clone())).collect()
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}
