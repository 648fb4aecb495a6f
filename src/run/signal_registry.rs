//! The runs that signals to this process reach: those that asked for it and are not over.
//!
//! They are here whether or not anybody forwards. Who does tells their drivers; only where those do not get to it, because they are in the
//! caller's code, the processes are killed from here.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Deadline;
use crate::contain;
use crate::contain::Container;
use crate::engine::control::{Interrupt, Order, Waker};
use crate::engine::termination::{Outside, Pipes, Termination, WALK};
use crate::outcome::{ErrorKind, Fault};
use crate::process::Process;
use crate::status::signal_name;
use crate::sys::terminal;
use crate::tree::Tree;

/// How long the last run waits for the end of this process.
const END: Duration = Duration::from_secs(1);

struct Runs {
    live: Vec<Entry>,
    next: u64,
    /// What this process is about to die of.
    dying_of: Option<i32>,
    /// Rung when a run leaves.
    bell: Option<UnixStream>,
}

struct Entry {
    id: u64,
    waker: Waker,
    /// What its plan takes.
    grace: Duration,
    told: Told,
    /// The first signal, and when it came.
    first: Option<(i32, Instant)>,
    processes: Vec<Process>,
    container: Option<Arc<Container>>,
}

/// Wrappers signal the group and then the process (`timeout`, npm), within milliseconds. A second press of a key that means more than the
/// first one comes after a moment of waiting. So the same signal within this time is the same one.
const ONE_SIGNAL: Duration = Duration::from_secs(1);

impl Entry {
    fn is_told_twice(&self, signal: i32) -> bool {
        self.first.is_some_and(|(first, at)| first == signal && at.elapsed() < ONE_SIGNAL)
    }
}

/// How far a run is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    Nothing,
    ToEnd,
    ToEndAtOnce,
}

static RUNS: Mutex<Runs> = Mutex::new(Runs { live: Vec::new(), next: 0, dying_of: None, bell: None });
static DEATH: Condvar = Condvar::new();

/// A run's place among them.
pub(crate) struct Forwarded {
    id: u64,
}

impl Forwarded {
    /// Before anything of the run is started: a signal in between finds it.
    ///
    /// # Errors
    /// This process is about to die.
    pub(crate) fn join(waker: Waker, grace: Duration) -> Result<Forwarded, Fault> {
        let mut runs = runs();
        if let Some(signal) = runs.dying_of {
            let what = format!("the run was not started: this process ends, by {}", signal_name(signal));
            return Err(Fault::new(ErrorKind::Interrupted, what));
        }
        let id = runs.next;
        runs.next += 1;
        runs.live.push(Entry {
            id,
            waker,
            grace,
            told: Told::Nothing,
            first: None,
            processes: Vec::new(),
            container: None,
        });
        Ok(Forwarded { id })
    }

    /// What it consists of.
    pub(crate) fn started(&self, processes: &[Process], container: Option<&Arc<Container>>) {
        if let Some(entry) = runs().live.iter_mut().find(|entry| entry.id == self.id) {
            entry.processes = processes.to_vec();
            entry.container = container.cloned();
        }
    }
}

/// When the last run leaves and this process is about to die, whoever drove it waits for that: nothing happens after it.
impl Drop for Forwarded {
    fn drop(&mut self) {
        let mut runs = runs();
        let left = runs.live.iter().position(|entry| entry.id == self.id);
        let entry = left.map(|at| runs.live.swap_remove(at));
        if let Some(bell) = &mut runs.bell {
            // A full one rings already.
            let _ = bell.write(b"!");
        }
        let last = runs.live.is_empty();
        if last {
            drop(DEATH.wait_timeout_while(runs, END, |runs| runs.dying_of.is_some()));
        } else {
            drop(runs);
        }
        // A container's end takes its time.
        drop(entry);
    }
}

/// What became of a signal that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// There is no run.
    ToNobody,
    /// The longest that the plans of those take that are ended by it.
    ToEnd(Duration),
    /// They are being ended already.
    Again,
}

/// Ends the runs, by this signal first, and has no other begin if this process is then to die of it; `kills`: those that are being ended
/// are killed.
pub(crate) fn interrupt(interrupt: Interrupt, dies: bool, kills: bool) -> Passed {
    let mut runs = runs();
    if dies {
        runs.dying_of.get_or_insert(interrupt.signal);
    }
    let mut passed = if runs.live.is_empty() { Passed::ToNobody } else { Passed::Again };
    for entry in &mut runs.live {
        if entry.told == Told::Nothing {
            entry.told = Told::ToEnd;
            entry.first = Some((interrupt.signal, Instant::now()));
            entry.waker.order(Order::Interrupt(interrupt));
            passed = match passed {
                Passed::ToEnd(grace) => Passed::ToEnd(grace.max(entry.grace)),
                Passed::ToNobody | Passed::Again => Passed::ToEnd(entry.grace),
            };
        } else if kills && !entry.is_told_twice(interrupt.signal) {
            entry.told = Told::ToEndAtOnce;
            entry.waker.order(Order::Kill(interrupt));
        }
    }
    passed
}

/// Kills from here what is left of the runs that have been told so much.
pub(crate) fn kill_from_here(told: Told) {
    for (processes, container) in members(told) {
        // What refuses has another user, and lives on.
        Termination::new(&processes, container.as_ref(), &Outside::default()).kill(&Pipes::new());
    }
}

/// Sends them a signal that ends nothing.
pub(crate) fn tell(interrupt: Interrupt) {
    for (processes, container) in members(Told::Nothing) {
        let mut tree = Tree::of(&processes);
        tree.spare(interrupt.by_terminal.then(terminal::own_group));
        contain::tell(&mut tree, container.as_deref(), interrupt.signal, Deadline::after(WALK));
    }
}

/// Whether all that were to end have.
pub(crate) fn have_ended() -> bool {
    runs().live.iter().all(|entry| entry.told == Told::Nothing)
}

/// This process lives on after all.
pub(crate) fn live_on() {
    runs().dying_of = None;
    DEATH.notify_all();
}

/// What to ring when a run leaves.
pub(crate) fn set_bell(bell: Option<UnixStream>) {
    runs().bell = bell;
}

/// Without the lock: finding processes takes its time.
fn members(told: Told) -> Vec<(Vec<Process>, Option<Arc<Container>>)> {
    let runs = runs();
    let those = runs.live.iter().filter(|entry| entry.told >= told);
    those.map(|entry| (entry.processes.clone(), entry.container.clone())).collect()
}

fn runs() -> MutexGuard<'static, Runs> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}
