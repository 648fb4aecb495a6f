//! Ending a run: its processes, what they have started in turn, what else is in its container or holds one of its pipes.
//!
//! There is one way to do it, whatever asks for it: a deadline, a cancel, a passed-on signal, a handle, a drop. The [schedule](super::schedule)
//! says what is to be done when; here it is done. What drives a run does it where the run is driven, and a handle where its caller waits.
//!
//! What this cannot find: an orphan that no look saw while its parent lived, that holds nothing of the run and is in no container. The
//! kernel gives it another parent before the end of its own is told.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::leak::{Strangers, unseen_by};
use super::schedule::{Action, Schedule, Seen};
use super::timing::Steps;
use crate::clock::Deadline;
use crate::contain;
use crate::contain::{Container, Hold};
use crate::fd::{HeldPipe, HolderSearch};
use crate::process::Process;
use crate::procfs::Unseen;
use crate::stream::Stream;
use crate::sys::poll::{Interest, PollSet};
use crate::tree::{Survivor, Tree};

/// How long a walk through the processes may take: a hundred times what a tree of 50 takes on a quiet machine. And the search for those
/// that hold a pipe, which looks at every descriptor of every process.
pub(crate) const WALK: Duration = Duration::from_millis(100);
const HOLDERS: Duration = Duration::from_millis(60);

/// A drop has 50 ms: the walk, then the wait for what was killed, and 2 ms for all else.
const DROP_WALK: Duration = Duration::from_millis(20);
pub(crate) const DROP_PATIENCE: Duration = Duration::from_millis(28);

/// How often what has no descriptor to wait for is looked at: a twentieth of what a quiet machine takes to end it.
const BY_NUMBER: Duration = Duration::from_millis(5);

/// The streams that others write to, by their pipes.
pub(crate) type Pipes = Vec<(Stream, HeldPipe)>;

/// What the rest of a run has to say to its ending.
pub(crate) trait Around {
    /// Whether the run's closures have ended, as far as there are some to wait for.
    fn closures_have_ended(&mut self) -> bool {
        true
    }

    /// The pipes whose holders are to be ended, too.
    fn pipes(&self) -> Pipes {
        Vec::new()
    }

    /// A step begins with this signal.
    fn sends(&mut self, _signal: i32) {}

    /// It was sent.
    fn sent(&mut self, _signal: i32) {}
}

/// What is told to no one, and has nothing but processes.
pub(crate) struct Nothing;

impl Around for Nothing {}

/// What is known of a run's ending outside of what drives it.
#[derive(Default)]
pub(crate) struct Outside {
    pub(super) strangers: Strangers,
    /// The pipes that the run reads, until it is over.
    pipes: Mutex<Pipes>,
    /// Asked to end by the handle, without a kill to come; what drives the run sees to the rest of it.
    asked: Mutex<Option<Termination>>,
}

impl Outside {
    pub(crate) fn set_pipes(&self, pipes: Pipes) {
        *self.pipes.lock().unwrap_or_else(PoisonError::into_inner) = pipes;
    }

    pub(crate) fn pipes(&self) -> Pipes {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Works on what was asked before, if it was. No callback may be told under this lock: it may come back here.
    pub(crate) fn with_asked<T>(&self, work: impl FnOnce(&mut Option<Termination>) -> T) -> T {
        work(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The run is over.
    pub(super) fn close(&self) {
        self.set_pipes(Vec::new());
        drop(self.with_asked(Option::take));
    }
}

pub(crate) struct Termination {
    schedule: Schedule,
    tree: Tree,
    /// How many of the tree are the run's own: the first.
    own: usize,
    container: Option<Hold>,
    strangers: Strangers,
    /// Those that have not ended, as far as is known.
    left: Vec<usize>,
    /// Those that a kill did not reach.
    survivors: Vec<Survivor>,
    /// Why more may hold the pipes than was found.
    unseen: Option<Unseen>,
}

impl Termination {
    pub(crate) fn new(own: &[Process], container: Option<&Arc<Container>>, outside: &Outside) -> Termination {
        Termination {
            schedule: Schedule::new(Steps::default(), true),
            tree: Tree::of(own),
            own: own.len(),
            container: container.map(Hold::new),
            strangers: outside.strangers.clone(),
            left: (0..own.len()).collect(),
            survivors: Vec::new(),
            unseen: None,
        }
    }

    /// Begins with these steps. `kills`: with a kill behind the last.
    pub(crate) fn begin(&mut self, steps: Steps, kills: bool) {
        self.schedule = Schedule::new(steps, kills);
    }

    /// What is in this group has the first signal already.
    pub(super) fn spare(&mut self, group: Option<i32>) {
        self.tree.spare(group);
    }

    /// Does what is to be done by now; whether it is over.
    pub(crate) fn advance(&mut self, around: &mut impl Around) -> bool {
        let mut settled = false;
        loop {
            let news = self.look_what_ended();
            let closures_ended = around.closures_have_ended();
            let seen = Seen {
                own_ended: self.left.iter().all(|&index| index >= self.own),
                all_ended: self.left.is_empty() && closures_ended,
                settled: settled && !news,
                news,
                stuck: self.schedule.has_killed() && self.left.iter().all(|&index| self.tree.is_stuck(index)),
            };
            settled = false;
            match self.schedule.next(Instant::now(), seen) {
                Action::Ask(signal) => {
                    around.sends(signal);
                    self.ask(signal, &around.pipes());
                    around.sent(signal);
                }
                Action::Look => drop(self.look_on()),
                Action::AskRest => settled = !self.ask_rest(&around.pipes()),
                Action::Kill => {
                    around.sends(libc::SIGKILL);
                    self.kill(&around.pipes());
                    around.sent(libc::SIGKILL);
                }
                Action::Wait(_) => return false,
                Action::Over => return true,
            }
        }
    }

    /// Does all of it, waiting where it has to.
    pub(crate) fn run(&mut self, around: &mut impl Around) {
        let mut set = PollSet::default();
        while !self.advance(around) {
            set.clear();
            self.ends().for_each(|end| set.push(end, Interest::Readable));
            let by_number = self.left.len() > self.ends().count() || !around.closures_have_ended();
            let look = if by_number { Deadline::after(BY_NUMBER) } else { Deadline::NEVER };
            let until = self.deadline().earlier(look);
            if set.wait(until).is_err() {
                // Refused, for lack of memory.
                std::thread::sleep(until.remaining().map_or(BY_NUMBER, |left| left.min(BY_NUMBER)));
            }
        }
    }

    fn ask(&mut self, signal: i32, pipes: &Pipes) {
        contain::request_exit(&mut self.tree, self.container.as_deref(), signal, Deadline::after(WALK));
        self.take_in_holders(pipes);
        self.tree.request_older();
        self.tree.spare(None);
        self.left = (0..self.tree.len()).collect();
    }

    /// Looks for what was started since; whether there is anything new.
    fn look_on(&mut self) -> bool {
        let known = self.tree.len();
        contain::look_on(&mut self.tree, self.container.as_deref(), Deadline::after(WALK));
        self.left.extend(known..self.tree.len());
        self.tree.len() > known
    }

    /// Asks whatever has not had the step's signal; whether there was anything new.
    fn ask_rest(&mut self, pipes: &Pipes) -> bool {
        let mut is_new = self.look_on();
        let known = self.tree.len();
        self.take_in_holders(pipes);
        self.left.extend(known..self.tree.len());
        is_new |= self.tree.len() > known;
        self.tree.request_rest();
        is_new
    }

    /// Kills all of it.
    pub(crate) fn kill(&mut self, pipes: &Pipes) {
        self.take_in_holders(pipes);
        self.kill_within(WALK);
    }

    /// The same in a drop's time, without a search for holders.
    pub(crate) fn kill_briefly(&mut self) {
        self.kill_within(DROP_WALK);
    }

    fn kill_within(&mut self, budget: Duration) {
        let until = Deadline::after(budget);
        self.survivors = contain::kill(&mut self.tree, self.container.as_deref(), until).survivors;
        self.left = self.tree.all_but(&self.survivors);
        self.schedule.was_killed(Instant::now());
    }

    /// Only a process that got it from one of the run can have an end of a pipe that was made for the run.
    fn take_in_holders(&mut self, pipes: &Pipes) {
        let until = Deadline::after(HOLDERS);
        let first = self.tree.len();
        for (stream, pipe) in pipes {
            let search = HolderSearch::new().budget(until.remaining().unwrap_or_default()).in_any_case();
            let searched = search.run_for(pipe);
            self.unseen = self.unseen.or(unseen_by(&searched));
            // Without a descriptor to look with, or the right to, they are left.
            let Ok(holders) = searched else { continue };
            for holder in holders.found {
                let found = self.tree.take_in_heir(holder.pid, || search.finds(pipe, holder.pid));
                if found || self.tree.has_from(first, holder.pid) {
                    // Before it is signalled: the run may be over right after its end.
                    self.strangers.push(*stream, holder);
                }
            }
        }
    }

    /// Whether something has ended since the last look.
    fn look_what_ended(&mut self) -> bool {
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

    /// What becomes readable when one of them ends. What has no descriptor is looked at from time to time.
    pub(super) fn ends(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.left.iter().filter_map(|&index| self.tree.end_fd(index))
    }

    /// The numbers and names of all that is known.
    pub(crate) fn named(&self) -> Vec<(u32, String)> {
        self.tree.named()
    }

    /// The numbers of what could be signalled or had ended already, and what refused to be killed.
    pub(crate) fn reached(&self) -> (Vec<u32>, Vec<Survivor>) {
        let refused = |pid: &u32| self.survivors.iter().any(|it| it.pid == *pid);
        let reached = self.tree.named().into_iter().map(|(pid, _)| pid).filter(|pid| !refused(pid)).collect();
        (reached, self.survivors.clone())
    }

    /// Why there may be more than is known.
    pub(crate) fn unseen(&self) -> Option<Unseen> {
        self.tree.unseen().or(self.unseen)
    }

    /// What was killed and has not ended.
    pub(crate) fn left(&self) -> impl Iterator<Item = Survivor> + '_ {
        self.left.iter().map(|&index| self.tree.still_there(index))
    }
}
