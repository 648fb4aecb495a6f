//! Ends the processes of a run, what they have started in turn, and whatever else is in the run's container or holds one of its pipes.
//!
//! Every ending is a [`Termination`]: by a deadline, a cancel, a forwarded signal, a handle, a drop. The [schedule](super::schedule) says what
//! is to be done when, and this file does it: in the engine where a driver is at work, and in the handle where its caller waits.
//!
//! One kind of process cannot be found: an orphan that no look has seen while its parent lived, and which holds no pipe of the run and is
//! in no container. The kernel gives an orphan another parent before it reports the end of the old one.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::leak::{EndedHolders, unseen_by};
use super::schedule::{Action, Schedule, Seen};
use super::timing::Steps;
use crate::clock::Deadline;
use crate::contain;
use crate::contain::{Container, Hold};
use crate::fd::{HeldPipe, HolderSearch};
use crate::lock::lock;
use crate::process::Process;
use crate::procfs::Unseen;
use crate::stream::Stream;
use crate::sys::poll::{Interest, PollSet};
use crate::tree::{Survivor, Tree};

/// How long a walk through the processes may take: a hundred times as long as for a tree of 50 on a quiet machine.
pub(crate) const WALK: Duration = Duration::from_millis(100);

/// How long the search for the holders of pipes may take, which looks at every descriptor of every process. With the rest of the ending
/// it is within the 100 ms that a deadline may be late by.
const HOLDERS: Duration = Duration::from_millis(60);

/// A drop may take 50 ms: the walk, then the wait for what was killed. 2 ms remain for everything else.
const DROP_WALK: Duration = Duration::from_millis(20);
pub(crate) const DROP_PATIENCE: Duration = Duration::from_millis(28);

/// How often a process is looked at that has no pidfd to wait for: far more often than the 90 ms after which a kill is checked.
const BY_NUMBER: Duration = Duration::from_millis(5);

/// The pipes that processes of the run write to, with their streams.
pub(crate) type Pipes = Vec<(Stream, HeldPipe)>;

/// What a termination has to know of the rest of the run, and what it reports.
pub(crate) trait Context {
    /// Whether the closures that are to be waited for have ended.
    fn closures_have_ended(&mut self) -> bool {
        true
    }

    /// The pipes whose holders are ended, too.
    fn pipes(&self) -> Pipes {
        Vec::new()
    }

    /// This signal is about to be sent.
    fn sends(&mut self, _signal: i32) {}

    /// This signal was sent.
    fn sent(&mut self, _signal: i32) {}
}

/// Processes without a run: there are no closures and no pipes, and nothing is reported.
pub(crate) struct ProcessesOnly;

impl Context for ProcessesOnly {}

/// What the engine of a run and its handles share about the run's ending.
#[derive(Default)]
pub(crate) struct SharedEnding {
    pub(super) ended_holders: EndedHolders,
    /// The pipes that the run reads, until it is over.
    pipes: Mutex<Pipes>,
    /// The termination that a handle has begun, which does not end in a kill. The engine does the rest of it.
    requested: Mutex<Option<Termination>>,
}

impl SharedEnding {
    pub(crate) fn set_pipes(&self, pipes: Pipes) {
        *lock(&self.pipes) = pipes;
    }

    pub(crate) fn pipes(&self) -> Pipes {
        lock(&self.pipes).clone()
    }

    /// Works on the termination that a handle has begun, if there is one. The lock is held meanwhile, so no callback may be called: it
    /// might come back here.
    pub(crate) fn with_requested<T>(&self, work: impl FnOnce(&mut Option<Termination>) -> T) -> T {
        work(&mut lock(&self.requested))
    }

    /// When that termination has something to do.
    pub(super) fn deadline(&self) -> Deadline {
        self.with_requested(|requested| requested.as_ref().map_or(Deadline::NEVER, Termination::deadline))
    }

    /// The run is over.
    pub(super) fn close(&self) {
        self.set_pipes(Vec::new());
        drop(self.with_requested(Option::take));
    }
}

pub(crate) struct Termination {
    schedule: Schedule,
    tree: Tree,
    /// The first processes of the tree are the stages' own; this many.
    own: usize,
    container: Option<Hold>,
    ended_holders: EndedHolders,
    /// The processes of the tree that are not known to have ended.
    left: Vec<usize>,
    /// The processes that a kill did not reach.
    survivors: Vec<Survivor>,
    /// Why more processes may hold the pipes than were found.
    unseen: Option<Unseen>,
}

impl Termination {
    pub(crate) fn new(own: &[Process], container: Option<&Arc<Container>>, shared: &SharedEnding) -> Termination {
        Termination {
            schedule: Schedule::new(Steps::default(), true),
            tree: Tree::of(own),
            own: own.len(),
            container: container.map(Hold::new),
            ended_holders: shared.ended_holders.clone(),
            left: (0..own.len()).collect(),
            survivors: Vec::new(),
            unseen: None,
        }
    }

    /// Begins these steps; `kills`: SIGKILL comes after the last one.
    pub(crate) fn begin(&mut self, steps: Steps, kills: bool) {
        self.schedule = Schedule::new(steps, kills);
    }

    /// The members of this group have had the first signal.
    pub(super) fn spare(&mut self, group: Option<i32>) {
        self.tree.spare(group);
    }

    /// Sends the first signal. The rest is for the engine, which knows the pipes of the run: without them, a process that holds one would
    /// not be found, and the termination be over, where the stages' own processes have ended by now.
    pub(crate) fn signal_first(&mut self) {
        if let Action::Signal(signal) = self.schedule.next(Instant::now(), Seen::default()) {
            self.signal(signal, &Pipes::new());
        }
    }

    /// Does what is due now; whether the termination is over.
    pub(crate) fn advance(&mut self, context: &mut impl Context) -> bool {
        let mut settled = false;
        loop {
            let some_ended = self.forget_ended();
            let closures_ended = context.closures_have_ended();
            let seen = Seen {
                own_ended: self.left.iter().all(|&index| index >= self.own),
                all_ended: self.left.is_empty() && closures_ended,
                settled: settled && !some_ended,
                some_ended,
                stuck: self.schedule.has_killed() && self.left.iter().all(|&index| self.tree.is_stuck(index)),
            };
            settled = false;
            match self.schedule.next(Instant::now(), seen) {
                Action::Signal(signal) => {
                    context.sends(signal);
                    self.signal(signal, &context.pipes());
                    context.sent(signal);
                }
                Action::Look => drop(self.look()),
                Action::SignalRest => settled = !self.signal_rest(&context.pipes()),
                Action::Kill => {
                    context.sends(libc::SIGKILL);
                    self.kill(&context.pipes());
                    context.sent(libc::SIGKILL);
                }
                Action::Wait(_) => return false,
                Action::Done => return true,
            }
        }
    }

    /// Does all of it, and waits where it has to.
    pub(crate) fn run(&mut self, context: &mut impl Context) {
        let mut set = PollSet::default();
        while !self.advance(context) {
            set.clear();
            self.ends().for_each(|end| set.push(end, Interest::Readable));
            let by_number = self.left.len() > self.ends().count() || !context.closures_have_ended();
            let look = if by_number { Deadline::after(BY_NUMBER) } else { Deadline::NEVER };
            let until = self.deadline().earlier(look);
            if set.wait(until).is_err() {
                // poll(2) fails for lack of memory alone (ENOMEM).
                std::thread::sleep(until.remaining().map_or(BY_NUMBER, |left| left.min(BY_NUMBER)));
            }
        }
    }

    fn signal(&mut self, signal: i32, pipes: &Pipes) {
        contain::request_exit(&mut self.tree, self.container.as_deref(), signal, Deadline::after(WALK));
        self.add_holders(pipes);
        self.tree.request_older();
        self.tree.spare(None);
        self.left = (0..self.tree.len()).collect();
    }

    /// Looks for processes that were started since; whether there are any.
    fn look(&mut self) -> bool {
        let known = self.tree.len();
        contain::look_on(&mut self.tree, self.container.as_deref(), Deadline::after(WALK));
        self.left.extend(known..self.tree.len());
        self.tree.len() > known
    }

    /// Signals the processes that have not had the step's signal; whether there were any.
    fn signal_rest(&mut self, pipes: &Pipes) -> bool {
        let mut is_new = self.look();
        let known = self.tree.len();
        self.add_holders(pipes);
        self.left.extend(known..self.tree.len());
        is_new |= self.tree.len() > known;
        self.tree.request_rest();
        is_new
    }

    /// Kills all of it.
    pub(crate) fn kill(&mut self, pipes: &Pipes) {
        self.add_holders(pipes);
        self.kill_within(WALK);
    }

    /// Kills in the time that a drop has, without a search for holders.
    pub(crate) fn kill_briefly(&mut self) {
        self.kill_within(DROP_WALK);
    }

    fn kill_within(&mut self, budget: Duration) {
        let until = Deadline::after(budget);
        self.survivors = contain::kill(&mut self.tree, self.container.as_deref(), until).survivors;
        self.left = self.tree.all_but(&self.survivors);
        self.schedule.was_killed(Instant::now());
    }

    /// Adds the processes that hold these pipes. A pipe was made for the run: any process that holds an end of it got that from the run.
    fn add_holders(&mut self, pipes: &Pipes) {
        let until = Deadline::after(HOLDERS);
        let first = self.tree.len();
        for (stream, pipe) in pipes {
            let search = HolderSearch::new().budget(until.remaining().unwrap_or_default()).in_any_case();
            let searched = search.run_for(pipe);
            self.unseen = self.unseen.or(unseen_by(&searched));
            // Without a descriptor for the search (EMFILE), or the right to it, the holders are left alone.
            let Ok(holders) = searched else { continue };
            for holder in holders.found {
                let found = self.tree.take_in_heir(holder.pid, || search.finds(pipe, holder.pid));
                if found || self.tree.has_from(first, holder.pid) {
                    // Before it is signalled: its end may be the end of the run, whose result names it.
                    self.ended_holders.push(*stream, holder);
                }
            }
        }
    }

    /// Forgets the processes that have ended since the last call; whether there were any.
    fn forget_ended(&mut self) -> bool {
        let (tree, before) = (&self.tree, self.left.len());
        self.left.retain(|&index| !tree.has_ended(index));
        self.left.len() < before
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.schedule.until()
    }

    /// When the time of the last step is over.
    pub(super) fn grace_end(&self) -> Deadline {
        self.schedule.grace_end()
    }

    pub(super) fn later_by(&mut self, by: Duration) {
        self.schedule.later_by(by);
    }

    pub(super) fn skip_to_kill(&mut self) {
        self.schedule.skip_to_kill();
    }

    pub(super) fn has_killed(&self) -> bool {
        self.schedule.has_killed()
    }

    /// The pidfds of the processes that are left, each readable when its process has ended. A process without one is looked at from time
    /// to time.
    pub(super) fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.left.iter().filter_map(|&index| self.tree.end_fd(index))
    }

    /// The ids and names of all known processes.
    pub(crate) fn named(&self) -> Vec<(u32, String)> {
        self.tree.named()
    }

    /// The ids of the processes that could be signalled or had ended already, and the processes that could not be killed.
    pub(crate) fn reached(&self) -> (Vec<u32>, Vec<Survivor>) {
        let refused = |pid: &u32| self.survivors.iter().any(|it| it.pid == *pid);
        let reached = self.tree.named().into_iter().map(|(pid, _)| pid).filter(|pid| !refused(pid)).collect();
        (reached, self.survivors.clone())
    }

    /// Why there may be more processes than were found.
    pub(crate) fn unseen(&self) -> Option<Unseen> {
        self.tree.unseen().or(self.unseen)
    }

    /// The processes that were killed and have not ended.
    pub(crate) fn left(&self) -> impl Iterator<Item = Survivor> + '_ {
        self.left.iter().map(|&index| self.tree.still_there(index))
    }
}
